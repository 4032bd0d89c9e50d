//! From what a function gives back to responses, as each front end makes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Incoming;
use serde_json::Value;

use super::Front;
use crate::host::{Body, Broken};
use crate::message::full;

/// What tells that a function answers piece by piece.
const MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
/// How a function tells that a piece is missing: after all others.
const FAILED: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
/// The emulator's name for a length that it does not vouch for.
const LENGTH: HeaderName = HeaderName::from_static("x-amzn-remapped-content-length");

/// The response that the client gets for what the emulator says.
pub(super) async fn of(
    front: Front,
    invoked: Response<Incoming>,
) -> Result<Response<Body>, Broken> {
    if invoked.headers().contains_key(MODE) {
        return Ok(in_pieces(invoked));
    }
    let status = invoked.status();
    let document: Value = serde_json::from_slice(&invoked.into_body().collect().await?.to_bytes())?;
    if !status.is_success() || document.get("statusCode").is_none() {
        return Err(format!("the invocation failed, {status}: {document}").into());
    }
    whole(front, &document)
}

fn in_pieces(mut invoked: Response<Incoming>) -> Response<Body> {
    if let Some(length) = invoked.headers_mut().remove(LENGTH) {
        invoked.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    invoked.map(|body| {
        let pieces = BodyStream::new(body).map(|frame| match frame?.into_trailers() {
            Ok(trailers) if trailers.contains_key(FAILED) => {
                Err(Broken::from("the function gave up within the body"))
            }
            Ok(trailers) => Ok(Frame::trailers(trailers)),
            Err(frame) => Ok(frame),
        });
        StreamBody::new(pieces).boxed_unsync()
    })
}

fn whole(front: Front, document: &Value) -> Result<Response<Body>, Broken> {
    let body = document["body"].as_str().unwrap_or_default();
    let body: Bytes = if document["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(body)?.into()
    } else {
        body.to_owned().into()
    };
    let status = document["statusCode"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .ok_or("the status is no number")?;
    let mut response = Response::builder().status(status).body(full(body))?;
    let headers = response.headers_mut();
    if matches!(front, Front::RestApi | Front::LoadBalancer) {
        for (name, values) in document["multiValueHeaders"].as_object().into_iter().flatten() {
            values
                .as_array()
                .into_iter()
                .flatten()
                .try_for_each(|value| append(headers, name, value))?;
        }
    } else {
        for (name, value) in document["headers"].as_object().into_iter().flatten() {
            append(headers, name, value)?;
        }
        for cookie in document["cookies"].as_array().into_iter().flatten() {
            append(headers, "set-cookie", cookie)?;
        }
    }
    Ok(response)
}

fn append(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Broken> {
    headers
        .append(name.parse::<HeaderName>()?, value.as_str().ok_or("a value is no text")?.parse()?);
    Ok(())
}
