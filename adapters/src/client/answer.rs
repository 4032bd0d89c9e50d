//! What an answer means: a response of an object, an error, or that the request may be sent again.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dotdo_core::{Body, Error, ErrorKind, Response};
use http::header::RETRY_AFTER;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::cluster::peers::{KINDS, error_from};
use crate::edge::status_of_kind;

/// Maximum size of the response of an error, in bytes.
const ERROR_BYTES_MAX: usize = 1 << 20;

/// The kinds that statuses stand for which several kinds have.
const USUAL: [ErrorKind; 3] = [ErrorKind::Conflict, ErrorKind::Busy, ErrorKind::Handler];

/// What came of one try.
pub(super) enum Outcome {
    /// The response, or an error that does not pass.
    Answered(Result<Response, Error>),
    /// It was refused for a reason that passes.
    Refused(Error),
    /// Nobody knows whether it was executed.
    Unknown(Error),
    /// It never reached a server.
    Unreached(Error),
}

/// The fields by which an error of a server is recognised.
#[derive(Deserialize)]
struct ErrorBody {
    code: String,
    status: u16,
    #[serde(rename = "requestId")]
    _request_id: String,
}

/// Reads the response of a server as far as is needed to know what it means.
pub(super) async fn read(response: reqwest::Response) -> Outcome {
    let response = http::Response::from(response);
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return Outcome::Answered(Ok(streamed(response)));
    }
    let (head, body) = response.into_parts();
    let Some(body) = small(body).await else {
        let text = format!("the server answers {status}, and its response is cut off or too large");
        return Outcome::Unknown(Error::new(ErrorKind::Unknown, text));
    };
    match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(error) if error.status == status.as_u16() => {
            meaning(error_of(status, &error.code, (&head.headers, &body)))
        }
        _ => by_proxy(head, body),
    }
}

/// What an error of a server means.
fn meaning(error: Error) -> Outcome {
    match error.kind() {
        ErrorKind::Fenced | ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::RateLimited => {
            Outcome::Refused(error)
        }
        ErrorKind::Unknown => Outcome::Unknown(error),
        _ => Outcome::Answered(Err(error)),
    }
}

/// What a response means that no server of objects has made: it is the class's own, or one of what
/// is in front of the servers.
fn by_proxy(head: Parts, body: Bytes) -> Outcome {
    let text = format!("the server answers {}", head.status);
    match head.status {
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            Outcome::Unknown(Error::new(ErrorKind::Unknown, text))
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            let error = Error::new(ErrorKind::Unknown, text);
            Outcome::Unknown(match wait(&head.headers) {
                Some(after) => error.with_retry_after(after),
                None => error,
            })
        }
        _ => Outcome::Answered(Ok(Response::from_parts(head, body.into()))),
    }
}

/// The error in a server's response.
fn error_of(http_status: StatusCode, code: &str, (headers, body): (&HeaderMap, &Bytes)) -> Error {
    let fits = |kind: &ErrorKind| status_of_kind(*kind) == http_status;
    let named = KINDS.into_iter().find(|kind| kind.code() == code && fits(kind));
    let kind = named.or_else(|| USUAL.into_iter().find(fits));
    let kind = kind.or_else(|| KINDS.into_iter().find(fits)).unwrap_or(ErrorKind::Handler);
    error_from(kind.code(), headers, body)
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn streamed(response: http::Response<reqwest::Body>) -> Response {
    use http_body_util::BodyExt as _;
    response.map(|body| {
        Body::new(body.map_err(|_| Error::handler("the response of the object is cut off")))
    })
}

/// The whole body; `None` when it is cut off, or longer than an error is.
async fn small(mut body: reqwest::Body) -> Option<Bytes> {
    use http_body_util::BodyExt as _;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            if bytes.len() + data.len() > ERROR_BYTES_MAX {
                return None;
            }
            bytes.extend_from_slice(&data);
        }
    }
    Some(bytes.freeze())
}
