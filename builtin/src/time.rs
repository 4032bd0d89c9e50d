//! Times in stored and returned form: RFC 3339, UTC, milliseconds, with constant length.

use dotdo::{Error, Result};
use jiff::Timestamp;

/// The time `ms` milliseconds after 1970-01-01.
///
/// # Errors
///
/// `Invalid` before the year 0 and after 9999.
pub(super) fn from_ms(ms: i64) -> Result<String> {
    let time = Timestamp::from_millisecond(ms).ok().map(|time| format!("{time:.3}"));
    time.filter(|text| text.len() == "0000-00-00T00:00:00.000Z".len()).ok_or_else(|| {
        Error::invalid(format!("expected a time in the years 0 to 9999, got {ms} ms"))
    })
}

/// Parses `text` as RFC 3339 or milliseconds since 1970.
///
/// # Errors
///
/// `Invalid` for anything else.
pub(super) fn parse(text: &str) -> Result<String> {
    if let Ok(ms) = text.parse() {
        return from_ms(ms);
    }
    let time: Timestamp = text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        Error::invalid(format!("expected a time in RFC 3339, such as 2026-01-31T12:00:00Z, or in milliseconds since 1970, got {shown:?}"))
    })?;
    from_ms(time.as_millisecond())
}

/// The milliseconds from one stored time to another.
pub(super) fn between_ms(from: &str, to: &str) -> Option<i64> {
    let ms = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    Some(ms(to)? - ms(from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_time_is_stored_the_same_way() {
        for text in ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00.000+01:00", "1769860800000"] {
            assert_eq!(parse(text).expect("a time"), "2026-01-31T12:00:00.000Z");
        }
    }

    #[test]
    fn text_order_is_time_order() {
        let times = [-1, 0, 999, 1000, 1_769_860_800_000].map(|ms| from_ms(ms).expect("a time"));
        assert!(times.is_sorted(), "{times:?}");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2026-01-31", "9999999999999999", "-99999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
