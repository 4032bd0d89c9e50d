//! What happens on the connections that API Gateway holds for the function: handshakes, messages and
//! ends, each an invocation.

use std::time::Duration;

use dotdo_core::{
    Error, HeldConnection, Response, Result, SocketClose, SocketConnection, SocketEnd, SocketFrame,
    SocketMessage,
};
use http::{HeaderMap, StatusCode, header};
use lambda_runtime::Context;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::invocation::{Answered, Invocations, nobody_vouched, refused, too_late};
use super::request::{Front, SocketArrival, SocketArrived};
use super::response;
use crate::edge::{ClientAddress, Objects};
use crate::server::{SocketSettings, Upgrading};

/// How long API Gateway waits for an answer is 29 s; afterwards it tells the client of an error.
const ANSWER_MAX: Duration = Duration::from_secs(28);

/// Timeout to close a connection when the time of an invocation is over.
const CLOSE_MAX: Duration = Duration::from_millis(150);

impl<O: Objects> Invocations<O> {
    /// Answers an event of a WebSocket API.
    pub(super) async fn socket(
        &self,
        arrival: SocketArrival,
        deadline: Option<Instant>,
        context: &Context,
    ) -> Answered {
        let latest = Instant::now() + ANSWER_MAX;
        let deadline = deadline.map_or(latest, |deadline| deadline.min(latest));
        let SocketArrival { address, client, arrived } = arrival;
        let (response, opened) = match arrived {
            SocketArrived::Connect { request, is_vouched_for } => match request {
                Err(error) => (refused(&error, context), None),
                Ok(_) if !(is_vouched_for || self.is_open) => {
                    (refused(&nobody_vouched(), context), None)
                }
                Ok(request) => self.connect(*request, address, deadline, context).await,
            },
            SocketArrived::Message(message) => {
                let work = self.message(&address, client, message);
                if timeout_at(deadline, work).await.is_err() {
                    let close = SocketClose::new(1011, too_late().code());
                    // There is no more time than this.
                    let _ = timeout(CLOSE_MAX, self.close(&address, &close)).await;
                }
                (Response::default(), None)
            }
            SocketArrived::Disconnect(end) => {
                // What does not succeed in time is done when somebody finds the connection gone.
                let _ = timeout_at(deadline, self.disconnect(&address, end)).await;
                (Response::default(), None)
            }
        };
        let answer = response::whole(response, Front::WebSocketApi).await;
        // Nobody waits for the answer to a message, and what it has sent is on its way.
        self.finish_background_by(deadline).await;
        Answered { answer, opened }
    }

    /// The response to a handshake, and the connection if the object has accepted it.
    async fn connect<B: crate::edge::RequestBody>(
        &self,
        mut request: http::Request<B>,
        address: String,
        deadline: Instant,
        context: &Context,
    ) -> (Response, Option<SocketConnection>) {
        let upgrading = match Upgrading::of(&mut request, &SocketSettings::default()) {
            Some(Ok(upgrading)) => upgrading,
            Some(Err(response)) => return (response, None),
            None => {
                let error = Error::internal("a handshake is not read as one");
                return (refused(&error, context), None);
            }
        };
        request.extensions_mut().insert(HeldConnection { address });
        let mut response = self.in_time(request, Some(deadline), context).await;
        let opened = response.extensions_mut().remove::<SocketConnection>();
        if opened.is_some() {
            upgrading.complete(&mut response);
            // API Gateway makes the answer to the handshake itself, with this of it.
            let chosen = response.headers_mut().remove(header::SEC_WEBSOCKET_PROTOCOL);
            *response.headers_mut() = HeaderMap::new();
            if let Some(chosen) = chosen {
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
            }
            *response.status_mut() = StatusCode::OK;
        }
        (response, opened)
    }

    /// Gives a message to its object. If it is not handled, its connection is closed, so that the
    /// client knows.
    async fn message(&self, address: &str, client: Option<ClientAddress>, message: SocketMessage) {
        let connection = match self.held(address).await {
            Ok(Some(connection)) => connection,
            Ok(None) => {
                let text = "no object knows this connection";
                return self.close(address, &SocketClose::new(1012, text)).await;
            }
            Err(error) => {
                tracing::error!(%error, "cannot find the object of a connection");
                return self.close(address, &SocketClose::new(1013, error.code())).await;
            }
        };
        if let Some(wait) = self.edge.count_message(&connection, client) {
            sleep(wait).await;
        }
        if let Err(close) = connection.message(message).await {
            let error = Some(format!("a message was not handled: {}", close.reason));
            self.close(address, &close).await;
            connection.end(SocketEnd { close, error }).await;
        }
    }

    async fn disconnect(&self, address: &str, end: SocketEnd) {
        match self.held(address).await {
            Ok(Some(connection)) => connection.end(end).await,
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "cannot find the object of a connection"),
        }
    }

    async fn held(&self, address: &str) -> Result<Option<SocketConnection>> {
        match self.edge.objects().engine() {
            Some(engine) => engine.held_connection(address).await,
            None => Ok(None),
        }
    }

    /// Closes a connection whose client must not believe that all is well.
    async fn close(&self, address: &str, close: &SocketClose) {
        tracing::debug!(code = close.code, reason = close.reason, "closing a connection");
        if let Some(transport) = &self.transport {
            let closed = transport.send(address, SocketFrame::Break(close.clone())).await;
            if let Err(error) = closed {
                tracing::debug!(?error, "cannot close a connection");
            }
        }
    }
}
