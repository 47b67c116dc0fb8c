//! Aliases of accounts and the times in which they hold.

use crate::Refusal;
use crate::text::check_text;
use crate::time::to_micros;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// Most aliases that an account has at a time, those still to come included.
pub const ALIAS_LIMIT: usize = 10;

/// Fewest and most characters of an alias.
pub const ALIAS_LENGTH: (usize, usize) = (3, 50);

/// A range of time: from an instant, or ever since, until just before another, or for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Validity {
    /// The first instant; since ever when absent.
    pub from: Option<Timestamp>,
    /// The first instant after it; for ever when absent.
    pub until: Option<Timestamp>,
}

impl Validity {
    /// The range as the book keeps it: both ends in whole microseconds.
    pub fn in_micros(self) -> Validity {
        Validity { from: self.from.map(to_micros), until: self.until.map(to_micros) }
    }

    /// Refuses a range that is over before it begins.
    pub fn check(self, field: &'static str) -> Result<(), Refusal> {
        match self {
            Validity { from: Some(from), until: Some(until) } if until <= from => {
                Err(Refusal::invalid(field, "must end after it begins"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the two have an instant in common.
    pub fn overlaps(self, other: Validity) -> bool {
        fn begins_before(one: Validity, end: Option<Timestamp>) -> bool {
            match (one.from, end) {
                (Some(from), Some(end)) => from < end,
                _ => true,
            }
        }
        begins_before(self, other.until) && begins_before(other, self.until)
    }

    /// What is left of it when it is cut off at `at`: it ends there at the latest. `None` when nothing is left.
    pub fn cut_off(self, at: Timestamp) -> Option<Validity> {
        if self.from.is_some_and(|from| from >= at) {
            return None;
        }
        Some(Validity { until: Some(self.until.map_or(at, |until| until.min(at))), ..self })
    }
}

/// A request to give an account an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlias {
    /// The alias.
    pub value: String,
    /// When it holds.
    pub validity: Validity,
}

impl NewAlias {
    /// An alias for a range of time, whose ends are taken in whole microseconds, as the book keeps them.
    pub fn new(value: String, validity: Validity) -> NewAlias {
        NewAlias { value, validity: validity.in_micros() }
    }

    /// Checks length and range.
    pub fn check(&self, field: &'static str) -> Result<(), Refusal> {
        check_text(field, &self.value, ALIAS_LENGTH.1, false)?;
        if self.value.chars().count() < ALIAS_LENGTH.0 || self.value.trim().is_empty() {
            return Err(Refusal::FieldTooShort { field, limit: ALIAS_LENGTH.0 });
        }
        self.validity.check(field)
    }
}

/// An alias of an account as the book holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alias {
    /// Its id.
    pub id: Uuid,
    /// The account it stands for.
    pub account_id: Uuid,
    /// The alias.
    pub value: String,
    /// When it holds.
    pub validity: Validity,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_ends_within_its_first_microsecond_is_refused() {
        let at = |nanos| Some(Timestamp::from_nanosecond(nanos).unwrap());
        let alias = |until| NewAlias::new("abc".into(), Validity { from: at(1_000), until: at(until) });
        assert!(alias(1_999).check("a").is_err());
        assert!(alias(2_000).check("a").is_ok());
    }

    fn range(from: i64, until: i64) -> Validity {
        let at = |second| Timestamp::from_second(second).unwrap();
        Validity { from: (from >= 0).then(|| at(from)), until: (until >= 0).then(|| at(until)) }
    }

    #[test]
    fn ranges_that_only_touch_do_not_overlap() {
        assert!(!range(1, 5).overlaps(range(5, 9)));
        assert!(!range(5, 9).overlaps(range(1, 5)));
        assert!(range(1, 6).overlaps(range(5, 9)));
        assert!(range(-1, 6).overlaps(range(5, -1)));
        assert!(range(-1, -1).overlaps(range(5, 6)));
        assert!(!range(-1, 5).overlaps(range(5, -1)));
        assert!(range(1, 9).overlaps(range(3, 4)));
    }

    #[test]
    fn a_range_ends_after_it_begins() {
        assert!(range(1, 2).check("r").is_ok());
        assert!(range(-1, 0).check("r").is_ok());
        assert!(range(2, 2).check("r").is_err());
        assert!(range(3, 2).check("r").is_err());
    }

    #[test]
    fn cutting_off_never_makes_a_range_longer() {
        let at = Timestamp::from_second(5).unwrap();
        assert_eq!(range(1, 9).cut_off(at), Some(range(1, 5)));
        assert_eq!(range(1, 3).cut_off(at), Some(range(1, 3)));
        assert_eq!(range(-1, -1).cut_off(at), Some(range(-1, 5)));
        assert_eq!(range(5, 9).cut_off(at), None);
    }

    #[test]
    fn aliases_have_three_to_fifty_characters() {
        let check = |value: &str| NewAlias { value: value.into(), validity: Validity::default() }.check("a");
        assert!(check("abc").is_ok());
        assert!(check(&"é".repeat(50)).is_ok());
        assert!(check("ab").is_err());
        assert!(check("    ").is_err());
        assert!(check(&"x".repeat(51)).is_err());
        assert!(check("a\0bc").is_err());
    }
}
