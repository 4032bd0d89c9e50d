//! The HTTP connection to a database: one request, no redirects, a time for each.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Clock, Error, Result, Secret};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::LibsqlAccess;
use super::answer::{Answer, Failure, short};
use super::statement::Pipeline;

/// Timeout for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Timeout of a request, besides the time for its bytes at [`BYTES_PER_SECOND_MIN`].
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Minimum transfer rate; a slower one counts as hanging.
const BYTES_PER_SECOND_MIN: u64 = 256 << 10;

/// Maximum size of an answer, in bytes. A page of a listing has some hundred KiB, and a part of an
/// object less than 6 MiB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Maximum size of the file with the token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A database's HTTP interface.
pub(super) struct Link {
    http: reqwest::Client,
    /// Where it is, without a path.
    address: String,
    token: Token,
    clock: Arc<dyn Clock>,
}

/// Where the token is.
enum Token {
    None,
    Given(Secret),
    /// In a file, which somebody replaces from time to time.
    File(String),
}

impl Link {
    /// A link to the database at `address`; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// `Internal` when there can be no client.
    pub(super) fn new(
        address: String,
        access: &LibsqlAccess,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX);
        if address.starts_with("http://") {
            // A proxy from the environment is another machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|cause| {
            Error::internal(format!("cannot make a client for the database: {cause}"))
        })?;
        let token = match (&access.token, &access.token_file) {
            (Some(token), _) => Token::Given(token.clone()),
            (None, Some(file)) => Token::File(file.clone()),
            (None, None) => Token::None,
        };
        Ok(Self { http, address, token, clock })
    }

    /// The clock by which time passes here.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Where it is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a pipeline once.
    pub(super) async fn send(&self, pipeline: &Pipeline) -> Result<Answer, Failure> {
        let body = serde_json::to_vec(pipeline)
            .map_err(|error| Failure::Refused(format!("the request can't be written: {error}")))?;
        let token = self.token().await?;
        let length = body.len() as u64;
        let mut response = self.in_time(length, self.request(body, token.as_ref())).await?;
        let (status, length) = (response.status(), response.content_length().unwrap_or(0));
        let body = self.in_time(length, whole(&mut response)).await?;
        if status == StatusCode::OK {
            Answer::parse(&body)
        } else {
            Err(refusal(status, &body, token.as_ref()))
        }
    }

    /// What `work` gives, in the time that so many bytes may take.
    async fn in_time<T>(
        &self,
        bytes: u64,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let seconds = bytes.min(ANSWER_BYTES_MAX as u64 * 4) / BYTES_PER_SECOND_MIN;
        let time_max = ANSWER_MAX + Duration::from_secs(seconds);
        tokio::select! {
            done = work => done,
            () = self.clock.sleep(time_max) => {
                Err(Failure::Unclear(format!("no response within {} s", time_max.as_secs())))
            }
        }
    }

    /// Sends a request; the answer's body is still to be read.
    async fn request(
        &self,
        body: Vec<u8>,
        token: Option<&Secret>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = self
            .http
            .post(format!("{}/v2/pipeline", self.address))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let mut value = value.map_err(|_| {
                Failure::Refused(
                    "the token has characters that can't be sent; set TURSO_TOKEN to the token of the database"
                        .to_owned(),
                )
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.send().await.map_err(unclear)
    }

    async fn token(&self) -> Result<Option<Secret>, Failure> {
        let file = match &self.token {
            Token::None => return Ok(None),
            Token::Given(token) => return Ok(Some(token.clone())),
            Token::File(file) => file,
        };
        // It is being replaced, perhaps.
        let text = tokio::fs::read_to_string(file).await.map_err(|cause| {
            Failure::Unclear(format!("cannot read the token in {file}: {}", cause.kind()))
        })?;
        let text = text.trim();
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX {
            return Err(Failure::Unclear(format!(
                "expected a token in {file}, got {} bytes",
                text.len()
            )));
        }
        Ok(Some(Secret::new(text)))
    }
}

/// The body of an answer.
async fn whole(response: &mut reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unclear)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            let text = format!("expected an answer of at most {ANSWER_BYTES_MAX} bytes");
            return Err(Failure::Unclear(text));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The meaning of a status that is not 200.
fn refusal(status: StatusCode, body: &[u8], token: Option<&Secret>) -> Failure {
    let said = short(&String::from_utf8_lossy(body));
    let said = match token {
        Some(token) if !token.reveal().is_empty() => said.replace(token.reveal(), "(secret)"),
        _ => said,
    };
    let text = format!("the database answered {status}, {said}");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Failure::Refused(format!("{text}; set TURSO_TOKEN to a token that may read and write"))
        }
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => Failure::Unclear(text),
        _ if status.is_server_error() => Failure::Unclear(text),
        _ if status.is_success() => Failure::Unclear(text),
        _ => Failure::Refused(format!("{text}; set TURSO_URL to the URL of the database")),
    }
}

/// The deepest cause, without the address.
fn unclear(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = deeper.to_string();
        cause = deeper.source();
    }
    Failure::Unclear(short(&text))
}
