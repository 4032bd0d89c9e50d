//! Objects that stay in memory between their turns, for classes that keep what they are about to do
//! in their fields.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::lease::FencingToken;
use crate::object::context::Context;

/// Keeps an object in the memory of this process, with the value that its class has made, until this
/// is dropped or given to [`Context::end_stay`]. [`Context::stay`] has an example.
#[derive(Debug)]
pub struct Stay {
    _pin: Arc<()>,
    /// By which others are kept away, in a process that writes per request.
    token: Option<FencingToken>,
}

impl Context {
    /// Keeps this object in memory when its turn has ended: it is not let go because others need
    /// memory, nor because it does not exist yet. On functions, others can't write meanwhile: this
    /// process holds the object for a lease, and each of its records renews that. It costs a record
    /// there, unless the object is already held.
    ///
    /// It is a convenience and no promise: a crash, a failed record or another owner end the value
    /// all the same, and so does an error of a handler.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// async fn think(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     let stay = ctx.stay().await?;
    ///     // … in a later turn:
    ///     ctx.end_stay(stay)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` (code `READ_ONLY`) for a request on a former state. `Busy` when another process
    /// holds the object, `Fenced` when another one was faster; errors of the store.
    pub async fn stay(&mut self) -> Result<Stay> {
        if self.is_as_of {
            let text = "a request with X-DO-At is read-only; a former state does not stay";
            return Err(Error::new(ErrorKind::Invalid, text).with_code("READ_ONLY"));
        }
        let foreign = self.foreign_claim.as_ref();
        let token = self.host()?.keep_others_away(&self.object, foreign).await?;
        Ok(Stay { _pin: self.stays.pin.clone(), token })
    }

    /// Keeps this object in memory as if it existed, also before it has written anything: it is let go
    /// only when others need memory. By default a request that only reads leaves nothing behind, so the
    /// fields of an object that has stored nothing are lost with each request. What the class's start
    /// has changed is then recorded with the first request that succeeds, and makes the object exist.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// # use dotdo::{Context, DurableObject, Request, Response, Result};
    /// /// Counts requests in memory, and stores nothing.
    /// struct Limiter(u64);
    ///
    /// impl DurableObject for Limiter {
    ///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    ///         ctx.linger();
    ///         self.0 += 1;
    ///         Ok(Response::new(self.0.to_string().into()))
    ///     }
    /// }
    /// ```
    pub fn linger(&mut self) {
        self.stays.lingers = true;
    }

    /// Ends a stay. What keeps others away ends with this request's record.
    ///
    /// # Errors
    ///
    /// `Busy` when the server stops.
    pub fn end_stay(&mut self, stay: Stay) -> Result<()> {
        let host = self.host()?;
        // A token that has expired keeps nobody away.
        if stay.token.is_some_and(|token| host.check_token(&self.object, token).is_ok()) {
            self.request.releases = true;
        }
        Ok(())
    }
}
