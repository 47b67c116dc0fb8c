//! Money: whole minor units of one currency. Never a float, never unchecked.

use crate::{Currency, Refusal};
use rust_decimal::{Decimal, RoundingStrategy};
use std::fmt;

/// An amount of one currency, in its minor units (cents, fils, satoshi).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// So many minor units of a currency.
    pub fn from_minor(minor: i64, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// Nothing, of a currency.
    pub fn zero(currency: Currency) -> Money {
        Money { minor: 0, currency }
    }

    /// The one place where an exact amount becomes money: half a minor unit and more rounds away from zero, as Kill
    /// Bill rounds (`HALF_UP`). Refuses an amount that does not fit.
    pub fn round(field: &'static str, exact: Decimal, currency: Currency) -> Result<Money, Refusal> {
        let digits = currency.minor_digits();
        let rounded = exact.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
        let shift = digits.saturating_sub(rounded.scale());
        let minor = 10i128
            .checked_pow(shift)
            .and_then(|factor| rounded.mantissa().checked_mul(factor))
            .and_then(|minor| i64::try_from(minor).ok())
            .ok_or_else(|| too_large(field))?;
        Ok(Money { minor, currency })
    }

    /// Reads a plain decimal such as `-12.50`: an optional sign, digits, at most as many decimals as the currency has
    /// (zeros after them are taken). Refuses what would have to be rounded.
    pub fn parse(field: &'static str, text: &str, currency: Currency) -> Result<Money, Refusal> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) {
            return Err(Refusal::invalid(field, "must be a decimal number such as 12.50"));
        }
        let digits = currency.minor_digits();
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > digits as usize {
            let code = currency.code();
            return Err(Refusal::invalid(field, format!("must have at most {digits} decimals in {code}")));
        }
        let mut minor: i64 = 0;
        let padding = std::iter::repeat_n(b'0', digits as usize - decimals.len());
        for byte in whole.bytes().chain(decimals.bytes()).chain(padding) {
            let digit = i64::from(byte - b'0');
            // Downwards, because the smallest number has no positive twin.
            minor = minor
                .checked_mul(10)
                .and_then(|minor| minor.checked_sub(digit))
                .ok_or_else(|| too_large(field))?;
        }
        if !text.starts_with('-') {
            minor = minor.checked_neg().ok_or_else(|| too_large(field))?;
        }
        Ok(Money { minor, currency })
    }

    /// In minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// Of which currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The exact decimal, with as many decimals as the currency has.
    pub fn to_decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(self.minor.into(), self.currency.minor_digits())
    }

    /// The sum. Refuses another currency, and a sum that does not fit.
    pub fn plus(self, other: Money) -> Result<Money, Refusal> {
        self.combine(other, i64::checked_add)
    }

    /// The difference. Refuses another currency, and a difference that does not fit.
    pub fn minus(self, other: Money) -> Result<Money, Refusal> {
        self.combine(other, i64::checked_sub)
    }

    /// The same amount the other way. Refuses the one amount that has no opposite.
    pub fn negated(self) -> Result<Money, Refusal> {
        let minor = self.minor.checked_neg().ok_or_else(|| too_large("amount"))?;
        Ok(Money { minor, ..self })
    }

    fn combine(self, other: Money, with: fn(i64, i64) -> Option<i64>) -> Result<Money, Refusal> {
        if self.currency != other.currency {
            return Err(Refusal::CurrencyDiffers {
                found: other.currency.code().to_owned(),
                expected: self.currency.code().to_owned(),
            });
        }
        let minor = with(self.minor, other.minor).ok_or_else(|| too_large("amount"))?;
        Ok(Money { minor, ..self })
    }
}

fn too_large(field: &'static str) -> Refusal {
    Refusal::invalid(field, "is too large an amount")
}

/// The plain decimal, such as `-0.05`: what goes into JSON as a number. The currency is not shown.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        Currency::known(code).unwrap()
    }

    fn rounded(exact: &str, code: &str) -> String {
        Money::round("amount", exact.parse().unwrap(), currency(code)).unwrap().to_string()
    }

    #[test]
    fn halves_round_away_from_zero() {
        for (exact, code, expected) in [
            ("0.005", "USD", "0.01"),
            ("-0.005", "USD", "-0.01"),
            ("0.0049999", "USD", "0.00"),
            ("2.675", "USD", "2.68"),
            ("1.5", "JPY", "2"),
            ("2.5", "JPY", "3"),
            ("-2.5", "JPY", "-3"),
            ("0.4", "JPY", "0"),
            ("1.0005", "KWD", "1.001"),
            ("1", "KWD", "1.000"),
            ("0.000000015", "BTC", "0.00000002"),
            ("92233720368.54775807", "BTC", "92233720368.54775807"),
        ] {
            assert_eq!(rounded(exact, code), expected, "{exact} {code}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let round = |exact: &str| Money::round("amount", exact.parse().unwrap(), currency("USD"));
        assert!(round("92233720368547758.07").is_ok());
        assert!(round("92233720368547758.075").is_err());
        assert!(round("79228162514264337593543950335").is_err());
        let parse = |text: &str| Money::parse("amount", text, currency("USD"));
        assert_eq!(parse("-92233720368547758.08").unwrap().minor(), i64::MIN);
        assert!(parse("92233720368547758.08").is_err());
        assert!(parse("-92233720368547758.09").is_err());
        assert!(Money::from_minor(i64::MIN, currency("USD")).negated().is_err());
        let most = Money::from_minor(i64::MAX, currency("USD"));
        assert!(most.plus(Money::from_minor(1, currency("USD"))).is_err());
    }

    #[test]
    fn only_plain_decimals_are_read() {
        let parse = |text: &str, code: &str| Money::parse("amount", text, currency(code)).map(Money::minor);
        assert_eq!(parse("12.5", "USD"), Ok(1250));
        assert_eq!(parse("12.500", "USD"), Ok(1250));
        assert_eq!(parse("0012", "JPY"), Ok(12));
        assert_eq!(parse("-0.001", "KWD"), Ok(-1));
        assert_eq!(parse("0.00000001", "BTC"), Ok(1));
        for (wrong, code) in [("12.501", "USD"), ("0.5", "JPY"), ("0.0005", "KWD"), ("0.000000001", "BTC")] {
            assert!(parse(wrong, code).is_err(), "{wrong} {code}");
        }
        for wrong in ["", "-", ".", "1.", ".5", "1e3", "+1", "1,5", " 1", "1.2.3", "--1", "NaN", "١"] {
            assert!(parse(wrong, "USD").is_err(), "{wrong}");
        }
    }

    #[test]
    fn currencies_do_not_mix() {
        let refused = Money::zero(currency("USD")).plus(Money::zero(currency("EUR")));
        assert_eq!(refused, Err(Refusal::CurrencyDiffers { found: "EUR".into(), expected: "USD".into() }));
    }

    fn any_currency() -> impl Strategy<Value = Currency> {
        prop::sample::select(vec!["JPY", "USD", "KWD", "BTC"]).prop_map(currency)
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(minor: i64, currency in any_currency()) {
            let money = Money::from_minor(minor, currency);
            prop_assert_eq!(Money::parse("amount", &money.to_string(), currency), Ok(money));
            prop_assert_eq!(Money::round("amount", money.to_decimal(), currency), Ok(money));
        }

        #[test]
        fn rounding_moves_by_half_a_unit_at_most(mantissa: i64, scale in 0u32..=12, currency in any_currency()) {
            let exact = Decimal::from_i128_with_scale(mantissa.into(), scale);
            if let Ok(money) = Money::round("amount", exact, currency) {
                let half = Decimal::from_i128_with_scale(5, currency.minor_digits() + 1);
                prop_assert!((money.to_decimal() - exact).abs() <= half);
                let opposite = Money::round("amount", -exact, currency).unwrap();
                prop_assert_eq!(opposite.minor(), -money.minor());
            }
        }

        #[test]
        fn taking_away_undoes_adding(one: i64, other: i64, currency in any_currency()) {
            let (one, other) = (Money::from_minor(one, currency), Money::from_minor(other, currency));
            if let Ok(sum) = one.plus(other) {
                prop_assert_eq!(sum.minus(other), Ok(one));
            }
        }
    }
}
