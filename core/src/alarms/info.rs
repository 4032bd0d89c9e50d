//! What a handler is told about its alarm.

/// What [`DurableObject::alarm`](crate::DurableObject::alarm) is told about the alarm that it runs
/// for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlarmInfo {
    /// The time that was set, in milliseconds since 1970.
    pub scheduled_ms: i64,
    /// How often the handler has failed for this alarm. A server that crashed in between is not
    /// counted, so a handler may also run again with the same number.
    pub retry_count: u32,
}

impl AlarmInfo {
    /// What a handler is told about an alarm that was set for this time and has failed so often; for
    /// tests of handlers.
    pub fn new(scheduled_ms: i64, retry_count: u32) -> Self {
        Self { scheduled_ms, retry_count }
    }

    /// Whether the handler has failed for this alarm before.
    pub fn is_retry(&self) -> bool {
        self.retry_count > 0
    }
}
