//! One-time codes of an authenticator (TOTP, RFC 6238: SHA-1, 30 seconds, 6 digits).

use jiff::Timestamp;
use ring::hmac;
use subtle::ConstantTimeEq;

/// How long a code counts.
const STEP_SECONDS: i64 = 30;

/// How many steps a clock may be off, either way.
const LEEWAY: i64 = 1;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret of 160 random bits, in base 32.
pub fn new_secret() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// The address with which an authenticator learns the secret.
pub fn provisioning_uri(secret: &str, site: &str, username: &str) -> String {
    let (site, username) = (escape(site), escape(username));
    format!("otpauth://totp/{site}:{username}?secret={secret}&issuer={site}")
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The step of time whose code this is, if it is one of those that count at `now`.
pub fn step_of(secret: &str, code: &str, now: Timestamp) -> Option<i64> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &decode(secret)?);
    let current = now.as_second().div_euclid(STEP_SECONDS);
    let matches = |step: &i64| bool::from(code_of(&key, *step).as_bytes().ct_eq(code.trim().as_bytes()));
    (current - LEEWAY..=current + LEEWAY).find(matches)
}

fn code_of(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or_default() & 15);
    let number =
        bytes.iter().skip(offset).take(4).fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// Base 32 without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == character)?;
        bits = (bits << 5) | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "12345678901234567890", the secret of RFC 6238's examples.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_are_those_of_the_standard() {
        assert_eq!(decode(SECRET).unwrap(), b"12345678901234567890");
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(SECRET, code, now), Some(second / 30), "{second}");
        }
    }

    #[test]
    fn a_code_counts_for_its_step_and_those_beside_it() {
        let at = |second| step_of(SECRET, "287082", Timestamp::from_second(second).unwrap());
        assert_eq!((at(29), at(30), at(89), at(90)), (Some(1), Some(1), Some(1), None));
        assert_eq!(step_of(SECRET, "", Timestamp::from_second(59).unwrap()), None);
        assert_eq!(step_of("not base 32", "287082", Timestamp::from_second(59).unwrap()), None);
    }

    #[test]
    fn secrets_are_new_each_time() {
        assert_ne!(new_secret(), new_secret());
        assert_eq!(decode(&new_secret()).unwrap().len(), 20);
        let uri = provisioning_uri(SECRET, "A & B", "xia");
        assert!(uri.starts_with("otpauth://totp/A%20%26%20B:xia?secret=GEZ"), "{uri}");
    }
}
