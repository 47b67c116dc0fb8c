//! Currencies and how many decimals their amounts have.

use crate::Refusal;
use std::fmt;
use std::str::FromStr;

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

/// The currency that an account without one takes when it is subscribed for the first time: the currency of its country
/// if the tenant supports it, else [`FALL_BACK_CURRENCY`]. Of a country with several the first supported one counts.
pub fn first_currency(country: Option<&str>, supported: &[Currency]) -> Currency {
    let of_country = country.and_then(|code| iso_currency::Country::from_str(code).ok());
    of_country
        .into_iter()
        .flat_map(iso_currency::Currency::from_country)
        .find_map(|iso| supported.iter().copied().find(|currency| currency.code == iso.code()))
        .unwrap_or(FALL_BACK_CURRENCY)
}

/// The currency of accounts whose country's currency the tenant does not support.
pub const FALL_BACK_CURRENCY: Currency = Currency { code: "USD", minor_digits: 2 };

/// The currencies that a setting names: codes between commas, spaces or line breaks, such as `USD, AUD`.
pub fn parse_currencies(setting: &str) -> Result<Vec<Currency>, Refusal> {
    setting
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|code| !code.is_empty())
        .map(|code| Currency::parse("currencies", code))
        .collect()
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

    #[test]
    fn the_first_currency_is_the_countrys_if_supported() {
        let supported = parse_currencies("AUD, EUR\nUSD").unwrap();
        let first = |country| first_currency(country, &supported).code();
        assert_eq!(first(Some("AU")), "AUD");
        assert_eq!(first(Some("DE")), "EUR");
        assert_eq!(first(Some("US")), "USD");
        assert_eq!(first(Some("JP")), "USD", "yen are not supported");
        assert_eq!(first(Some("Utopia")), "USD");
        assert_eq!(first(None), "USD");
        assert_eq!(first_currency(Some("AU"), &[]).code(), "USD");
    }

    #[test]
    fn of_several_currencies_of_a_country_a_supported_one_is_taken() {
        let euro = parse_currencies("EUR").unwrap();
        assert_eq!(first_currency(Some("HR"), &euro).code(), "EUR");
        let dollar = parse_currencies("USD").unwrap();
        assert_eq!(first_currency(Some("IO"), &dollar).code(), "USD");
    }

    #[test]
    fn a_setting_with_an_unknown_code_is_refused() {
        assert!(parse_currencies("USD,BANANA").is_err());
        assert_eq!(parse_currencies(" , ").unwrap(), []);
    }
}
