//! A program in front of the objects: it answers all requests of clients, and decides which objects it
//! asks for them.
//!
//! Promises: with a gateway no client reaches an object by the routes to objects, or by headers that
//! name one; a gateway has the rights of the caller, and the objects of the caller's tenant, only.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dotdo_core::{
    Caller, Engine, Error, GatewaySocket, Handshake, HeldConnection, Request, Response, Result,
    Scopes, Target, Tenant,
};
use http::Method;

use super::permission::permit;

/// The class of the object that stands for the gateway in logs, limits and accounts. There is no
/// such object.
pub(super) const CLASS: &str = "_gateway";

/// A program in front of the objects, which answers all requests of clients that are not for the server
/// itself (`/health`, `/ready`, `/metrics`, administration): [`Serve::gateway`](crate::Serve::gateway)
/// has an example.
pub trait Gateway: Send + Sync + 'static {
    /// Answers a request with the help of `objects`, which are those of its caller's tenant.
    ///
    /// It holds no turn of an object and no transaction. What an object has answered is in the
    /// bucket.
    ///
    /// # Errors
    ///
    /// Any error becomes a response, as that of a handler does.
    fn fetch(
        &self,
        request: Request,
        objects: GatewayObjects,
    ) -> impl Future<Output = Result<Response>> + Send;

    /// Runs when a server has started, and on a function before each tick (`docs/platforms`), with
    /// `objects` of the server's own tenant: sets the alarms of objects that no request makes. It may
    /// run many times, and in many processes at a time.
    ///
    /// # Errors
    ///
    /// After any error a server runs it again later; that of a tick fails.
    fn begin(&self, objects: GatewayObjects) -> impl Future<Output = Result<()>> + Send {
        drop(objects);
        std::future::ready(Ok(()))
    }
}

/// The objects that a [`Gateway`] can ask for a request. Clones are the same.
/// [`Serve::gateway`](crate::Serve::gateway) has an example.
#[derive(Clone)]
pub struct GatewayObjects {
    engine: Engine,
    caller: Caller,
    /// What holds the client's connection, if it asks for a WebSocket that the platform holds.
    held: Option<HeldConnection>,
}

impl GatewayObjects {
    /// The caller of the request.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Sends `request` to the object `id` of `class` for the caller, and waits for the response.
    ///
    /// With a [`Handshake`](crate::engine::Handshake) in its extensions it asks for a WebSocket. If
    /// the object accepts, the response has the status 101 and the connection in its extensions: the
    /// gateway answers with it, or drops it and with it the connection.
    ///
    /// # Errors
    ///
    /// `Invalid` and `NotFound` for an object that can't be, `Forbidden` when the caller lacks a scope;
    /// otherwise errors of the object's handler or the store.
    pub async fn fetch(&self, class: &str, id: &str, mut request: Request) -> Result<Response> {
        let object = self.caller.tenant().object(class, id)?;
        let path_and_query = request.uri().path_and_query().cloned();
        let target = Target {
            object,
            path_and_query: path_and_query
                .unwrap_or_else(|| http::uri::PathAndQuery::from_static("/")),
            at: None,
        };
        // What comes on a WebSocket can write.
        let is_socket = request.extensions().get::<Handshake>().is_some();
        permit(&self.caller, if is_socket { &Method::POST } else { request.method() }, &target)?;
        if let Some(held) = self.held.as_ref().filter(|_| is_socket) {
            request.extensions_mut().insert(held.clone());
        }
        request.extensions_mut().insert(self.caller.clone());
        self.engine.fetch(&target.object, None, request).await
    }

    /// Accepts the WebSocket that the request to the gateway asks for, in the place of an object: the
    /// response, and the gateway's end. The request must have a
    /// [`Handshake`](crate::engine::Handshake) in its extensions.
    ///
    /// # Errors
    ///
    /// `Busy` when there are too many connections, `Forbidden` when the caller may not write;
    /// `Invalid` (code `NOT_A_WEBSOCKET`) where the platform holds the connection: the next message
    /// may come to another process.
    pub fn accept(&self) -> Result<(Response, GatewaySocket)> {
        if self.held.is_some() {
            let text = "expected an object to accept a WebSocket that the platform holds, got one that is accepted in front of the objects";
            return Err(Error::invalid(text).with_code("NOT_A_WEBSOCKET"));
        }
        let object = self.caller.tenant().object(CLASS, CLASS)?;
        let path_and_query = http::uri::PathAndQuery::from_static("/");
        let target = Target { object, path_and_query, at: None };
        permit(&self.caller, &Method::POST, &target)?;
        self.engine.accept(&target.object, self.caller.clone())
    }
}

type Beginning<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

trait AnyGateway: Send + Sync {
    fn fetch(&self, request: Request, objects: GatewayObjects) -> Answering<'_>;
    fn begin(&self, objects: GatewayObjects) -> Beginning<'_>;
}

impl<T: Gateway> AnyGateway for T {
    fn fetch(&self, request: Request, objects: GatewayObjects) -> Answering<'_> {
        Box::pin(Gateway::fetch(self, request, objects))
    }

    fn begin(&self, objects: GatewayObjects) -> Beginning<'_> {
        Box::pin(Gateway::begin(self, objects))
    }
}

/// A gateway of any type.
#[derive(Clone)]
pub(crate) struct SharedGateway(Arc<dyn AnyGateway>);

impl SharedGateway {
    pub(crate) fn new(gateway: impl Gateway) -> Self {
        Self(Arc::new(gateway))
    }

    /// The gateway's answer to a request of `caller`.
    pub(super) async fn fetch(
        &self,
        request: Request,
        engine: Engine,
        caller: Caller,
    ) -> Result<Response> {
        let held = request.extensions().get().cloned();
        self.0.fetch(request, GatewayObjects { engine, caller, held }).await
    }

    /// Begins what goes on without requests, for `home`, the tenant of the server.
    pub(super) async fn begin(&self, engine: Engine, home: &Tenant) -> Result<()> {
        let caller = Caller::anonymous().of_tenant(home.clone()).with_scopes(Scopes::USER);
        self.0.begin(GatewayObjects { engine, caller, held: None }).await
    }
}

impl fmt::Debug for SharedGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedGateway")
    }
}
