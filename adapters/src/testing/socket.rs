//! WebSockets of tests.

use std::collections::VecDeque;
use std::sync::Arc;

use dotdo_core::sync::Mutex;
use dotdo_core::{SocketClose, SocketConnection, SocketEnd, SocketFrame, SocketMessage};

use super::process::{Process, within};

/// A WebSocket of a test, from the side of its client.
/// [`TestRequest::websocket`](super::TestRequest::websocket) has an example.
pub struct TestSocket {
    process: Arc<Process>,
    connection: SocketConnection,
    /// Automatic answers that have not been read.
    answers: Mutex<VecDeque<SocketMessage>>,
}

impl TestSocket {
    pub(super) fn new(process: Arc<Process>, connection: SocketConnection) -> Self {
        Self { process, connection, answers: Mutex::default() }
    }

    /// Sends a message, and waits until it is handled and all that it has changed is in the store.
    ///
    /// # Errors
    ///
    /// What the server closes the connection with instead.
    pub async fn try_send(&self, message: impl Into<SocketMessage>) -> Result<(), SocketClose> {
        let message = message.into();
        if let Some(answer) = self.connection.auto_response(&message) {
            self.answers.lock().push_back(answer);
            return Ok(());
        }
        let gone = || Err(SocketClose { code: 1006, reason: "the server has crashed".into() });
        tokio::select! {
            biased;
            () = self.process.access.until_cut() => gone(),
            outcome = within("a message", self.connection.message(message)) => outcome,
        }
    }

    /// Sends a message, as [`try_send`](TestSocket::try_send) does.
    ///
    /// # Panics
    ///
    /// When it closes the connection.
    pub async fn send(&self, message: impl Into<SocketMessage>) {
        if let Err(close) = self.try_send(message).await {
            panic!("expected that the message is handled, got {close:?}");
        }
    }

    /// The next message from the object, or the next automatic answer.
    ///
    /// # Errors
    ///
    /// What the connection is closed with instead.
    pub async fn try_next(&self) -> Result<SocketMessage, SocketClose> {
        if let Some(answer) = self.answers.lock().pop_front() {
            return Ok(answer);
        }
        loop {
            match within("the next message", self.connection.next()).await {
                SocketFrame::Text(text) => {
                    let text = String::from_utf8(text.into()).expect("texts are UTF-8");
                    return Ok(SocketMessage::Text(text));
                }
                SocketFrame::Binary(bytes) => return Ok(SocketMessage::Binary(bytes)),
                SocketFrame::Close(close) | SocketFrame::Break(close) => return Err(close),
                SocketFrame::AutoResponse(_) => {}
            }
        }
    }

    /// The next message from the object, which is a text.
    ///
    /// # Panics
    ///
    /// When the connection is closed, or the message is no text.
    pub async fn text(&self) -> String {
        match self.try_next().await {
            Ok(SocketMessage::Text(text)) => text,
            other => panic!("expected a text, got {other:?}"),
        }
    }

    /// Closes the connection, and waits until the object knows.
    pub async fn close(self, code: u16, reason: &str) {
        let close = SocketClose { code, reason: reason.to_owned() };
        self.connection.end(SocketEnd { close, error: None }).await;
    }
}
