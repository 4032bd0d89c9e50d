//! Clients of WebSockets.

use std::process::Command;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Request};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::tools::{Tool, run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rig/tools/compressing.py");

/// A WebSocket from the side of its client.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// What comes on a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The server has closed it, with this code.
    Closed(u16),
    /// The connection broke off.
    Broken,
}

impl Socket {
    /// Opens a WebSocket at `url`, which begins with `http://`.
    ///
    /// # Errors
    ///
    /// The status of the answer, if it was not accepted; 0 if there was none.
    pub async fn open(url: &str) -> Result<Self, u16> {
        Self::open_with(url, &[]).await
    }

    /// Opens a WebSocket with more headers.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::open`].
    ///
    /// # Panics
    ///
    /// When the URL or a header is invalid.
    pub async fn open_with(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let rest = url.strip_prefix("http://").expect("an http:// URL");
        let address = rest.split('/').next().expect("there is a first part");
        let stream = TcpStream::connect(address).await.map_err(|_| 0_u16)?;
        let uri = format!("ws://{rest}");
        let mut request: Request<()> = uri.into_client_request().expect("a good URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a value"));
        }
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// Sends a text; `false` when the connection has ended.
    pub async fn send(&mut self, text: &str) -> bool {
        self.stream.send(Message::text(text)).await.is_ok()
    }

    /// Sends bytes; `false` when the connection has ended.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) -> bool {
        self.stream.send(Message::binary(bytes)).await.is_ok()
    }

    /// What comes next.
    pub async fn next(&mut self) -> Incoming {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Incoming::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => return Incoming::Binary(bytes.into()),
                Some(Ok(Message::Close(frame))) => return Incoming::Closed(code(frame)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Incoming::Broken,
            }
        }
    }

    /// The next text.
    ///
    /// # Panics
    ///
    /// When the connection ends first.
    pub async fn text(&mut self) -> String {
        match self.next().await {
            Incoming::Text(text) => text,
            other => panic!("expected a text, got {other:?}"),
        }
    }

    /// Closes it in order.
    pub async fn close(self) {
        self.end(None).await;
    }

    /// Closes it in order, with this code and reason.
    pub async fn close_with(self, code: u16, reason: &str) {
        self.end(Some(CloseFrame { code: code.into(), reason: reason.into() })).await;
    }

    async fn end(mut self, frame: Option<CloseFrame>) {
        // The server may have closed it already.
        let _ = self.stream.close(frame).await;
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}

/// Sends messages of all sizes to `urls`, which begin with `ws://` and send each message back, with
/// all parameters of compression (RFC 7692), by a client that other people wrote. Returns how many
/// came back, and how many of them were compressed.
///
/// # Panics
///
/// When the client fails, with what it says.
pub fn compressed_echoes(urls: &[String]) -> (u64, u64) {
    let mut command = Command::new(Tool::WebSockets.program("python"));
    let told = run(command.arg(SCRIPT).args(urls), "WebSockets that compress");
    serde_json::from_str(&told).expect("the script writes two numbers")
}

fn code(frame: Option<CloseFrame>) -> u16 {
    frame.map_or(1005, |frame| frame.code.into())
}
