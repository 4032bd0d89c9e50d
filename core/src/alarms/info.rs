//! What a handler is told about its alarm.

/// What [`DurableObject::alarm`](crate::DurableObject::alarm) is told about the alarm that it runs
/// for.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{AlarmInfo, Context, DurableObject, Result};
/// # use dotdo::{Request, Response};
///
/// # struct Invoice;
/// # async fn charge() -> Result<()> { Ok(()) }
/// impl DurableObject for Invoice {
/// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
/// #         Ok(Response::default())
/// #     }
///     async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
///         if info.retry_count > 10 {
///             return ctx.storage().put("state", "unpaid");
///         }
///         charge().await?;
///         ctx.storage().put("state", "paid")
///     }
/// }
/// ```
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
