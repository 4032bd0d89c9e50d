//! Sends a request until it is answered, or its time is over.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{
    Error, ErrorKind, IDEMPOTENCY_KEY_HEADER, Random as _, Response, Result, idempotency_key,
};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use tokio::time::Instant;

use super::answer::{Outcome, read};
use super::{Client, Timing};
use crate::system::components::OsRandom;

/// The pause before a request is sent for the second time; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The maximum of that pause. A server may ask for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Headers that belong to a connection and not to a request.
const OF_CONNECTIONS: [http::HeaderName; 4] = [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

/// A request that may be sent several times.
pub(super) struct Ask {
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

/// Marks a request, in its extensions, as one that changes nothing whatever its method.
#[derive(Clone, Copy)]
pub(super) struct ChangesNothing;

impl Ask {
    /// Whether it has one effect at most, however often it is sent.
    fn is_repeatable(&self) -> bool {
        self.changes_nothing() || self.head.headers.contains_key(IDEMPOTENCY_KEY_HEADER)
    }

    fn changes_nothing(&self) -> bool {
        self.head.method.is_safe() || self.head.extensions.get::<ChangesNothing>().is_some()
    }
}

/// Sends `ask` until it is answered.
///
/// # Errors
///
/// Those of [`ClientObject::fetch`](super::ClientObject::fetch).
pub(super) async fn send(client: &Client, mut ask: Ask) -> Result<Response> {
    for name in &OF_CONNECTIONS {
        ask.head.headers.remove(name);
    }
    let Timing { all, attempt, repeats } = client.timing;
    let deadline = Instant::now() + all;
    let (mut pause, mut is_unknown) = (PAUSE_MIN, false);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match once(client, &ask, left.min(attempt)).await {
            Outcome::Answered(answer) => return answer,
            Outcome::Unknown(error) => {
                is_unknown = true;
                if !ask.is_repeatable() {
                    return Err(unknown(&ask, error));
                }
                error
            }
            Outcome::Refused(error) | Outcome::Unreached(error) => error,
        };
        let wanted = error.retry_after().unwrap_or_default().max(scattered(pause));
        let left = deadline.saturating_duration_since(Instant::now());
        if !repeats || wanted >= left {
            return Err(if is_unknown { unknown(&ask, error) } else { error });
        }
        tokio::time::sleep(wanted).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Between the half and the whole of a pause, so that clients do not come back together.
fn scattered(pause: Duration) -> Duration {
    let [random, ..] = OsRandom.bytes16();
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}

/// Sends the request once.
async fn once(client: &Client, ask: &Ask, within: Duration) -> Outcome {
    let path = ask.head.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = client
        .http
        .request(ask.head.method.clone(), format!("{}{path}", client.base))
        .headers(ask.head.headers.clone())
        .body(ask.body.clone());
    let answered = async {
        match request.send().await {
            Ok(response) => read(response).await,
            Err(cause) if cause.is_builder() => Outcome::Answered(Err(Error::invalid(format!(
                "no such request: {}",
                deepest(&cause)
            )))),
            Err(cause) if cause.is_connect() => {
                let text = format!("cannot reach the server: {}", deepest(&cause));
                Outcome::Unreached(unreachable(text))
            }
            Err(cause) => Outcome::Unknown(Error::new(
                ErrorKind::Unknown,
                format!("the server has not answered: {}", deepest(&cause)),
            )),
        }
    };
    let late = || {
        let text = format!("the server has not answered within {} ms", within.as_millis());
        Outcome::Unknown(Error::new(ErrorKind::Unknown, text))
    };
    tokio::time::timeout(within, answered).await.unwrap_or_else(|_| late())
}

/// The error for a request that may have been executed, as its sender must take it.
fn unknown(ask: &Ask, error: Error) -> Error {
    if ask.changes_nothing() {
        return unreachable(error.message());
    }
    let key = idempotency_key(&ask.head.headers).ok().flatten();
    let text = match key {
        Some(_) => format!(
            "it is not known whether the request was executed; send it again with its key: {}",
            error.message()
        ),
        None => format!("it is not known whether the request was executed: {}", error.message()),
    };
    let known = Error::new(ErrorKind::Unknown, text).with_source(error);
    match key {
        Some(key) => known.with_details(serde_json::json!({ "idempotencyKey": key })),
        None => known,
    }
}

fn unreachable(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, text).with_code("SERVER_UNREACHABLE")
}

/// The innermost cause, which has no URL.
fn deepest(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = None;
    while let Some(current) = cause {
        text = Some(current.to_string());
        cause = current.source();
    }
    text.unwrap_or_else(|| "the connection failed".to_owned())
}
