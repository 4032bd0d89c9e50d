//! Objects that show what reaches them.
//!
//! `/echo` gives the body back, `/say` answers as its body describes, `/pattern?bytes=` and
//! `/check` send and compare large bodies, `/stream?gate=` and `/taste?gate=` wait at a gate
//! between two parts of a body; any other path tells what was asked.

use bytes::Bytes;
use dotdo::{Body, Context, DurableObject, Error, Request, Response, Result, json};
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};

use crate::pattern::pattern;
use crate::{gate, query};

pub(crate) struct Mirror;

impl DurableObject for Mirror {
    const STREAMS_REQUESTS: bool = true;

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        match request.uri().path() {
            "/echo" => Ok(echo(request)),
            "/say" => say(&request.into_body().json().await?),
            "/pattern" => Ok(Response::new(pattern(query::number(&query, "bytes")?).into())),
            "/check" => {
                let body = request.into_body().bytes().await?;
                json(&json!({ "bytes": body.len(), "right": body == pattern(body.len()) }))
            }
            "/stream" => Ok(parts(at_gate(&query)?.to_owned())),
            "/taste" => taste(request.into_body(), at_gate(&query)?).await,
            _ => seen(request, ctx).await,
        }
    }
}

fn at_gate(query: &str) -> Result<&str> {
    query::text(query, "gate").ok_or_else(|| Error::invalid("gate is missing"))
}

/// The body, as it comes, with the type that it came with.
fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(kind) = head.headers.get(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

/// What reached this object. Bytes of headers' values are shown as the characters with the same
/// numbers.
async fn seen(request: Request, ctx: &mut Context) -> Result<Response> {
    let (head, body) = request.into_parts();
    let value =
        |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect::<String>();
    let headers: Vec<_> =
        head.headers.iter().map(|(name, text)| json!([name.as_str(), value(text)])).collect();
    let bytes = body.bytes().await?.len();
    let caller = ctx.caller();
    json(&json!({
        "caller": {
            "subject": caller.subject(),
            "org": caller.tenant().org(),
            "tenant": caller.tenant().name(),
            "scopes": caller.scopes().to_string(),
        },
        "class": ctx.id().class(),
        "id": ctx.id().id(),
        "method": head.method.as_str(),
        "uri": head.uri.to_string(),
        "headers": headers,
        "bytes": bytes,
    }))
}

/// The answer that `wish` describes: `status`, `headers` as pairs, `body`. Characters of headers'
/// values stand for the bytes with the same numbers.
fn say(wish: &Value) -> Result<Response> {
    let wrong = || Error::invalid(format!("this is no answer: {wish}"));
    let mut response = Response::new(wish["body"].as_str().unwrap_or_default().to_owned().into());
    if let Some(status) = wish["status"].as_u64() {
        let status =
            u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        *response.status_mut() = status.ok_or_else(wrong)?;
    }
    for pair in wish["headers"].as_array().into_iter().flatten() {
        let (name, value) =
            (pair[0].as_str().ok_or_else(wrong)?, pair[1].as_str().ok_or_else(wrong)?);
        let value: Vec<u8> =
            value.chars().map(u8::try_from).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        response.headers_mut().append(name, HeaderValue::from_bytes(&value).map_err(|_| wrong())?);
    }
    Ok(response)
}

/// A body in two parts; the second comes when the gate opens.
fn parts(gate: String) -> Response {
    let first = stream::once(async { Ok(http_body::Frame::data(Bytes::from_static(b"first"))) });
    let second = stream::once(async move {
        gate::pass(&gate, "between").await?;
        Ok::<_, Error>(http_body::Frame::data(Bytes::from_static(b"second")))
    });
    Response::new(Body::new(StreamBody::new(first.chain(second))))
}

/// Says the first part of the body at the gate before it reads the others, and answers with all of
/// it.
async fn taste(mut body: Body, gate: &str) -> Result<Response> {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if all.is_empty() {
            gate::pass(gate, &String::from_utf8_lossy(&data)).await?;
        }
        all.extend_from_slice(&data);
    }
    Ok(Response::new(all.into()))
}
