//! Sockets at the engine: handshakes, events, and frames of other servers.

use std::sync::Arc;

use http::StatusCode;
use uuid::Uuid;

use super::{Engine, Inner};
use crate::activation::Runtime;
use crate::cluster::Received;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::object::{ACCEPTED, Body, Caller, Host, Request, Response, accepts};
use crate::router::At;
use crate::settings::Ownership;
use crate::sockets::{
    End, Far, GatewaySocket, HeldConnection, Note, Place, SocketConnection, SocketEvent,
    SocketPart, check, forget, opened, receive_part, settle_former, tell_end,
};

impl Engine {
    /// The connection at `address`, which something else holds for this program, by what is noted
    /// in the bucket; `None` for one that no object has accepted, or whose end is known.
    /// [`SocketTransport`](crate::SocketTransport) has an example.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NO_CONNECTIONS`) without a transport; those of the store.
    pub async fn held_connection(&self, address: &str) -> Result<Option<SocketConnection>> {
        self.inner.held_connection(address).await
    }

    /// What holds `connection` has answered its handshake: what its object has sent to it meanwhile
    /// is sent now, and its end comes by [`Engine::held_connection`]. Until then, a connection that
    /// is dropped counts as broken off. Nothing happens for one of this process.
    pub fn opened(&self, connection: &SocketConnection) {
        let runtime = &self.inner.activations.runtime;
        if let Some(place) = connection.let_go() {
            // Its client may not be there for a moment yet.
            let place = Place { accepted_ms: runtime.clock.wall_ms(), ..place.clone() };
            opened(runtime, connection.object(), &place);
        }
    }
}

impl Inner {
    /// Answers the handshake of a WebSocket, whose connection this process keeps if the object
    /// accepts it.
    ///
    /// # Errors
    ///
    /// Those of the request; `Busy` when there are too many connections.
    pub(super) async fn open_socket(
        &self,
        object: &ObjectId,
        at: Option<At>,
        mut request: Request,
    ) -> Result<Response> {
        if at.is_some() {
            let text = "expected a WebSocket to the present state; a former one can't accept any";
            return Err(Error::invalid(text).with_code("NO_CONNECTIONS"));
        }
        let anonymous = || Caller::anonymous().of_tenant(object.tenant().clone());
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_else(anonymous);
        let held = request.extensions_mut().remove::<HeldConnection>();
        // Before the object knows it, so that nothing that it sends is lost.
        let (connection, place) = match &held {
            None => self.connection(object, caller)?,
            Some(held) => self.hold(object, caller, &held.address).await?,
        };
        let id = place.socket;
        request.extensions_mut().insert(place);
        let outcome = self.fetch_for_connection(object, request).await;
        if held.is_some() && !may_be_accepted(&outcome, id) {
            forget(self.runtime(), id).await;
        }
        let mut response = outcome?;
        if !accepts(&response, id) {
            return Ok(response);
        }
        connection.accepted();
        response.headers_mut().remove(&ACCEPTED);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.extensions_mut().insert(connection);
        Ok(response)
    }

    /// Brings what has happened on a connection to its object.
    ///
    /// # Errors
    ///
    /// Those of the request; `Busy` when too many are under way.
    pub(super) async fn socket_event(
        &self,
        object: &ObjectId,
        request: Request,
    ) -> Result<Response> {
        let _place = self.runtime().place_of_request(object).await?;
        let event = request.extensions().get::<SocketEvent>();
        if event.is_some_and(SocketEvent::is_message) {
            return self.fetch_for_connection(object, request).await;
        }
        Host::fetch(self, object, None, request).await
    }

    /// Runs the request of a connection that this process has. The owner of the object sends frames
    /// to it: where other servers reach this process, it may be any of them; otherwise the request
    /// runs here or not at all.
    ///
    /// # Errors
    ///
    /// Those of the request; `Busy` (code `OWNED_BY_OTHER_INSTANCE`) when its frames would not reach
    /// this process.
    pub(super) async fn fetch_for_connection(
        &self,
        object: &ObjectId,
        request: Request,
    ) -> Result<Response> {
        let runtime = self.runtime();
        if runtime.peers.is_none() || runtime.settings.address.is_some() {
            return Host::fetch(self, object, None, request).await;
        }
        let request = self.admit(object, request).await?;
        self.activations.get(object)?.visit(request).await
    }

    /// A connection that waits for its object to accept it.
    pub(super) fn connection(
        &self,
        object: &ObjectId,
        caller: Caller,
    ) -> Result<(SocketConnection, Place)> {
        let runtime = self.runtime();
        let socket = runtime.uuid();
        let line = runtime.sockets.open(socket, object)?;
        let (instance, address) = (runtime.instance, runtime.settings.address.clone());
        let place = Place { socket, instance, address, accepted_ms: 0 };
        Ok((self.connection_of((End::Here(line), object.clone()), caller), place))
    }

    fn connection_of(&self, end: (End, ObjectId), caller: Caller) -> SocketConnection {
        let runtime = self.runtime();
        let far = (Far::Object(runtime.host.clone()), runtime.clock.clone());
        let time_max = runtime.settings.socket_time_max;
        SocketConnection::new(end, runtime.sockets.clone(), caller, far, time_max)
    }

    /// A connection that something else holds and that waits for its object to accept it. Its note
    /// is in the bucket before its object knows it, so that what is left of it is found.
    async fn hold(
        &self,
        object: &ObjectId,
        caller: Caller,
        address: &str,
    ) -> Result<(SocketConnection, Place)> {
        let (runtime, place) = (self.runtime(), Place::held(address));
        runtime.held.transport()?;
        let note = serde_json::to_vec(&Note::new(address, object, &caller))?;
        runtime.tenants.connections()?.put(place.socket, note.into()).await?;
        runtime.held.opening(object, place.socket)?;
        let held = runtime.held.clone();
        let end = End::Held { place: place.clone(), held, is_opening: true.into() };
        Ok((self.connection_of((end, object.clone()), caller), place))
    }

    /// The connection at `address`, which something else holds; `None` if nothing is noted about
    /// it.
    ///
    /// # Errors
    ///
    /// Those of the store; `Invalid` when this process reaches no such connections.
    pub(super) async fn held_connection(&self, address: &str) -> Result<Option<SocketConnection>> {
        let (runtime, place) = (self.runtime(), Place::held(address));
        runtime.held.transport()?;
        let note = runtime.tenants.connections()?.get(place.socket).await?;
        let Some((noted, object, caller)) = note.as_deref().and_then(Note::read) else {
            return Ok(None);
        };
        if noted != place {
            return Ok(None);
        }
        let held = runtime.held.clone();
        let end = End::Held { place, held, is_opening: false.into() };
        let connection = self.connection_of((end, object), caller);
        connection.accepted();
        Ok(Some(connection))
    }

    /// Tells an object that connections are gone, each in a request of its own.
    pub(super) fn forget_in_background(&self, object: &ObjectId, sockets: Vec<Uuid>) {
        let runtime: &Arc<Runtime> = &self.activations.runtime;
        let (runtime, object) = (runtime.clone(), object.clone());
        let tasks = runtime.background.clone();
        tasks.spawn(async move {
            for socket in sockets {
                metrics::counter!("dotdo_sockets_lost_total").increment(1);
                let Some(host) = runtime.host.upgrade() else { return };
                let is_told = tell_end(host.as_ref(), &object, SocketEvent::lost(socket)).await;
                if is_told && runtime.held.transport().is_ok() {
                    forget(&runtime, socket).await;
                }
            }
        });
    }

    /// Finds out whether the connections of an object that has come into memory are still there, and
    /// closes those here that may have missed something of the server that had the object before.
    pub(super) fn look_for_connections(&self, object: &ObjectId, places: Vec<Place>) {
        // Per request, objects come into memory all the time.
        if self.runtime().settings.ownership == Ownership::PerRequest {
            return;
        }
        let sockets: Vec<Uuid> = places.iter().map(|place| place.socket).collect();
        check(&self.activations.runtime, object, places);
        let (runtime, object) = (self.activations.runtime.clone(), object.clone());
        let tasks = runtime.background.clone();
        tasks.spawn(async move { settle_former(&runtime, &object, &sockets).await });
    }

    /// Answers what another server sends to the connections of this process.
    pub(super) async fn receive_frames(
        &self,
        object: &ObjectId,
        part: SocketPart,
        request: Request,
    ) -> Received {
        Received::Answered(receive_part(self.runtime(), object, part, request).await)
    }
}

impl Engine {
    /// Accepts a WebSocket in the place of an object, for a gateway in front of them: the response to
    /// the handshake that `caller` has sent, and the gateway's end. `stands_for` stands for the
    /// gateway in limits and logs. [`GatewaySocket`] has an example.
    ///
    /// # Errors
    ///
    /// `Busy` when there are too many connections.
    pub fn accept(
        &self,
        stands_for: &ObjectId,
        caller: Caller,
    ) -> Result<(Response, GatewaySocket)> {
        let runtime = self.runtime();
        let line = runtime.sockets.open(runtime.uuid(), stands_for)?;
        let (socket, inbox) = GatewaySocket::new(line.clone());
        let end = (End::Here(line), stands_for.clone());
        let far = (Far::Gateway(inbox), runtime.clock.clone());
        let (sockets, time_max) = (runtime.sockets.clone(), runtime.settings.socket_time_max);
        let connection = SocketConnection::new(end, sockets, caller, far, time_max);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.extensions_mut().insert(connection);
        Ok((response, socket))
    }
}

/// Whether an object may have accepted the connection `id`.
fn may_be_accepted(outcome: &Result<Response>, id: Uuid) -> bool {
    match outcome {
        Ok(response) => accepts(response, id),
        Err(error) => error.kind() == ErrorKind::Unknown,
    }
}

/// The response to another server: only a connection's own server can say 101.
pub(super) fn for_peer(mut response: Response) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        *response.status_mut() = StatusCode::OK;
    }
    response
}
