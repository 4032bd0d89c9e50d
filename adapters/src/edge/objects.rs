//! The interface of the edge to objects.

use std::future::Future;
use std::time::Duration;

use dotdo_core::{
    Account, At, Engine, Error, ObjectId, Received, Request, RequestContext, Response, Result,
    Tenant,
};

/// How far the end of a tenant has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is closed; what it has can be deleted after this time.
    Closed { wait: Duration },
    /// What it had is deleted: so many keys of the bucket by this request.
    Deleted { keys: u64 },
}

/// Objects behind the edge: the engine, or a substitute in tests.
pub(crate) trait Objects: Send + Sync + 'static {
    /// Answers a request to an object, optionally as of an earlier version.
    fn fetch(
        &self,
        object: &ObjectId,
        at: Option<At>,
        request: Request,
    ) -> impl Future<Output = Result<Response>> + Send;

    /// Answers a request that another server forwarded.
    fn receive(
        &self,
        object: &ObjectId,
        request_context: RequestContext,
        request: Request,
    ) -> impl Future<Output = Received> + Send;

    /// Whether another server should forward a request that it announces.
    fn admits(&self, object: &ObjectId) -> impl Future<Output = bool> + Send;

    /// The account that is charged for a request to `object`; `None` if memory is not counted.
    fn account(&self, _object: &ObjectId) -> Option<Account> {
        None
    }

    /// The engine, for administration; `None` if there is none.
    fn engine(&self) -> Option<&Engine> {
        None
    }

    /// Closes a tenant and, if that was long enough ago, deletes what it has.
    fn delete_tenant(&self, _tenant: &Tenant) -> impl Future<Output = Result<Ending>> + Send {
        let error = Error::not_found("this server keeps no tenants").with_code("NO_ENDPOINT");
        std::future::ready(Err(error))
    }

    /// Runs the alarms that are due and delivers the messages that wait, and completes when that is
    /// done.
    fn tick(&self) -> impl Future<Output = Result<()>> + Send {
        let error = Error::not_found("this server has no objects").with_code("NO_ENDPOINT");
        std::future::ready(Err(error))
    }

    /// Whether the store can be used.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send;

    /// Completes when the background work of answered requests is done.
    #[cfg_attr(
        not(any(feature = "lambda", feature = "vercel")),
        expect(dead_code, reason = "only functions are frozen after a request")
    )]
    fn finish_background(&self) -> impl Future<Output = ()> + Send;

    /// Finishes requests, writes snapshots and releases objects, within `deadline`.
    fn shutdown(&self, deadline: Duration) -> impl Future<Output = ()> + Send;
}
