//! Where instants and local dates meet: a local date exists only together with a time zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

/// The time zone with this name: an IANA name in its own letter case, `UTC`, or a fixed offset `±HH:MM`.
pub fn zone(name: &str) -> Option<TimeZone> {
    if let Some(offset) = fixed_offset(name) {
        return Some(TimeZone::fixed(offset));
    }
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name))
}

fn fixed_offset(name: &str) -> Option<Offset> {
    let (sign, rest) = match name.as_bytes().first()? {
        b'+' => (1, &name[1..]),
        b'-' => (-1, &name[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let are_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(hours) || !are_digits(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The instant as the book keeps it: whole microseconds, the rest cut off. What is audited must be what is stored.
pub fn to_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// An ISO 8601 date-time; without a zone it is UTC, and a bare date is its midnight.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(utc))
        .or_else(|_| text.parse::<Date>().and_then(|date| utc(date.at(0, 0, 0, 0))))
        .ok()
}

/// The day that `at` falls on in `zone`.
pub fn local_date(at: Timestamp, zone: &TimeZone) -> Date {
    Zoned::new(at, zone.clone()).date()
}

/// The instant of `date` in `zone`, at the time of day that `reference` has there. A time that a clock change skips
/// moves on by the gap; of one that comes twice the first counts.
pub fn instant_on(date: Date, reference: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let time = Zoned::new(reference, zone.clone()).time();
    date.to_datetime(time).to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_depends_on_where_one_stands() {
        let at: Timestamp = "2024-02-29T10:30:00Z".parse().unwrap();
        let day = |name| local_date(at, &zone(name).unwrap()).to_string();
        assert_eq!(day("Pacific/Kiritimati"), "2024-03-01");
        assert_eq!(day("Pacific/Honolulu"), "2024-02-29");
        assert_eq!(day("+14:00"), "2024-03-01");
        assert_eq!(day("UTC"), "2024-02-29");
    }

    #[test]
    fn dates_take_the_reference_time_of_day() {
        let reference: Timestamp = "2024-01-01T17:30:00Z".parse().unwrap();
        let zone = zone("America/New_York").unwrap();
        let instant = instant_on(jiff::civil::date(2024, 7, 1), reference, &zone).unwrap();
        assert_eq!(instant.to_string(), "2024-07-01T16:30:00Z");
    }

    #[test]
    fn unknown_zones_are_none() {
        for name in [
            "",
            "Mars/Base",
            "america/new_york",
            "+25:00",
            "+1:00",
            "8",
            "+-5:00",
            "-+5:00",
            "+05:+3",
            "+05:-3",
        ] {
            assert!(zone(name).is_none(), "{name}");
        }
    }
}
