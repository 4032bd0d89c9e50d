//! The HTTP client of exchanges: one request, no redirects, small answers.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dotdo_core::{AccessKeysError, Error, Result};
use http::StatusCode;
use url::Url;

use super::address::is_private_address;

/// Timeout for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Timeout for a whole exchange. Requests to the store wait for it when there are no keys.
pub(super) const EXCHANGE_MAX: Duration = Duration::from_secs(10);

/// Maximum size of an answer, in bytes. A session token has up to a few KiB.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Whoever exchanges tokens.
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    /// What it is, for messages, such as "the token service".
    what: &'static str,
}

/// An answer of at most [`ANSWER_BYTES_MAX`] bytes.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A request, whose body and authorization are secret.
pub(super) struct Ask {
    pub(super) content_type: &'static str,
    pub(super) bearer: Option<dotdo_core::Secret>,
    pub(super) body: String,
}

impl Client {
    /// A client for `url`.
    ///
    /// # Errors
    ///
    /// `Invalid` when no token may be sent to `url`.
    pub(super) fn new(what: &'static str, url: &str) -> Result<Self> {
        let parsed = Url::parse(url).ok().filter(|_| is_private_address(url));
        let url = parsed.ok_or_else(|| {
            Error::invalid(format!(
                "expected an https:// URL for {what} (or http:// on this machine), got {url:?}"
            ))
        })?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .timeout(EXCHANGE_MAX);
        if url.scheme() == "http" {
            // A proxy from the environment is another machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|cause| {
            Error::internal(format!("cannot make a client for {what}: {cause}"))
        })?;
        Ok(Self { http, url, what })
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.what, self.url)
    }

    /// Sends one request.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there is no whole answer, or one of a server that can't work now.
    pub(super) async fn post(&self, ask: Ask) -> Result<Answer, AccessKeysError> {
        let Ask { content_type, bearer, body } = ask;
        let mut request = self
            .http
            .post(self.url.clone())
            .header(http::header::CONTENT_TYPE, content_type)
            .body(body);
        if let Some(token) = bearer {
            request = request.bearer_auth(token.reveal());
        }
        let silent = |cause: reqwest::Error| {
            AccessKeysError::Unavailable(format!(
                "{} does not answer: {}",
                self.name(),
                deepest(&cause)
            ))
        };
        let mut response = request.send().await.map_err(silent)?;
        let status = response.status();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(AccessKeysError::Unavailable(format!(
                    "{} answers with more than {ANSWER_BYTES_MAX} bytes; check its URL",
                    self.name()
                )));
            }
            body.extend_from_slice(&chunk);
        }
        self.passing(status)?;
        Ok(Answer { status, body: body.freeze() })
    }

    /// Tells answers of a server that can't work now, and redirects.
    fn passing(&self, status: StatusCode) -> Result<(), AccessKeysError> {
        let name = self.name();
        if status.is_redirection() {
            return Err(AccessKeysError::Refused(format!(
                "{name} answers {status}, and redirects are not followed; set the URL to which it redirects"
            )));
        }
        let is_busy = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if is_busy || status.is_server_error() {
            return Err(AccessKeysError::Unavailable(format!("{name} answers {status}")));
        }
        Ok(())
    }
}

/// The innermost cause of a failed exchange, which has no URL and no secrets.
fn deepest(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", EXCHANGE_MAX.as_secs());
    }
    let mut cause = error.source();
    let mut text = None;
    while let Some(current) = cause {
        text = Some(current.to_string());
        cause = current.source();
    }
    text.unwrap_or_else(|| "the connection failed".to_owned())
}
