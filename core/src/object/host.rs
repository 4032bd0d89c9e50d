//! The interface of objects to their host: other objects, delivery of messages, and the fencing
//! token.
//!
//! A [`Context`](crate::Context) holds this interface weakly, so it does not keep the engine alive.

use std::any::Any;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::lease::{Claim, FencingToken};
use crate::object::body::{Request, Response};
use crate::object::caller::Caller;
use crate::router::At;
use crate::sockets::{Addressed, Place, SocketConnection};

/// Registers a waiting call until it is dropped.
pub(crate) type Calling = Box<dyn Any + Send>;

/// The host of objects.
#[async_trait]
pub(crate) trait Host: Send + Sync {
    /// The object `id` of `class`, which may be any name that the class has had.
    ///
    /// # Errors
    ///
    /// `Invalid` when the class or the id is invalid.
    fn object(&self, tenant: &Tenant, class: &str, id: &str) -> Result<ObjectId>;

    /// Checks that `object` can be served here.
    ///
    /// # Errors
    ///
    /// `NotFound` when its class is unknown, `Invalid` when its keys would be too long.
    fn check(&self, object: &ObjectId) -> Result<()>;

    /// Sends `request` to `object`, optionally as of `at`, and waits for the response.
    ///
    /// # Errors
    ///
    /// Errors of the object's handler or the store.
    async fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> Result<Response>;

    /// Runs the slice in the extensions of `request` in a turn of `object` in this process, and
    /// returns when its record is in the bucket.
    ///
    /// # Errors
    ///
    /// Those of [`Host::fetch`]; `Busy` when another process owns the object.
    async fn turn(&self, object: &ObjectId, request: Request) -> Result<()>;

    /// Waits until all changes of earlier requests to `object` in this process are in the bucket.
    ///
    /// # Errors
    ///
    /// The error of the record.
    async fn durable(&self, object: &ObjectId) -> Result<()>;

    /// Deletes `object` in this process, unless it has something. Whether it was deleted.
    ///
    /// # Errors
    ///
    /// `Busy` when another process owns it; those of the store.
    async fn delete_if_empty(&self, object: &ObjectId) -> Result<bool>;

    /// Registers that `handler`, which has the turn of `from`, waits for a response of `to`.
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

    /// Delivers the messages of `sender` in the background.
    fn deliver(&self, sender: &ObjectId);

    /// Brings an event of a socket to its object, and waits for the response.
    ///
    /// # Errors
    ///
    /// Those of [`Host::fetch`]; `Busy` when too many requests are under way.
    async fn event(&self, object: &ObjectId, request: Request) -> Result<Response>;

    /// Opens an event stream of `object` to `caller` in this process.
    ///
    /// # Errors
    ///
    /// `Busy` when there are too many connections.
    fn open_stream(
        &self,
        object: &ObjectId,
        caller: &Caller,
    ) -> Result<(SocketConnection, Place, Arc<dyn Clock>)>;

    /// Sends frames of `object`, whose records are in the bucket, to its connections.
    fn send_frames(&self, object: &ObjectId, frames: Vec<Addressed>);

    /// Finds out whether connections of `object` are still there.
    fn check_sockets(&self, object: &ObjectId, places: Vec<Place>);

    /// Tells `object`, in the background, that the connections of these sockets are gone.
    fn forget_sockets(&self, object: &ObjectId, sockets: Vec<Uuid>);

    /// Forgets what is noted about a connection that something else has held.
    async fn forget_connection(&self, socket: Uuid);

    /// Makes sure that this process holds `object`, whose handler is running, for the length of a
    /// lease. `foreign` is the live claim of another process.
    ///
    /// # Errors
    ///
    /// `Busy` when another process holds it, `Fenced` when another was faster.
    async fn acquire_token(
        &self,
        object: &ObjectId,
        foreign: Option<&Claim>,
    ) -> Result<FencingToken>;

    /// Makes sure that no other process writes to `object`, whose handler is running, between its
    /// turns; a lease does so already. `foreign` is the live claim of another process.
    ///
    /// # Errors
    ///
    /// Those of [`Host::acquire_token`].
    async fn keep_others_away(
        &self,
        object: &ObjectId,
        foreign: Option<&Claim>,
    ) -> Result<Option<FencingToken>>;

    /// The clock of this process, and what is closed when it takes no more requests.
    fn times(&self) -> (Arc<dyn Clock>, Arc<Semaphore>);

    /// Whether this process still holds what `token` has granted.
    ///
    /// # Errors
    ///
    /// `Fenced` when it does not.
    fn check_token(&self, object: &ObjectId, token: FencingToken) -> Result<()>;
}
