//! Compression of responses for clients that accept it (`Accept-Encoding`, RFC 9110 section
//! 12.5.3).
//!
//! tower-http does the work. Its layer is applied to a complete response, so that it can't
//! influence an object.

use dotdo_core::{Body, Error, Response};
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header};
use http_body_util::BodyExt;
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::compression::{Compression, CompressionBody};

use super::answered::{Answered, ask};
use super::vary;

/// Errors of a body that passes through the layer.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Content types to compress, besides `text/…` and everything with JSON or XML. Images, videos and
/// archives are already compressed.
const COMPRESSIBLE: [&str; 5] = [
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/javascript",
    "application/wasm",
];

/// The responses to compress.
#[derive(Debug, Clone)]
pub(crate) struct CompressionSettings {
    /// Whether compression is on.
    pub(crate) is_on: bool,
    /// Minimum size in bytes; responses of unknown length are always compressed.
    pub(crate) bytes_min: u64,
}

impl Default for CompressionSettings {
    fn default() -> Self {
        Self { is_on: false, bytes_min: 1024 }
    }
}

/// Copies the request headers that [`compressed`] needs.
pub(super) fn note(headers: &HeaderMap, asked: &mut HeaderMap) {
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        asked.append(header::ACCEPT_ENCODING, value.clone());
    }
}

/// The response, compressed if that is requested and allowed.
pub(super) fn compressed(
    settings: &CompressionSettings,
    asked: &HeaderMap,
    response: Response,
) -> Response {
    let (status, was_encoded) =
        (response.status(), response.headers().contains_key(header::CONTENT_ENCODING));
    let mut probe = http::Request::new(());
    for value in asked.get_all(header::ACCEPT_ENCODING) {
        probe.headers_mut().append(header::ACCEPT_ENCODING, value.clone());
    }
    let layer = Compression::new(Answered(response))
        .compress_when(SizeAbove::new(settings.bytes_min).and(is_compressible));
    let mut answer: http::Response<CompressionBody<Body>> = ask(layer, probe);
    // A client that accepts no encoding gets the response anyway, because the object has done its
    // work (RFC 9110 section 12.5.3 allows that).
    *answer.status_mut() = status;
    vary::join(answer.headers_mut());
    if was_encoded || !answer.headers().contains_key(header::CONTENT_ENCODING) {
        return answer.map(CompressionBody::into_inner);
    }
    weaken(answer.headers_mut());
    let ours = |cause: BoxError| {
        cause
            .downcast::<Error>()
            .map_or_else(|other| Error::internal(other.to_string()), |error| *error)
    };
    answer.map(|body| Body::new(body.map_err(ours)))
}

/// Whether a response has a compressible type and may be transformed.
fn is_compressible(status: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let content_type = text(header::CONTENT_TYPE);
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let fits = kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || COMPRESSIBLE.contains(&kind);
    // Clients read events as they arrive, and some proxies only if they are not compressed.
    let is_stream_of_events = kind == "text/event-stream";
    let rules = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let must_stay = rules.into_iter().any(|rule| rule.trim().eq_ignore_ascii_case("no-transform"));
    fits && !is_stream_of_events && !must_stay && status != StatusCode::PARTIAL_CONTENT
}

/// A strong tag promises identical bytes, which compression changes (RFC 9110 section 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
    else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(header::ETAG, weak);
    }
}
