//! Times of RFC 3339 in answers.

use dotdo_core::millis;
use jiff::Timestamp;

/// `time_ms` (milliseconds since 1970) in whole seconds, rounded down: keys and tokens must not
/// seem to live longer than they do.
pub(super) fn text(time_ms: i64) -> String {
    millis::text(time_ms - time_ms.rem_euclid(1000))
}

/// The milliseconds since 1970 of a time; `None` for anything else.
pub(super) fn parse_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_whole_seconds_and_read_back() {
        assert_eq!(text(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(parse_ms("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
        assert_eq!(parse_ms("2023-11-14T23:13:20.5+01:00"), Some(1_700_000_000_500));
        assert_eq!(parse_ms("tomorrow"), None);
    }
}
