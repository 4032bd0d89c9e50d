//! A WebSocket that a gateway in front of the objects has accepted itself: no object is told of it.
//!
//! Promises: it counts for the limits as one of an object does; what the client sends waits until the
//! gateway reads it; when the gateway drops its end, the client is told.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::sockets::connection::SocketEnd;
use crate::sockets::line::{Line, SocketFrame};
use crate::sockets::message::{SocketClose, SocketMessage};

/// Number of messages that wait for the gateway before the client is not read any more.
const WAITING_MAX: usize = 16;

/// What has come from the client: a message, or the end.
type Heard = Result<SocketMessage, SocketEnd>;

/// The way of what comes from the client to the gateway.
pub(crate) struct Inbox(mpsc::Sender<Heard>);

impl Inbox {
    /// Gives a message to the gateway, once that has read most of those before.
    ///
    /// # Errors
    ///
    /// What to close the connection with: the gateway has dropped its end.
    pub(crate) async fn message(&self, message: SocketMessage) -> Result<(), SocketClose> {
        self.0.send(Ok(message)).await.map_err(|_| gone())
    }

    /// Tells the gateway of the end.
    pub(crate) async fn end(&self, end: SocketEnd) {
        // Nobody may be there any more.
        let _ = self.0.send(Err(end)).await;
    }
}

/// A gateway's end of a WebSocket that it has accepted itself, for a client
/// ([`Engine::accept`](crate::Engine::accept)). Dropping it closes the connection with 1012.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::Caller;
/// use dotdo::engine::{GatewaySocket, SocketConnection, SocketFrame};
///
/// async fn echo(mut socket: GatewaySocket) {
///     while let Ok(message) = socket.next().await {
///         socket.send(message);
///     }
/// }
///
/// let (mut response, socket) = engine.accept(&object, Caller::anonymous())?;
/// let connection = response.extensions_mut().remove::<SocketConnection>();
/// let connection = connection.expect("the gateway has accepted it");
/// let talking = async {
///     assert_eq!(connection.message("hello".into()).await, Ok(()));
///     assert_eq!(connection.next().await, SocketFrame::Text("hello".into()));
///     drop(connection);
/// };
/// futures_util::join!(echo(socket), talking);
/// # Ok(())
/// # });
/// ```
pub struct GatewaySocket {
    line: Arc<Line>,
    heard: mpsc::Receiver<Heard>,
}

impl GatewaySocket {
    /// The end of `line`, and the inbox of its connection.
    pub(crate) fn new(line: Arc<Line>) -> (Self, Inbox) {
        let (inbox, heard) = mpsc::channel(WAITING_MAX);
        (Self { line, heard }, Inbox(inbox))
    }

    /// Sends a message. A client that reads too slowly is closed with 1008.
    pub fn send(&self, message: SocketMessage) {
        self.line.push(match message {
            SocketMessage::Text(text) => SocketFrame::Text(text.into()),
            SocketMessage::Binary(bytes) => SocketFrame::Binary(bytes),
        });
    }

    /// Closes the connection, after what was sent; the client's answer is the end of it.
    pub fn close(&self, close: SocketClose) {
        self.line.push(SocketFrame::Close(close));
    }

    /// The next message of the client.
    ///
    /// # Errors
    ///
    /// How the connection has ended.
    pub async fn next(&mut self) -> Result<SocketMessage, SocketEnd> {
        self.heard.recv().await.unwrap_or_else(|| {
            let close = SocketClose { code: 1006, reason: String::new() };
            Err(SocketEnd { close, error: Some("the connection broke off".to_owned()) })
        })
    }
}

impl Drop for GatewaySocket {
    fn drop(&mut self) {
        self.line.end(gone());
    }
}

fn gone() -> SocketClose {
    SocketClose::new(1012, "what has accepted this connection has ended; connect again")
}

impl std::fmt::Debug for GatewaySocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewaySocket").finish_non_exhaustive()
    }
}
