//! Durations as the milliseconds that are kept and sent. What does not fit is the largest that
//! does: hundreds of millions of years.

use std::time::Duration;

/// A duration in milliseconds.
pub(crate) fn of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds, to be added to a date or taken from it.
pub(crate) fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The time from one date to a later one; nothing, when it is not later.
pub(crate) fn between(from_ms: i64, to_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0))
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
}
