//! The connections that API Gateway holds for the function, at its `@connections` endpoint.
//!
//! Source:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_core::{
    AwsSigner, Error, Result, S3Config, S3Credentials, SocketClose, SocketFrame, SocketTransport,
    TransportError,
};
use http::{Method, Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::redirect::Policy;

use super::environment::Role;
use super::settings::LambdaSettings;

/// The service's name in signatures.
const SERVICE: &str = "execute-api";

/// Timeout of a request.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest message that API Gateway sends, in bytes.
const MESSAGE_BYTES_MAX: usize = 128 << 10;

/// How long API Gateway keeps a connection.
const TIME_MAX: Duration = Duration::from_secs(2 * 3600);

/// Sends frames to API Gateway, signed by the function's role.
pub(super) struct Connections {
    role: Role,
    /// What stands before `/@connections`, if not the API itself.
    url: Option<String>,
    /// Made for the first frame: most functions send none, and start faster without.
    sender: OnceLock<Sender>,
}

struct Sender {
    signer: AwsSigner,
    client: reqwest::Client,
}

impl Sender {
    /// # Errors
    ///
    /// `Internal` when TLS can't be set up.
    fn new(role: &Role) -> Result<Self> {
        let credentials = S3Credentials::Keys {
            access_key_id: role.access_key_id.clone(),
            secret_access_key: role.secret_access_key.clone(),
            session_token: role.session_token.clone(),
        };
        let config = S3Config { bucket: SERVICE.to_owned(), credentials, ..S3Config::default() };
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(ANSWER_MAX);
        let client = client
            .build()
            .map_err(|cause| Error::internal("cannot set up an HTTP client").with_source(cause))?;
        Ok(Self { signer: AwsSigner::new(&config)?, client })
    }
}

impl Connections {
    /// The connections that `role` may send to.
    pub(super) fn new(role: Role, settings: &LambdaSettings) -> Self {
        let url = settings.connections_url.as_deref();
        let url = url.map(|url| url.trim_end_matches('/').to_owned());
        Self { role, url, sender: OnceLock::new() }
    }

    fn sender(&self) -> Result<&Sender> {
        match self.sender.get() {
            Some(sender) => Ok(sender),
            None => {
                let made = Sender::new(&self.role)?;
                Ok(self.sender.get_or_init(|| made))
            }
        }
    }

    /// The URL of the connection with this address.
    fn url(&self, address: &str) -> Option<String> {
        let (place, connection) = address.rsplit_once('/')?;
        let connection = utf8_percent_encode(connection, NON_ALPHANUMERIC);
        let base = match &self.url {
            Some(url) => url.clone(),
            None => {
                let (api, stage) = place.split_once('/')?;
                let region = &self.role.region;
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://{api}.{SERVICE}.{region}.amazonaws.com{end}/{stage}")
            }
        };
        Some(format!("{base}/@connections/{connection}"))
    }

    async fn ask(
        &self,
        method: Method,
        address: &str,
        body: Bytes,
    ) -> std::result::Result<StatusCode, String> {
        let url = self.url(address).ok_or("the address of a connection is none of API Gateway")?;
        let request = Request::builder().method(method).uri(url).body(body);
        let request = request.map_err(|cause| cause.to_string())?;
        let said = |error: Error| error.message().to_owned();
        let sender = self.sender().map_err(said)?;
        let signed = sender.signer.sign(request, SERVICE, &self.role.region).await.map_err(said)?;
        let request = reqwest::Request::try_from(signed).map_err(|cause| cause.to_string())?;
        let answer = sender.client.execute(request).await;
        answer.map(|answer| answer.status()).map_err(|cause| cause.without_url().to_string())
    }
}

#[async_trait]
impl SocketTransport for Connections {
    async fn send(
        &self,
        address: &str,
        frame: SocketFrame,
    ) -> std::result::Result<(), TransportError> {
        let (method, body) = match frame {
            SocketFrame::Text(text) if text.len() > MESSAGE_BYTES_MAX => return Err(too_long()),
            SocketFrame::Text(text) => (Method::POST, text),
            SocketFrame::Binary(_) => {
                let text = "API Gateway sends text only";
                return Err(TransportError::Refused(SocketClose::new(1003, text)));
            }
            SocketFrame::Close(_) | SocketFrame::Break(_) => (Method::DELETE, Bytes::new()),
            SocketFrame::AutoResponse(_) => return Ok(()),
        };
        match self.ask(method, address, body).await.map_err(TransportError::Failed)? {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(TransportError::Gone),
            StatusCode::PAYLOAD_TOO_LARGE => Err(too_long()),
            StatusCode::FORBIDDEN => Err(TransportError::Failed(
                "API Gateway refuses the function: its role needs execute-api:ManageConnections"
                    .to_owned(),
            )),
            status => Err(TransportError::Failed(format!("API Gateway answers {status}"))),
        }
    }

    fn time_max(&self) -> Duration {
        TIME_MAX
    }
}

fn too_long() -> TransportError {
    let text = format!("expected messages of at most {MESSAGE_BYTES_MAX} bytes for API Gateway");
    TransportError::Refused(SocketClose::new(1009, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(region: &str, url: Option<&str>) -> Connections {
        let role = Role {
            region: region.to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: dotdo_core::Secret::new("secret"),
            session_token: None,
        };
        let url = url.map(str::to_owned);
        let settings = LambdaSettings { connections_url: url, ..LambdaSettings::default() };
        Connections::new(role, &settings)
    }

    #[test]
    fn a_connection_is_at_its_api_or_where_the_settings_say() {
        let address = "a1b2c3/prod/L0SM9cOFvHcCIhw=";
        for (region, url, expected) in [
            ("eu-west-1", None, "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod"),
            ("cn-north-1", None, "https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/prod"),
            ("eu-west-1", Some("https://ws.example.com/chat/"), "https://ws.example.com/chat"),
        ] {
            let found = connections(region, url).url(address);
            assert_eq!(found, Some(format!("{expected}/@connections/L0SM9cOFvHcCIhw%3D")));
        }
        assert_eq!(connections("eu-west-1", None).url("nothing"), None);
    }

    #[tokio::test]
    async fn what_api_gateway_can_t_carry_is_refused_before_it_is_sent() {
        let connections = connections("eu-west-1", Some("http://127.0.0.1:9"));
        for (frame, code) in [
            (SocketFrame::Binary("x".into()), 1003),
            (SocketFrame::Text(vec![b'x'; MESSAGE_BYTES_MAX + 1].into()), 1009),
        ] {
            match connections.send("a/b/c", frame).await {
                Err(TransportError::Refused(close)) => assert_eq!(close.code, code),
                other => panic!("expected a refusal, got {other:?}"),
            }
        }
        let sent = connections.send("a/b/c", SocketFrame::Text("x".into())).await;
        assert!(matches!(sent, Err(TransportError::Failed(_))), "{sent:?}");
    }
}
