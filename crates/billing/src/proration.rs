//! Which periods a recurring price is due for, and which part of it: the bill cycle of a subscription between two changes.
//!
//! Dates are local to the account. A period reaches from its start to the day before its end. The rules are Kill Bill's,
//! down to its denominators: a part of a cycle is measured against a whole one that ends, or begins, where the part does,
//! by plain calendar arithmetic that does not look at the bill cycle day.

use crate::catalog::{BillingMode, BillingPeriod};
use crate::{Currency, Money, Refusal};
use jiff::Span;
use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};

/// Decimals of a fraction.
const FRACTION_DIGITS: u32 = 9;

/// Most cycles between a change and the date up to which is billed: more than a daily plan has in a century.
const CYCLES_LIMIT: usize = 40_000;

/// The length of a billing period: days, or months by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Days(i32),
    Months(i32),
}

/// The length of a period; none of [`BillingPeriod::None`].
fn length(period: BillingPeriod) -> Option<Length> {
    use BillingPeriod as P;
    Some(match period {
        P::Daily => Length::Days(1),
        P::Weekly => Length::Days(7),
        P::Biweekly => Length::Days(14),
        P::ThirtyDays => Length::Days(30),
        P::ThirtyOneDays => Length::Days(31),
        P::SixtyDays => Length::Days(60),
        P::NinetyDays => Length::Days(90),
        P::Monthly => Length::Months(1),
        P::Bimestrial => Length::Months(2),
        P::Quarterly => Length::Months(3),
        P::Triannual => Length::Months(4),
        P::Biannual => Length::Months(6),
        P::Annual => Length::Months(12),
        P::Sesquiennial => Length::Months(18),
        P::Biennial => Length::Months(24),
        P::Triennial => Length::Months(36),
        P::None => return None,
    })
}

impl Length {
    fn span(self) -> Span {
        match self {
            Length::Days(days) => Span::new().days(days),
            Length::Months(months) => Span::new().months(months),
        }
    }

    /// The date so much later; a day that its month does not have is the month's last.
    fn after(self, date: Date) -> Option<Date> {
        date.checked_add(self.span()).ok()
    }

    fn before(self, date: Date) -> Option<Date> {
        date.checked_sub(self.span()).ok()
    }
}

/// A stretch of a subscription in which its plan, phase and price stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The day on which it begins.
    pub start: Date,
    /// The day on which something else begins; none while nothing is known to.
    pub end: Option<Date>,
    /// How often its price is due.
    pub period: BillingPeriod,
    /// Whether a period is charged at its start or at its end.
    pub mode: BillingMode,
    /// The bill cycle day, 1 to 31; of a month that has it not, the last day counts. Periods of days begin when the stretch
    /// does, whatever the day.
    pub cycle_day: i8,
}

/// A period that a price is due for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its first day.
    pub start: Date,
    /// The day after its last.
    pub end: Date,
    /// The part of the price, above 0, with at most [`FRACTION_DIGITS`] decimals; 1 for a whole cycle.
    pub fraction: Decimal,
}

impl Due {
    /// The part of `rate` that is due, in the currency's decimals, a half rounded away from 0.
    pub fn amount(&self, rate: Decimal, currency: Currency) -> Result<Money, Refusal> {
        let exact = rate.checked_mul(self.fraction);
        let exact = exact.ok_or_else(|| Refusal::invalid("amount", "is too large"))?;
        Money::round("amount", exact, currency)
    }
}

/// The days from one date to another.
fn days(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// A part of a cycle.
fn part((start, end): (Date, Date), (whole_start, whole_end): (Date, Date)) -> Option<Due> {
    let fraction =
        Decimal::from(days(start, end)).checked_div(Decimal::from(days(whole_start, whole_end)))?;
    let fraction = fraction.round_dp_with_strategy(FRACTION_DIGITS, RoundingStrategy::MidpointAwayFromZero);
    Some(Due { start, end, fraction })
}

/// The dates on which cycles begin.
struct Cycles {
    length: Length,
    cycle_day: i8,
}

impl Cycles {
    /// The cycle day of the month that `date` is in.
    fn aligned(&self, date: Date) -> Option<Date> {
        match self.length {
            Length::Days(_) => Some(date),
            Length::Months(_) => {
                Date::new(date.year(), date.month(), self.cycle_day.min(date.days_in_month())).ok()
            }
        }
    }

    fn next(&self, date: Date) -> Option<Date> {
        self.aligned(self.length.after(date)?)
    }

    /// The first at or after `start`.
    fn first(&self, start: Date) -> Option<Date> {
        let mut date = self.aligned(start)?;
        while date < start {
            date = self.next(date)?;
        }
        Some(date)
    }

    /// From `first` on, up to `last` included, and the one after it.
    fn until(&self, first: Date, last: Date) -> Option<(Vec<Date>, Date)> {
        let (mut dates, mut date) = (Vec::new(), first);
        while date <= last {
            if dates.len() >= CYCLES_LIMIT {
                return None;
            }
            dates.push(date);
            date = self.next(date)?;
        }
        Some((dates, date))
    }
}

/// What is due of a stretch when everything up to the day `target` is billed, earliest first, without gaps. Nothing is due
/// of less than a day, nor where the calendar ends.
pub fn due(stretch: &Stretch, target: Date) -> Vec<Due> {
    due_of(stretch, target).unwrap_or_default()
}

fn due_of(stretch: &Stretch, target: Date) -> Option<Vec<Due>> {
    let (start, end) = (stretch.start, stretch.end);
    if stretch.start > target || end.is_some_and(|end| end <= start) {
        return None;
    }
    let length = length(stretch.period)?;
    let cycles = Cycles { length, cycle_day: stretch.cycle_day };
    let first = cycles.first(start)?;
    let billed_until = match stretch.mode {
        BillingMode::InAdvance => end_in_advance(&cycles, first, end, target)?,
        BillingMode::InArrear => end_in_arrear(&cycles, first, end, target)?,
    };
    if let Some(end) = end.filter(|end| *end <= first) {
        return Some(vec![part((start, end), (length.before(end)?, end))?]);
    }
    let mut due = Vec::new();
    if first > start {
        due.push(part((start, first), (length.before(first)?, first))?);
    }
    let (begun, _) = cycles.until(first, billed_until)?;
    for pair in begun.windows(2) {
        if let [start, end] = *pair {
            due.push(Due { start, end, fraction: Decimal::ONE });
        }
    }
    match begun.last() {
        Some(&last) if last < billed_until => {
            due.push(part((last, billed_until), (last, length.after(last)?))?);
        }
        _ => {}
    }
    Some(due)
}

/// Up to when is billed in advance: through the cycle that the target is in, or to the end of the stretch.
fn end_in_advance(cycles: &Cycles, first: Date, end: Option<Date>, target: Date) -> Option<Date> {
    match end {
        Some(end) if end <= target => Some(end),
        _ if target < first => Some(first),
        _ => {
            let (_, next) = cycles.until(first, target)?;
            Some(end.map_or(next, |end| end.min(next)))
        }
    }
}

/// Up to when is billed in arrear: to the last cycle that has ended, or to the end of the stretch once it is reached. None
/// while nothing has ended.
fn end_in_arrear(cycles: &Cycles, first: Date, end: Option<Date>, target: Date) -> Option<Date> {
    match end {
        Some(end) if end == target => Some(end),
        _ if target < first => None,
        Some(end) if end < first || end <= target => Some(end),
        _ => cycles.until(first, target)?.0.last().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Term;
    use BillingPeriod as P;
    use jiff::ToSpan;
    use proptest::prelude::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// A stretch from `start` to `end`, which may be empty, billed up to `target` at `rate` dollars: its items as
    /// `start..end amount`.
    fn items(
        (period, mode): (P, BillingMode),
        cycle_day: i8,
        (start, end): (&str, &str),
        target: &str,
        rate: &str,
    ) -> Vec<String> {
        let end = Some(end).filter(|end| !end.is_empty()).map(date);
        let stretch = Stretch { start: date(start), end, period, mode, cycle_day };
        let rate: Decimal = rate.parse().unwrap();
        let usd = Currency::known("USD").unwrap();
        let show =
            |due: &Due| format!("{}..{} {}", due.start, due.end, due.amount(rate, usd).unwrap().to_decimal());
        due(&stretch, date(target)).iter().map(show).collect()
    }

    const MONTHLY: (P, BillingMode) = (P::Monthly, BillingMode::InAdvance);
    const ANNUAL: (P, BillingMode) = (P::Annual, BillingMode::InAdvance);

    #[test]
    fn a_month_is_billed_when_it_begins() {
        let from_may = |target| items(MONTHLY, 1, ("2012-05-01", ""), target, "249.95");
        assert!(from_may("2012-04-30").is_empty());
        assert_eq!(from_may("2012-05-01"), ["2012-05-01..2012-06-01 249.95"]);
        assert_eq!(from_may("2012-05-31").len(), 1);
        assert_eq!(from_may("2012-06-01")[1], "2012-06-01..2012-07-01 249.95");
    }

    #[test]
    fn a_bill_cycle_day_that_a_month_has_not_is_its_last_day() {
        let whole = items(MONTHLY, 31, ("2017-01-31", ""), "2017-03-31", "10.00");
        assert_eq!(
            whole,
            ["2017-01-31..2017-02-28 10.00", "2017-02-28..2017-03-31 10.00", "2017-03-31..2017-04-30 10.00"]
        );
        let leap = items(MONTHLY, 30, ("2024-01-30", ""), "2024-02-29", "10.00");
        assert_eq!(leap, ["2024-01-30..2024-02-29 10.00", "2024-02-29..2024-03-30 10.00"]);
    }

    #[test]
    fn a_part_before_the_first_cycle_is_measured_by_the_cycle_that_ends_there() {
        assert_eq!(
            items(MONTHLY, 31, ("2012-03-02", ""), "2012-03-02", "599.95"),
            ["2012-03-02..2012-03-31 561.24"]
        );
        assert_eq!(
            items(MONTHLY, 31, ("2012-03-02", ""), "2012-03-02", "249.95"),
            ["2012-03-02..2012-03-31 233.82"]
        );
        assert_eq!(
            items(MONTHLY, 3, ("2012-03-02", ""), "2012-03-03", "599.95"),
            ["2012-03-02..2012-03-03 20.69", "2012-03-03..2012-04-03 599.95"]
        );
        assert_eq!(
            items(MONTHLY, 2, ("2012-04-05", ""), "2012-04-05", "249.95"),
            ["2012-04-05..2012-05-02 224.96"]
        );
        assert_eq!(
            items(MONTHLY, 31, ("2015-10-01", ""), "2015-10-01", "399.95"),
            ["2015-10-01..2015-10-31 387.05"]
        );
        assert_eq!(
            items(ANNUAL, 1, ("2012-05-11", ""), "2012-05-11", "2399.95"),
            ["2012-05-11..2013-05-01 2334.20"],
            "355 of 365 days"
        );
    }

    #[test]
    fn a_stretch_that_ends_before_its_first_cycle_is_measured_by_a_cycle_that_ends_with_it() {
        let short = items(MONTHLY, 1, ("2016-05-05", "2016-05-10"), "2016-05-05", "599.95");
        assert_eq!(short, ["2016-05-05..2016-05-10 99.99"], "5 of 30 days");
        assert_eq!(
            items(MONTHLY, 15, ("2016-05-01", "2016-05-15"), "2016-05-01", "249.95"),
            ["2016-05-01..2016-05-15 116.64"],
            "14 of 30 days"
        );
        assert!(items(MONTHLY, 1, ("2016-05-05", "2016-05-05"), "2016-06-05", "1").is_empty());
    }

    #[test]
    fn a_part_after_the_last_cycle_is_measured_by_the_cycle_that_begins_there() {
        let biennial = (P::Biennial, BillingMode::InAdvance);
        assert_eq!(
            items(biennial, 1, ("2021-12-01", "2024-12-01"), "2023-12-01", "40.00"),
            ["2021-12-01..2023-12-01 40.00", "2023-12-01..2024-12-01 20.03"],
            "366 of 731 days"
        );
        assert_eq!(
            items(MONTHLY, 1, ("2016-05-01", "2016-06-15"), "2016-06-01", "249.95"),
            ["2016-05-01..2016-06-01 249.95", "2016-06-01..2016-06-15 116.64"]
        );
    }

    #[test]
    fn periods_of_days_begin_when_the_stretch_does() {
        let weekly = (P::Weekly, BillingMode::InAdvance);
        assert_eq!(
            items(weekly, 17, ("2012-05-01", ""), "2012-05-08", "29.95"),
            ["2012-05-01..2012-05-08 29.95", "2012-05-08..2012-05-15 29.95"]
        );
        let thirty = (P::ThirtyDays, BillingMode::InAdvance);
        assert_eq!(
            items(thirty, 17, ("2012-05-01", ""), "2012-05-31", "29.95"),
            ["2012-05-01..2012-05-31 29.95", "2012-05-31..2012-06-30 29.95"]
        );
    }

    #[test]
    fn in_arrear_a_period_is_billed_when_it_has_ended() {
        let arrear = (P::Monthly, BillingMode::InArrear);
        let from_january = |end, target| items(arrear, 1, ("2024-01-01", end), target, "100");
        assert!(from_january("", "2024-01-31").is_empty());
        assert_eq!(from_january("", "2024-02-01"), ["2024-01-01..2024-02-01 100.00"]);
        assert_eq!(
            from_january("2024-01-16", "2024-01-16"),
            ["2024-01-01..2024-01-16 48.39"],
            "15 of 31 days"
        );
        assert!(from_january("2024-01-16", "2024-01-15").is_empty());
        assert_eq!(
            from_january("2024-02-16", "2024-02-20"),
            ["2024-01-01..2024-02-01 100.00", "2024-02-01..2024-02-16 51.72"],
            "15 of 29 days"
        );
    }

    #[test]
    fn nothing_is_due_without_a_period_or_where_the_calendar_ends() {
        assert!(
            items((P::None, BillingMode::InAdvance), 1, ("2024-01-01", ""), "2024-06-01", "1").is_empty()
        );
        assert!(items(ANNUAL, 31, ("9999-12-30", ""), "9999-12-31", "1").is_empty());
    }

    fn stretches() -> impl Strategy<Value = (Stretch, Date)> {
        let period = proptest::sample::select(
            P::ALL.iter().copied().filter(|period| *period != P::None).collect::<Vec<_>>(),
        );
        let mode = proptest::sample::select(vec![BillingMode::InAdvance, BillingMode::InArrear]);
        let start = 0..3000i64;
        (period, mode, start, proptest::option::of(1..900i64), 0..1200i64, 1..=31i8).prop_map(
            |(period, mode, start, length, target, cycle_day)| {
                let start = date("2020-01-01").checked_add(start.days()).unwrap();
                let end = length.map(|length| start.checked_add(length.days()).unwrap());
                let target = start.checked_add(target.days()).unwrap();
                (Stretch { start, end, period, mode, cycle_day }, target)
            },
        )
    }

    proptest! {
        /// What is due begins with the stretch, has neither gap nor overlap, and ends within it.
        #[test]
        fn no_day_is_due_twice_or_left_out((stretch, target) in stretches()) {
            let due = due(&stretch, target);
            prop_assert!(due.first().is_none_or(|first| first.start == stretch.start));
            for pair in due.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            for part in &due {
                prop_assert!(part.start < part.end && part.fraction > Decimal::ZERO);
                prop_assert!(stretch.end.is_none_or(|end| part.end <= end));
            }
            if stretch.mode == BillingMode::InAdvance {
                let billed = due.last().map_or(stretch.start, |last| last.end);
                prop_assert!(billed > target || Some(billed) == stretch.end, "all up to the target is billed");
            }
        }

        /// To bill in two steps is to bill in one: the first step's periods come again, but for one that was not whole.
        #[test]
        fn billing_later_adds_periods_and_changes_none((stretch, target) in stretches(), more in 0..200i64) {
            let open = Stretch { end: None, ..stretch };
            let earlier = due(&open, target);
            let later = due(&open, target.checked_add(more.days()).unwrap());
            prop_assert_eq!(&later[..earlier.len()], &earlier[..]);
        }
    }
}
