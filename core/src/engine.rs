//! Takes a request from an object's name to a durable response.

mod admission;
mod sockets;

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::admission::{check_senders, stopping};
use crate::activation::{
    Activations, Components, Runtime, Turn, fetch_as_of, shut_down, start_maintenance,
};
use crate::administration::Administration;
use crate::alarms::start_alarms;
use crate::budget::{Account, Budget, Use};
use crate::clock::Clock;
use crate::cluster::{
    Holding, Listen, Listener, OwnershipChange, Received, RequestContext, Routing,
};
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::inspection::Inspection;
use crate::lease::{Claim, FencingToken};
use crate::messages::{look_once, start_scanning};
use crate::object::{App, Caller, Calling, Host, Request, Response};
use crate::rollup::start_draining;
use crate::router::At;
use crate::settings::{Settings, Upkeep};
use crate::sockets::{
    Addressed, Handshake, Place as SocketPlace, SocketClose, SocketConnection, SocketPart, forget,
    send, sweep,
};

/// Serves the objects of all tenants that it is asked for. Clones are the same engine.
/// [`Components`] has an example.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    activations: Arc<Activations>,
    /// Closed when the engine takes no more requests.
    stopping: Arc<Semaphore>,
}

impl Engine {
    /// Starts an engine, after a probe of the store. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// `StoreRefused` when the store lacks properties that correctness depends on; `Unavailable`
    /// when it can't be reached; `Invalid` for contradictory settings.
    pub async fn start(app: App, settings: Settings, components: Components) -> Result<Self> {
        settings.check().and_then(|()| app.check_names())?;
        let clock = components.clock.clone();
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let runtime = Runtime::new(app, settings, components, inner.clone());
            let activations = Arc::new(Activations::new(Arc::new(runtime)));
            Inner { activations, stopping: Arc::new(Semaphore::new(0)) }
        });
        inner.runtime().tenants.probe().await?;
        start_maintenance(Arc::downgrade(&inner.activations), clock.clone());
        if inner.runtime().settings.upkeep == Upkeep::Full {
            start_alarms(Arc::downgrade(&inner.activations), clock.clone());
            start_scanning(Arc::downgrade(&inner.activations), clock.clone());
            start_draining(&inner.activations, clock);
        }
        if let Some(directory) = &inner.runtime().directory {
            let listener: Weak<Inner> = Arc::downgrade(&inner);
            directory.listen(Listener::new(listener));
        }
        Ok(Self { inner })
    }

    /// What can be read of objects without their classes.
    pub fn inspection(&self) -> Inspection {
        Inspection::new(Arc::clone(&self.inner.activations))
    }

    /// Answers a request to `object`: waits for its turn, runs the handler in a transaction, and
    /// returns the response once everything that it changed or could have read is in the bucket.
    /// `at` runs it on an earlier state, which is read-only.
    ///
    /// The caller is the [`Caller`] in the request's extensions, otherwise an anonymous one of the
    /// object's tenant.
    ///
    /// # Errors
    ///
    /// The handler's error, and the kinds of [`ErrorKind`](crate::ErrorKind) about the store, the
    /// owner and the limits. Except for `Unknown`, an error means that the request was rolled back;
    /// `Forbidden` that the [`Caller`] in its extensions is of another tenant than the object.
    pub async fn fetch(
        &self,
        object: &ObjectId,
        at: Option<At>,
        request: Request,
    ) -> Result<Response> {
        let object = &*self.runtime().app.names().object(object);
        let _place = self.runtime().place_of_request(object).await?;
        self.inner.fetch(object, at, request).await
    }

    /// What can be done with objects besides sending them requests.
    pub fn administration(&self) -> Administration<'_> {
        Administration::of(self)
    }

    /// Answers a request that another server forwarded here because it believes that this one owns
    /// `object`.
    pub async fn receive(
        &self,
        object: &ObjectId,
        request_context: RequestContext,
        request: Request,
    ) -> Received {
        if let Some(part) = request_context.socket.clone().filter(SocketPart::is_for_the_server) {
            return self.inner.receive_frames(object, part, request).await;
        }
        if self.is_stopping() {
            return Received::NotOwner;
        }
        let senders = request_context.delivery.iter().map(|delivery| &delivery.sender);
        if let Err(error) = check_senders(object, senders.chain(&request_context.chain)) {
            return Received::Answered(Err(error));
        }
        let _account = request.extensions().get::<Account>().cloned();
        let _place = match self.runtime().place_of_request(object).await {
            Ok(place) => place,
            Err(error) => return Received::Answered(Err(error)),
        };
        let mut routing =
            match Routing::received(self.runtime(), object, request_context, request).await {
                Ok(routing) => routing,
                Err(error) => return Received::Answered(Err(error)),
            };
        let answer = match self.activations().get(object) {
            Ok(activation) => activation.serve(&mut routing).await,
            Err(error) => Err(error),
        };
        if routing.is_declined() {
            return Received::NotOwner;
        }
        Received::Answered(answer.map(sockets::for_peer))
    }

    /// Whether another server should forward a request for `object`: this process owns the object,
    /// or takes it over now.
    pub async fn admits(&self, object: &ObjectId) -> bool {
        let Ok(activation) = self.activations().get(object) else { return true };
        !self.is_stopping() && Turn::may_take(&activation).await
    }

    /// An account for a request to `object`, with nothing charged yet. It is put into the request's
    /// extensions.
    pub fn account(&self, object: &ObjectId) -> Account {
        Account::new(self.runtime().budget.count(Use::Requests, object, 0))
    }

    /// The memory budget of this process.
    pub fn budget(&self) -> &Budget {
        &self.runtime().budget
    }

    /// Checks that the store responds.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the store does not respond.
    pub async fn ready(&self) -> Result<()> {
        self.runtime().tenants.ready().await
    }

    /// Closes `tenant`: its requests are answered with `Gone`, its messages are not delivered, and
    /// nothing is written for it any more. Other servers follow within two minutes. A closed tenant
    /// stays closed.
    ///
    /// # Errors
    ///
    /// `Invalid` for [`Tenant::local`]; those of the store.
    pub async fn close_tenant(&self, tenant: &Tenant) -> Result<()> {
        self.runtime().tenants.close(tenant).await?;
        let close = SocketClose::new(1008, "the tenant is closed");
        self.runtime().sockets.end_all_of_tenant(tenant, &close);
        Ok(())
    }

    /// Deletes all that a closed tenant has in the bucket, except for the key that closes it.
    /// Returns how many keys were deleted. It may be called again, after an error and after it has
    /// ended early.
    ///
    /// # Errors
    ///
    /// `Conflict` (code `TENANT_OPEN`) when the tenant is not closed; `Busy` (code
    /// `TENANT_CLOSING`) until everybody knows that it is and no request of before is on its way;
    /// those of the store.
    pub async fn delete_tenant(&self, tenant: &Tenant) -> Result<u64> {
        self.runtime().tenants.delete(tenant).await
    }

    /// Completes when the background work of answered requests is done: snapshots, work in
    /// [`Context::wait_until`](crate::Context::wait_until), and deliveries of messages, except for
    /// failed deliveries that wait for a retry. Platforms that freeze a process between requests
    /// wait for this first. Otherwise nothing is lost either: the log has all messages, and other
    /// processes find undelivered ones.
    pub async fn finish_background(&self) {
        let (background, deliveries) = (&self.runtime().background, &self.runtime().deliveries);
        while !(background.is_idle() && deliveries.is_idle()) {
            background.idle().await;
            deliveries.idle().await;
        }
    }

    /// Runs every alarm that is due, delivers every message and rolls up every change that waits, of
    /// all tenants, whichever server has left it, and completes when that is done. Objects that another
    /// process owns are left to it. Programs that run all the time do this by themselves; on platforms
    /// that freeze them between requests, a timer of the platform calls it.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the store can't be listed; `Busy` when the engine shuts down.
    pub async fn tick(&self) -> Result<()> {
        self.check_running()?;
        let outcome = look_once(&self.inner.activations).await;
        let swept = sweep(&self.inner.activations.runtime).await;
        self.finish_background().await;
        outcome.and(swept)
    }

    /// Shuts down within `deadline`: refuses new requests, finishes running ones, writes due
    /// snapshots, and releases all objects.
    pub async fn shutdown(&self, deadline: Duration) {
        self.inner.stopping.close();
        shut_down(self.activations(), deadline).await;
    }

    /// The classes of this engine.
    pub fn app(&self) -> &App {
        &self.runtime().app
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.inner.runtime()
    }

    pub(crate) fn activations(&self) -> &Arc<Activations> {
        &self.inner.activations
    }

    /// Fails when the engine shuts down.
    pub(crate) fn check_running(&self) -> Result<()> {
        if self.is_stopping() { Err(stopping()) } else { Ok(()) }
    }

    fn is_stopping(&self) -> bool {
        self.inner.stopping.is_closed()
    }
}

impl Inner {
    fn runtime(&self) -> &Runtime {
        &self.activations.runtime
    }
}

#[async_trait]
impl Host for Inner {
    fn object(&self, tenant: &Tenant, class: &str, id: &str) -> Result<ObjectId> {
        tenant.object(self.runtime().app.names().stored(class), id)
    }

    fn check(&self, object: &ObjectId) -> Result<()> {
        self.runtime().app.check_class(object.class())?;
        self.runtime().log(object).map(drop)
    }

    async fn fetch(
        &self,
        object: &ObjectId,
        at: Option<At>,
        mut request: Request,
    ) -> Result<Response> {
        // Futures that few requests need are on the heap here and below: each layer moves the
        // future of the next, with room for all that it may await.
        if request.extensions_mut().remove::<Handshake>().is_some() {
            return Box::pin(self.open_socket(object, at, request)).await;
        }
        // The request's memory is charged until its response is complete.
        let _account = request.extensions().get::<Account>().cloned();
        let request = self.admit(object, request).await?;
        if let Some(at) = at {
            return Box::pin(fetch_as_of(self.runtime(), object, at, request)).await;
        }
        let mut routing = Routing::of(request);
        let activation = self.activations.get(object)?;
        activation.serve(&mut routing).await.map_err(|error| routing.report(object, error))
    }

    async fn turn(&self, object: &ObjectId, request: Request) -> Result<()> {
        if self.stopping.is_closed() {
            return Err(stopping());
        }
        self.activations.get(object)?.run(request).await.map(drop)
    }

    async fn durable(&self, object: &ObjectId) -> Result<()> {
        let Some(activation) = self.activations.existing(object) else { return Ok(()) };
        let gate = activation.pipeline().under_way();
        activation.pass(gate).await.map(drop)
    }

    async fn delete_if_empty(&self, object: &ObjectId) -> Result<bool> {
        self.activations.get(object)?.delete_if_empty().await
    }

    fn begin_call(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        handler: Weak<dyn Any + Send + Sync>,
    ) -> Result<Calling> {
        Ok(Box::new(self.runtime().calls.begin(from, to, handler)?))
    }

    fn deliver(&self, sender: &ObjectId) {
        match self.activations.get(sender) {
            Ok(activation) => activation.wake_relay(),
            Err(error) => {
                tracing::error!(object = %sender, %error, "cannot find an object that has just run")
            }
        }
    }

    async fn acquire_token(
        &self,
        object: &ObjectId,
        foreign: Option<&Claim>,
    ) -> Result<FencingToken> {
        self.activations.get(object)?.acquire_token(foreign).await
    }

    async fn keep_others_away(
        &self,
        object: &ObjectId,
        foreign: Option<&Claim>,
    ) -> Result<Option<FencingToken>> {
        self.activations.get(object)?.keep_others_away(foreign).await
    }

    fn times(&self) -> (Arc<dyn Clock>, Arc<Semaphore>) {
        (self.runtime().clock.clone(), self.stopping.clone())
    }

    async fn event(&self, object: &ObjectId, request: Request) -> Result<Response> {
        self.socket_event(object, request).await
    }

    fn open_stream(
        &self,
        object: &ObjectId,
        caller: &Caller,
    ) -> Result<(SocketConnection, SocketPlace, Arc<dyn Clock>)> {
        let (connection, place) = self.connection(object, caller.clone())?;
        Ok((connection, place, self.runtime().clock.clone()))
    }

    fn send_frames(&self, object: &ObjectId, frames: Vec<Addressed>) {
        send(&self.activations.runtime, object, frames);
    }

    fn check_sockets(&self, object: &ObjectId, places: Vec<SocketPlace>) {
        self.look_for_connections(object, places);
    }

    fn forget_sockets(&self, object: &ObjectId, sockets: Vec<Uuid>) {
        self.forget_in_background(object, sockets);
    }

    async fn forget_connection(&self, socket: Uuid) {
        forget(self.runtime(), socket).await;
    }

    fn check_token(&self, object: &ObjectId, token: FencingToken) -> Result<()> {
        self.activations.get(object)?.check_token(token)
    }
}

impl Listen for Inner {
    /// Objects without an entry in memory get none.
    fn receive(&self, object: &ObjectId, holding: &Holding, change: OwnershipChange) {
        if let Some(activation) = self.activations.existing(object) {
            activation.receive_announcement(holding, change);
        }
    }
}
