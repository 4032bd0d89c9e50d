//! Tokens of Fly's own issuer, which every machine there gets from a socket:
//! `POST /v1/tokens/oidc` with the audience.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_core::{Error, ErrorKind, Result, Secret};
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::token::{TOKEN_BYTES_MAX, TokenSource};

/// The socket of Fly's API, in every machine.
pub(super) const SOCKET: &str = "/.fly/api";

/// Timeout for a token.
const TOKEN_MAX: Duration = Duration::from_secs(5);

/// Asks for a token of the machine.
pub(super) struct OfFly {
    pub(super) socket: PathBuf,
    /// Whom it is for.
    pub(super) audience: String,
}

impl OfFly {
    async fn ask(&self) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let body = serde_json::json!({ "aud": self.audience }).to_string();
        let request = Request::post("/v1/tokens/oidc")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        // It ends when the answer is read or abandoned; how is told by the answer.
        tokio::spawn(async move { connection.await.ok() });
        let answer = sender.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status().as_u16()).into());
        }
        let limit = usize::try_from(TOKEN_BYTES_MAX).unwrap_or(usize::MAX);
        Ok(Limited::new(answer.into_body(), limit).collect().await?.to_bytes().to_vec())
    }
}

#[async_trait]
impl TokenSource for OfFly {
    async fn token(&self) -> Result<Secret> {
        let unavailable = |why: String| {
            Error::new(ErrorKind::Unavailable, format!("{} gives no token: {why}", self.name()))
        };
        let answer = tokio::time::timeout(TOKEN_MAX, self.ask())
            .await
            .map_err(|_| unavailable("it does not answer".to_owned()))?
            .map_err(|cause| unavailable(cause.to_string()))?;
        let text =
            String::from_utf8(answer).map_err(|_| unavailable("it is no text".to_owned()))?;
        Ok(Secret::new(text.trim()))
    }

    fn name(&self) -> String {
        format!("Fly's API at {}", self.socket.display())
    }
}
