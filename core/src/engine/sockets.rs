//! Sockets at the engine: handshakes, events, and frames of other servers.

use std::sync::Arc;

use http::StatusCode;
use uuid::Uuid;

use super::{Engine, Inner};
use crate::activation::Runtime;
use crate::cluster::Received;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::object::{ACCEPTED, Body, Caller, Host, Request, Response, accepts};
use crate::router::At;
use crate::settings::Ownership;
use crate::sockets::{
    Far, GatewaySocket, Place, SocketConnection, SocketEvent, SocketPart, check, receive_part,
    settle_former,
};

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
        // Before the object knows it, so that nothing that it sends is lost.
        let (connection, place) = self.connection(object, caller)?;
        let id = place.socket;
        request.extensions_mut().insert(place);
        let mut response = self.fetch_for_connection(object, request).await?;
        if !accepts(&response, id) {
            return Ok(response);
        }
        connection.accepted();
        response.headers_mut().remove(&ACCEPTED);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.extensions_mut().insert(connection);
        Ok(response)
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
        let far = (Far::Object(runtime.host.clone()), runtime.clock.clone());
        let time_max = runtime.settings.socket_time_max;
        let connection =
            SocketConnection::new(line, runtime.sockets.clone(), caller, far, time_max);
        let (instance, address) = (runtime.instance, runtime.settings.address.clone());
        Ok((connection, Place { socket, instance, address }))
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
                let itself = || Caller::of_object(&object);
                let lost = SocketEvent::lost(socket);
                let outcome = host.event(&object, lost.request(Default::default(), itself())).await;
                if let Err(error) = outcome {
                    tracing::debug!(%object, %error, "cannot tell an object that a connection is gone");
                    let quietly = lost.quietly().request(Default::default(), itself());
                    // Whoever opens the object next finds out again.
                    let _ = host.event(&object, quietly).await;
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
        let far = (Far::Gateway(inbox), runtime.clock.clone());
        let (sockets, time_max) = (runtime.sockets.clone(), runtime.settings.socket_time_max);
        let connection = SocketConnection::new(line, sockets, caller, far, time_max);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.extensions_mut().insert(connection);
        Ok((response, socket))
    }
}

/// The response to another server: only a connection's own server can say 101.
pub(super) fn for_peer(mut response: Response) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        *response.status_mut() = StatusCode::OK;
    }
    response
}
