//! What objects need of the program that they live in: other objects, the delivery of their
//! messages, and the fencing token.
//!
//! A [`Context`](crate::Context) holds this port and does not keep alive what is behind it.

use std::any::Any;
use std::sync::Weak;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::ObjectId;
use crate::lease::{Claim, FencingToken};
use crate::object::body::{Request, Response};
use crate::router::At;

/// Says that a call waits for its answer, for as long as it lives.
pub(crate) type Calling = Box<dyn Any + Send>;

/// The program around the objects.
#[async_trait]
pub(crate) trait Host: Send + Sync {
    /// Whether `object` is one that can be served here.
    ///
    /// # Errors
    ///
    /// `NotFound` when its class is unknown, `Invalid` when its keys would be too long.
    fn check(&self, object: &ObjectId) -> Result<()>;

    /// Sends `request` to `object`, or to what it was `at` some time, and waits for the response.
    ///
    /// # Errors
    ///
    /// What the object's handler or the store fails with.
    async fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> Result<Response>;

    /// Waits until everything is in the bucket that earlier requests to `object` have changed in
    /// this process.
    ///
    /// # Errors
    ///
    /// What the record failed with.
    async fn durable(&self, object: &ObjectId) -> Result<()>;

    /// Notes that `handler`, which has the turn of `from`, waits for an answer of `to`.
    ///
    /// # Errors
    ///
    /// `Busy` when `to` waits for `from`.
    fn begin_call(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        handler: Weak<dyn Any + Send + Sync>,
    ) -> Result<Calling>;

    /// Delivers the messages of `sender`, behind whatever goes on.
    fn deliver(&self, sender: &ObjectId);

    /// Makes sure that this process holds `object`, whose handler is running, for the length of a
    /// lease. `elsewhere` is the live claim of another process.
    ///
    /// # Errors
    ///
    /// `Busy` when another process holds it, `Fenced` when another was faster.
    async fn acquire_token(
        &self,
        object: &ObjectId,
        elsewhere: Option<&Claim>,
    ) -> Result<FencingToken>;

    /// Whether this process still holds what `token` has granted.
    ///
    /// # Errors
    ///
    /// `Fenced` when it does not.
    fn check_token(&self, object: &ObjectId, token: FencingToken) -> Result<()>;
}
