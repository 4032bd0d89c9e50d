//! Requests to backends: one at a time, with bounds, and no redirects.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dotdo_core::{Error, ErrorKind, Result};
use http::{Request, StatusCode};
use reqwest::redirect::Policy;

/// Maximum size of an answer, in bytes: keys have a few kilobytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Maximum time of a request.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What clients are told of a failure; the log has the rest.
const TOLD_SILENT: &str = "the broker can't reach what makes keys at the moment; retry later";
const TOLD_REFUSED: &str =
    "what makes keys refuses the broker; its log has details under this request's id";

/// A client for backends.
#[derive(Debug, Clone)]
pub(super) struct Http(reqwest::Client);

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Http {
    /// # Errors
    ///
    /// `Internal` when TLS can't be set up.
    pub(super) fn new() -> Result<Self> {
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(ANSWER_MAX);
        let client = client
            .build()
            .map_err(|cause| Error::internal("cannot set up an HTTP client").with_source(cause))?;
        Ok(Self(client))
    }

    /// Sends a request, once.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there is no answer in time, or one that is too large.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Answer> {
        let request = reqwest::Request::try_from(request)
            .map_err(|cause| Error::internal("a request has no URL").with_source(cause))?;
        // The address may have a secret in its query.
        let silent = |cause: reqwest::Error| {
            unavailable("it does not answer").with_source(cause.without_url())
        };
        let mut answer = self.0.execute(request).await.map_err(silent)?;
        let (status, mut body) = (answer.status(), BytesMut::new());
        while let Some(chunk) = answer.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(unavailable("its answer is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: body.freeze() })
    }
}

/// The backend has not given keys, and may later.
pub(super) fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("no keys from the backend: {why}"))
        .with_code("KEYS_UNAVAILABLE")
        .confidential(TOLD_SILENT)
}

/// The backend has refused the broker, which an operator has to repair.
pub(super) fn refused(why: &str) -> Error {
    Error::new(
        ErrorKind::StoreRefused,
        format!("the backend refuses to make keys: {why}; check the broker's settings and keys"),
    )
    .with_code("KEYS_REFUSED")
    .confidential(TOLD_REFUSED)
}

/// A short text of a backend for the log: printable, and not longer than a line.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(100).collect()
}
