//! WebSockets of other servers (RFC 6455, section 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotdo::engine::{OsRandom, Random};
use dotdo::{Error, Result};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Fetcher, Kind, answered, failure, sent};
use crate::calls::Called;
use crate::event::{Answer, Fetch};
use crate::limits::LINE_MESSAGE_BYTES_MAX;
use crate::lines::Far;
use crate::wire;

/// What the handshake is made of, which code may not determine.
const OF_THE_HANDSHAKE: [HeaderName; 4] = [
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_ACCEPT,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

impl Fetcher {
    /// Asks another server for a WebSocket. One that does not accept has answered like any other.
    ///
    /// # Errors
    ///
    /// `Invalid` when it can't be asked, or its answer is none of a WebSocket.
    pub(super) async fn upgrade(&self, Fetch { head, .. }: Fetch) -> Result<Called> {
        let (url, method) = self.asked(&head)?;
        let mut headers = sent(wire::headers_of(&head.headers)?);
        for name in OF_THE_HANDSHAKE {
            headers.remove(name);
        }
        let key = STANDARD.encode(OsRandom.bytes16());
        let failed = failure(&url);
        let response = self
            .client(Kind::Upgrading)?
            .request(method, url.clone())
            .headers(headers)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .send()
            .await
            .map_err(&failed)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return answered(response, &url, failed).await;
        }
        let accepts = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        let expected = derive_accept_key(key.as_bytes());
        if accepts.map(HeaderValue::as_bytes) != Some(expected.as_bytes()) {
            let text = "the server does not accept the handshake of the WebSocket (RFC 6455)";
            return Err(Error::invalid(text).with_code("FETCH_FAILED"));
        }
        let mut headers = response.headers().clone();
        wire::strip(&mut headers);
        let answer = Answer {
            status: response.status().as_u16(),
            headers: wire::texts(&headers),
            url: Some(url.to_string()),
            ..Answer::default()
        };
        let connection = response.upgrade().await.map_err(failed)?;
        let bytes_max = Some(LINE_MESSAGE_BYTES_MAX);
        let config =
            WebSocketConfig::default().max_message_size(bytes_max).max_frame_size(bytes_max);
        let stream = WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await;
        let accepted = Some(Far::Server(Box::new(stream)));
        Ok(Called { answer, accepted, ..Called::default() })
    }
}
