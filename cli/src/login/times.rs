//! Times of the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// A time as RFC 3339, such as `2026-01-31T12:00:00Z`.
pub(super) fn written(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|at| Timestamp::from_second(at).ok());
    time.unwrap_or(Timestamp::MAX).to_string()
}

/// How far away a time is, in the largest unit that fits, such as `in 5 min` or `2 h ago`.
pub(super) fn away(seconds: u64, now: u64) -> String {
    let span = |seconds: u64| match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    if seconds >= now {
        format!("in {}", span(seconds - now))
    } else {
        format!("{} ago", span(now - seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_programs_and_for_people() {
        assert_eq!(written(1_769_860_800), "2026-01-31T12:00:00Z");
        assert_eq!(written(u64::MAX), Timestamp::MAX.to_string());
        assert_eq!(away(100, 41), "in 59 s");
        assert_eq!(away(700, 100), "in 10 min");
        assert_eq!(away(0, 7200), "2 h ago");
        assert_eq!(away(90 * 86_400, 0), "in 90 days");
    }
}
