//! Converts responses for Lambda: to one JSON document, or to the head as JSON followed by the
//! streamed body.

use std::collections::BTreeMap;
use std::future::Future;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use dotdo_core::{Body, Error, ErrorKind, REQUEST_ID_HEADER, Response, Result};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, response};
use http_body::Frame;
use http_body_util::{BodyDataStream, BodyExt, LengthLimitError, Limited, StreamBody};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::request::Front;
use crate::edge::refusal;

/// Limits of a response as one document, in bytes.
struct Bounds {
    /// Maximum size that the front end accepts.
    document: usize,
    /// Maximum size of the encoded body, which is a third longer in base64. The rest is for the
    /// head.
    body: usize,
}

/// Lambda's quota for payloads is 6 MB.
const USUAL: Bounds = Bounds { document: 6 << 20, body: 6_000_000 };
/// The limit of load balancers is 1 MB.
const OF_LOAD_BALANCERS: Bounds = Bounds { document: 1 << 20, body: 1_000_000 };

/// The response to an event.
pub(super) enum Answer {
    /// One document.
    Whole(Box<RawValue>),
    /// The head as a document, followed by the body.
    InPieces(Body),
}

/// The response as one document in the form for `front`. A response that is too large or ended
/// early becomes an error.
pub(super) async fn whole(response: Response, front: Front) -> Answer {
    let bounds = match front {
        Front::LoadBalancer { .. } => OF_LOAD_BALANCERS,
        Front::RestApi | Front::HttpApi | Front::FunctionUrl | Front::WebSocketApi => USUAL,
    };
    let (head, body) = response.into_parts();
    let error = match collected(body, &bounds).await.map(|bytes| document(front, &head, &bytes)) {
        Ok((document, body_bytes))
            if body_bytes <= bounds.body && document.get().len() <= bounds.document =>
        {
            return Answer::Whole(document);
        }
        Ok(_) => too_large(&bounds),
        Err(error) => error,
    };
    let id = head.headers.get(REQUEST_ID_HEADER).cloned().unwrap_or(HeaderValue::from_static(""));
    tracing::error!(request_id = ?id, error = ?error, "cannot send a response");
    let (mut head, body) = refusal(&error, &id).into_parts();
    head.headers.insert(REQUEST_ID_HEADER, id);
    Answer::Whole(document(front, &head, &body.bytes().await.unwrap_or_default()).0)
}

async fn collected(body: Body, bounds: &Bounds) -> Result<Bytes> {
    match Limited::new(body, bounds.body).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(cause) if cause.is::<LengthLimitError>() => Err(too_large(bounds)),
        Err(cause) => Err(cause.downcast::<Error>().map_or_else(Error::handler, |error| *error)),
    }
}

fn too_large(bounds: &Bounds) -> Error {
    let (text, binary) = (bounds.body, bounds.body / 4 * 3);
    let message = format!(
        "the request was executed, but its response is larger than the {text} bytes of text or {binary} bytes of other data that Lambda accepts; function URLs and REST APIs can stream larger ones (DOTDO_LAMBDA_STREAMING)"
    );
    let details = serde_json::json!({ "textBytesMax": text, "binaryBytesMax": binary });
    Error::new(ErrorKind::Handler, message).with_code("RESPONSE_TOO_LARGE").with_details(details)
}

/// The response for front ends, each of which uses some of these fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'a str, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<&'a str, Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<String>>,
    is_base64_encoded: bool,
    body: String,
}

/// The response, and the size of its body.
fn document(front: Front, head: &response::Parts, body: &[u8]) -> (Box<RawValue>, usize) {
    let body = if has_body(head.status) { body } else { &[] };
    let plain = plain_text(&head.headers, body);
    let mut document = Document {
        status_code: head.status.as_u16(),
        status_description: None,
        headers: None,
        multi_value_headers: None,
        cookies: None,
        is_base64_encoded: plain.is_none(),
        body: plain.map_or_else(|| BASE64_STANDARD.encode(body), str::to_owned),
    };
    match front {
        Front::RestApi => document.multi_value_headers = Some(many(&head.headers)),
        Front::HttpApi | Front::FunctionUrl => {
            document.headers = Some(joined(&head.headers, &[header::SET_COOKIE]));
            document.cookies = Some(cookies(&head.headers));
        }
        Front::WebSocketApi => document.headers = Some(joined(&head.headers, &[])),
        Front::LoadBalancer { has_many } => {
            document.status_description = Some(description(head.status));
            if has_many {
                document.multi_value_headers = Some(many(&head.headers));
            } else {
                document.headers = Some(joined(&head.headers, &[]));
            }
        }
    }
    (
        to_raw_value(&document).expect("texts and numbers can be written as JSON"),
        document.body.len(),
    )
}

/// The body as text, if possible, because base64 is a third longer and REST APIs decode it only for
/// configured binary types. Encoded bodies, and bodies with many bytes to escape in JSON, are not
/// sent as text.
fn plain_text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    let is_encoded = headers.contains_key(header::CONTENT_ENCODING);
    let is_text =
        !body.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r'));
    if is_text && !is_encoded { std::str::from_utf8(body).ok() } else { None }
}

/// Whether HTTP allows a body with this status (RFC 9110, sections 15.3.5 and 15.4.5).
fn has_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn description(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Other"))
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn many(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    headers
        .keys()
        .map(|name| (name.as_str(), headers.get_all(name).iter().map(text).collect()))
        .collect()
}

/// All headers except `apart`, with repeated values joined by commas (RFC 9110, section 5.3).
fn joined<'a>(headers: &'a HeaderMap, apart: &[HeaderName]) -> BTreeMap<&'a str, String> {
    let all = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>().join(", ");
    headers
        .keys()
        .filter(|name| !apart.contains(name))
        .map(|name| (name.as_str(), all(name)))
        .collect()
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(header::SET_COOKIE).iter().map(text).collect()
}

/// The head of a streamed response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    status_code: u16,
    headers: BTreeMap<&'a str, String>,
    cookies: Vec<String>,
}

/// The separator between head and body.
const DELIMITER: [u8; 8] = [0; 8];

/// The streamed response. It ends after `last`, so that the process is not frozen before; if the
/// body ends early, so does the response.
pub(super) fn in_pieces(
    response: Response,
    last: impl Future<Output = ()> + Send + 'static,
) -> Answer {
    let (head, body) = response.into_parts();
    let document = Head {
        status_code: head.status.as_u16(),
        headers: joined(&head.headers, &[header::SET_COOKIE]),
        cookies: cookies(&head.headers),
    };
    let document = serde_json::to_vec(&document).expect("texts and numbers can be written as JSON");
    let first = stream::iter([Ok(Bytes::from(document)), Ok(Bytes::from_static(&DELIMITER))]);
    let body = if has_body(head.status) { body } else { Body::empty() };
    let pieces = BodyDataStream::new(body)
        .inspect_err(|error| tracing::error!(?error, "a response ended early"));
    let end = stream::once(last).filter_map(|()| std::future::ready(None));
    Answer::InPieces(Body::new(StreamBody::new(first.chain(pieces).chain(end).map_ok(Frame::data))))
}

#[cfg(test)]
mod tests;
