//! Converts the payload of an invocation to its request.
//!
//! The payload is documented in Microsoft's "Azure Functions custom handlers"; the contents of its
//! fields and the encoding of bodies are in the source of the Functions host
//! (`HttpRequestExtensions.GetRequestAsJObject`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dotdo_core::{Error, Result};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use http_body_util::Full;
use serde::Deserialize;

/// The character that replaces bytes that the host could not decode as UTF-8.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Headers of the connection between the host and its client (RFC 9110, section 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "Data")]
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    /// The name of the trigger in function.json.
    req: Trigger,
}

#[derive(Deserialize)]
struct Trigger {
    #[serde(rename = "Url")]
    url: String,
    #[serde(rename = "Method")]
    method: String,
    #[serde(rename = "Headers", default)]
    headers: BTreeMap<String, Values>,
    #[serde(rename = "Body", default)]
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Several(Vec<String>),
    One(String),
}

/// The request of a payload.
///
/// # Errors
///
/// `Invalid` when it is not a request, or its body was damaged.
pub(super) fn described(payload: &[u8]) -> Result<http::Request<Full<Bytes>>> {
    let trigger = serde_json::from_slice::<Payload>(payload).map_err(|cause| {
        let message = format!("expected an invocation by an HTTP trigger named req: {cause}");
        Error::invalid(message).with_code("BAD_INVOCATION")
    })?;
    let Trigger { url, method, headers, body } = trigger.data.req;
    let mut headers = all(headers)?;
    let body = whole(body, &headers)?;
    if body.is_empty() {
        headers.remove(header::CONTENT_LENGTH);
    } else {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    OF_THE_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
    let mut request = http::Request::new(Full::new(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes())
        .map_err(|_| bad(&format!("expected a method, got {method:?}")))?;
    *request.uri_mut() = target(&url)?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn bad(what: &str) -> Error {
    Error::invalid(what).with_code("BAD_INVOCATION")
}

/// The path and the query of a URL.
fn target(url: &str) -> Result<Uri> {
    let rest = if url.starts_with('/') {
        url
    } else {
        url.split_once("://").map_or(url, |(_, rest)| rest)
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let text = if rest[at..].starts_with('/') {
        rest[at..].to_owned()
    } else {
        format!("/{}", &rest[at..])
    };
    PathAndQuery::try_from(text)
        .map(Uri::from)
        .map_err(|cause| bad(&format!("cannot parse the URL of the request: {cause}")))
}

fn all(given: BTreeMap<String, Values>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, values) in given {
        let key = HeaderName::try_from(&*name)
            .map_err(|_| bad(&format!("expected the name of a header, got {name:?}")))?;
        let values = match values {
            Values::Several(values) => values,
            Values::One(value) => vec![value],
        };
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
                bad(&format!("the value of the header {name} has characters that are not allowed"))
            })?;
            headers.append(&key, value);
        }
    }
    Ok(headers)
}

/// The original bytes of the body, which the payload has as base64 or as text.
fn whole(body: Option<String>, headers: &HeaderMap) -> Result<Bytes> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let Some(text) = body else {
        // The host drops bodies of unknown length.
        if announced.is_some_and(|bytes| bytes > 0)
            || headers.contains_key(header::TRANSFER_ENCODING)
        {
            let message = "the Functions host forwards bodies only with a Content-Length; send one, or let the host proxy HTTP (azure_functions.mode = \"http\")";
            return Err(Error::invalid(message).with_code("LENGTH_REQUIRED"));
        }
        return Ok(Bytes::new());
    };
    let fits = |bytes: &[u8]| announced.is_none_or(|announced| announced == bytes.len());
    if are_bytes(headers)
        && let Some(bytes) = STANDARD.decode(&text).ok().filter(|bytes| fits(bytes))
    {
        return Ok(bytes.into());
    }
    if fits(text.as_bytes()) && !text.contains(REPLACEMENT) {
        return Ok(text.into());
    }
    let message = "the Functions host treated the body as text, but it is not UTF-8; send it with Content-Type: application/octet-stream, or let the host proxy HTTP (azure_functions.mode = \"http\")";
    Err(Error::invalid(message).with_code("BODY_NOT_TEXT"))
}

/// Whether the host encodes such a body as base64.
fn are_bytes(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/octet-stream" || kind.contains("multipart/")
}
