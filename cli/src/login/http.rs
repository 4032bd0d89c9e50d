//! Requests to providers and brokers, one at a time.
//!
//! Promises: an answer or an error within [`ANSWER_MAX`]; redirects are not followed, because a
//! request may have a secret in it; no error contains what was sent.

use std::time::Duration;

use dotdo::engine::Secret;
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::failure::{Failure, unanswered};

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take, to its last byte.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Maximum size of an answer, in bytes. Documents of providers have a few kilobytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// A client for HTTP.
pub(super) struct Http {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

/// An answer with any status.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Vec<u8>,
}

/// A request that got no answer, for a reason that may pass.
#[derive(Debug)]
pub(super) struct Unanswered(String);

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Http {
    /// A client.
    ///
    /// # Errors
    ///
    /// `Failed` when the system gives no threads, or no certificates to trust.
    pub(super) fn new() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| Failure::of("cannot start", cause))?;
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("dotdo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| {
                Failure::of("cannot prepare requests", unanswered(&cause, ANSWER_MAX))
            })?;
        Ok(Self { runtime, client })
    }

    /// GET.
    pub(super) fn get(&self, url: &Url) -> Result<Answer, Unanswered> {
        self.send(self.client.get(url.clone()))
    }

    /// POST of a form.
    pub(super) fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(url.clone()).body(body);
        self.send(request.header("content-type", "application/x-www-form-urlencoded"))
    }

    /// Any request with a bearer token, and JSON if there is any.
    pub(super) fn ask(
        &self,
        (method, url): (Method, &Url),
        token: &Secret,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, Unanswered> {
        let request = self.client.request(method, url.clone()).bearer_auth(token.reveal());
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
    }

    /// Waits.
    pub(super) fn wait(&self, time: Duration) {
        // A timer is made inside of a runtime.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// From now on the process survives Ctrl-C and SIGTERM: what is about to be answered exists only
    /// once. Requests are short, so it ends soon by itself.
    pub(super) fn hold_signals(&self) {
        #[cfg(unix)]
        self.runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
                // Without a handler the signal ends the process, as it usually does.
                drop(signal(kind));
            }
        });
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Unanswered> {
        self.runtime.block_on(async {
            let mut answer =
                request.send().await.map_err(|cause| Unanswered(unanswered(&cause, ANSWER_MAX)))?;
            let status = answer.status().as_u16();
            let mut body = Vec::new();
            while let Some(part) =
                answer.chunk().await.map_err(|cause| Unanswered(unanswered(&cause, ANSWER_MAX)))?
            {
                if body.len() + part.len() > ANSWER_BYTES_MAX {
                    let most = ANSWER_BYTES_MAX >> 10;
                    return Err(Unanswered(format!("the answer has more than {most} KiB")));
                }
                body.extend_from_slice(&part);
            }
            Ok(Answer { status, body })
        })
    }
}

impl Answer {
    #[cfg(test)]
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self { status, body: body.into() }
    }

    /// Whether the status is one of success.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the status says that the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..)
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// What was expected, without the body: it may have a secret in it.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        // The parser's own report can quote a value.
        serde_json::from_slice(&self.body).map_err(|cause| {
            let kind = match cause.classify() {
                serde_json::error::Category::Data => "JSON with other fields",
                _ => "something that is not JSON",
            };
            format!("expected JSON, got {kind} (status {})", self.status)
        })
    }
}
