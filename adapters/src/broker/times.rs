//! Times of RFC 3339 in answers.

use dotdo_core::millis;

/// `time_ms` (milliseconds since 1970) in whole seconds, rounded down: keys and tokens must not
/// seem to live longer than they do.
pub(super) fn text(time_ms: i64) -> String {
    millis::text(time_ms - time_ms.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_whole_seconds() {
        assert_eq!(text(1_700_000_000_999), "2023-11-14T22:13:20Z");
    }
}
