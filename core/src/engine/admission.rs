//! Which requests may reach an object.

use std::time::Duration;

use super::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::idempotency::prepare;
use crate::messages::Delivery;
use crate::object::{Caller, Request};

impl Inner {
    /// Checks that `request` may reach `object`, and prepares it for its turn.
    ///
    /// # Errors
    ///
    /// `Busy` when the engine shuts down; `Forbidden` for a caller or a sender of another tenant;
    /// those of [`prepare`].
    pub(super) async fn admit(&self, object: &ObjectId, request: Request) -> Result<Request> {
        if self.stopping.is_closed() {
            return Err(stopping());
        }
        let extensions = request.extensions();
        if let Some(caller) = extensions.get::<Caller>() {
            caller.check_reach(object)?;
        }
        let delivery = extensions.get::<Delivery>();
        check_senders(object, delivery.into_iter().map(|delivery| &delivery.sender))?;
        prepare(self.runtime(), object, request).await
    }
}

/// Objects send requests and messages within their tenant only.
pub(super) fn check_senders<'a>(
    object: &ObjectId,
    mut senders: impl Iterator<Item = &'a ObjectId>,
) -> Result<()> {
    if senders.all(|sender| sender.tenant() == object.tenant()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Forbidden, "an object of another tenant sent this request")
        .with_code("WRONG_TENANT"))
}

/// The error of whoever comes while the engine shuts down.
pub(super) fn stopping() -> Error {
    Error::new(ErrorKind::Busy, "the server is stopping").with_retry_after(Duration::from_secs(1))
}
