//! Durations and dates as the milliseconds that are stored and sent, for this crate and the
//! adapters. What does not fit becomes the largest number that does: hundreds of millions of years.

use std::time::Duration;

/// A duration in milliseconds.
pub fn of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds, to be added to a date or taken from it.
pub fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The time from one date to a later one; zero when it is not later.
pub fn between(from_ms: i64, to_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0))
}

/// A date as RFC 3339 text, in UTC; empty when the year has more than four digits.
pub fn text(date_ms: i64) -> String {
    let date = jiff::Timestamp::from_millisecond(date_ms);
    date.map(|date| date.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_the_largest_that_does() {
        assert_eq!(of(Duration::from_millis(1500)), 1500);
        assert_eq!((of(Duration::MAX), signed(Duration::MAX)), (u64::MAX, i64::MAX));
        assert_eq!(between(1000, 1500), Duration::from_millis(500));
        assert_eq!(between(1500, 1000), Duration::ZERO);
        assert_eq!(between(i64::MIN, i64::MAX), Duration::from_millis(i64::MAX.cast_unsigned()));
    }

    #[test]
    fn a_date_is_text_in_utc() {
        assert_eq!(text(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(text(i64::MAX), "");
    }
}
