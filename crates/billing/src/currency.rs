//! Currencies and how many decimals their amounts have.

use crate::Refusal;
use std::fmt;

/// A currency in which accounts are kept: those of ISO 4217 that have minor units, and those that Kill Bill knows
/// beside them (withdrawn and non-ISO codes).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: &'static str,
    minor_digits: u8,
}

/// Codes of Kill Bill's list that ISO 4217 does not have, or no longer has, with their decimals.
const BESIDE_ISO: &[(&str, u8)] = &[
    ("BTC", 8),
    ("BYR", 0),
    ("CUC", 2),
    ("GGP", 2),
    ("HRK", 2),
    ("IMP", 2),
    ("JEP", 2),
    ("LTL", 2),
    ("LVL", 2),
    ("MRO", 2),
    ("SLL", 2),
    ("SPL", 2),
    ("STD", 2),
    ("TVD", 2),
    ("VEF", 2),
    ("XDR", 2),
    ("ZWD", 2),
];

impl Currency {
    /// The currency with this three-letter code, upper case.
    pub fn parse(field: &'static str, code: &str) -> Result<Currency, Refusal> {
        Currency::known(code).ok_or_else(|| {
            Refusal::invalid(field, format!("must be a currency code of ISO 4217, not {code}"))
        })
    }

    /// The currency with this code, if there is one.
    pub fn known(code: &str) -> Option<Currency> {
        if let Some((code, digits)) = BESIDE_ISO.iter().find(|(known, _)| *known == code) {
            return Some(Currency { code, minor_digits: *digits });
        }
        let iso = iso_currency::Currency::from_code(code)?;
        let minor_digits = u8::try_from(iso.exponent()?).ok()?;
        Some(Currency { code: iso.code(), minor_digits })
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Decimals of an amount: JPY 0, USD 2, KWD 3, BTC 8.
    pub fn minor_digits(self) -> u32 {
        self.minor_digits.into()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        let digits = |code| Currency::known(code).map(Currency::minor_digits);
        assert_eq!(digits("JPY"), Some(0));
        assert_eq!(digits("USD"), Some(2));
        assert_eq!(digits("KWD"), Some(3));
        assert_eq!(digits("BTC"), Some(8));
        assert_eq!(digits("usd"), None);
        assert_eq!(digits("XXX"), None);
        assert_eq!(digits("BANANA"), None);
    }
}
