//! What the edge needs of whoever answers for the objects.

use std::future::Future;
use std::time::Duration;

use dotdo_core::{Account, At, Journey, ObjectId, Received, Request, Response, Result};

/// Whoever answers for the objects: the engine, or a test's stand-in.
pub(crate) trait Objects: Send + Sync + 'static {
    /// Answers a request to an object, at a version when one is asked for.
    fn fetch(
        &self,
        object: &ObjectId,
        at: Option<At>,
        request: Request,
    ) -> impl Future<Output = Result<Response>> + Send;

    /// Answers a request that another server has sent here.
    fn receive(
        &self,
        object: &ObjectId,
        journey: Journey,
        request: Request,
    ) -> impl Future<Output = Received> + Send;

    /// Whether a request that another server offers should be sent.
    fn admits(&self, object: &ObjectId) -> impl Future<Output = bool> + Send;

    /// What pays for the memory that a request to `object` takes; `None` where nobody counts it.
    fn account(&self, _object: &ObjectId) -> Option<Account> {
        None
    }

    /// Whether the store can be used.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send;

    /// Completes when nothing is under way that answered requests have left behind.
    fn settle(&self) -> impl Future<Output = ()> + Send;

    /// Finishes what runs, keeps what must be kept, and lets go of the objects, within `deadline`.
    fn shutdown(&self, deadline: Duration) -> impl Future<Output = ()> + Send;
}
