//! Responses of the object.

use dotdo::engine::REQUEST_ID_HEADER;
use dotdo::{Body, Context, Error, ObjectId, Response, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::conditions::{Conditions, tag_of, tag_of_text};
use super::fields::{Collection, MAIN, Object};
use super::list::Page;

/// Tells nginx not to gather a response.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Characters to encode in a segment of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The outcome of a request.
pub(super) enum Answer {
    /// The collections.
    Index,
    /// A page.
    List(Page),
    /// An existing item.
    Item(Collection, Object),
    /// A new item.
    Created(Collection, Object),
    /// A deleted item.
    Deleted,
    /// What became of the writes of a batch.
    Results(Vec<Value>),
    /// Events as they happen.
    Live(Body),
    /// A method that the path does not support.
    MethodNotAllowed { method: Method, allowed: &'static str },
    /// A body in a form that nobody reads here.
    Encoded(String),
}

/// The parts of an answer about an item.
struct Parts {
    status: StatusCode,
    etag: Option<String>,
    location: Option<String>,
    body: Option<Value>,
}

impl Answer {
    /// The response.
    ///
    /// # Errors
    ///
    /// `Internal` when a header can't be written, which is a bug.
    pub(super) fn response(self, ctx: &Context, headers: &HeaderMap) -> Result<Response> {
        match self {
            Self::Index => json_response(StatusCode::OK, index(ctx.id())),
            Self::Results(results) => json_response(StatusCode::OK, json!({ "results": results })),
            Self::List(page) => {
                let text = list(page).to_string();
                let tag = tag_of_text(&text);
                tagged(text_response(StatusCode::OK, text), &tag)
            }
            Self::Live(body) => Ok(live(body)),
            Self::MethodNotAllowed { method, allowed } => {
                method_not_allowed(&method, allowed, headers)
            }
            Self::Encoded(encoding) => encoded(&encoding, headers),
            item => item.parts(ctx).response(),
        }
    }

    /// What became of a write of a batch: `{"status", "etag"?, "location"?, "body"?}`.
    pub(super) fn result(self, ctx: &Context) -> Value {
        let Parts { status, etag, location, body } = self.parts(ctx);
        let mut result = json!({ "status": status.as_u16() });
        for (name, value) in [
            ("etag", etag.map(Value::from)),
            ("location", location.map(Value::from)),
            ("body", body),
        ] {
            if let Some(value) = value {
                result[name] = value;
            }
        }
        result
    }

    fn parts(self, ctx: &Context) -> Parts {
        match self {
            Self::Item(collection, item) => Parts {
                status: StatusCode::OK,
                etag: Some(tag_of(collection, &item)),
                location: None,
                body: Some(item.into()),
            },
            Self::Created(collection, item) => Parts {
                status: StatusCode::CREATED,
                etag: Some(tag_of(collection, &item)),
                location: Some(location(ctx.id(), collection, &item)),
                body: Some(item.into()),
            },
            _ => Parts { status: StatusCode::NO_CONTENT, etag: None, location: None, body: None },
        }
    }
}

impl Parts {
    fn response(self) -> Result<Response> {
        let mut response = match self.body {
            Some(body) => text_response(self.status, body.to_string()),
            None => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = self.status;
                response
            }
        };
        if let Some(location) = &self.location {
            response.headers_mut().insert(header::LOCATION, header_value(location)?);
        }
        match &self.etag {
            Some(tag) => tagged(response, tag),
            None => Ok(response),
        }
    }
}

/// The response to a read, without its body when the client has it.
///
/// # Errors
///
/// `PreconditionFailed` when the client wants something else.
pub(super) fn unless_known(conditions: &Conditions, mut response: Response) -> Result<Response> {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(tag) = tag else { return Ok(response) };
    if conditions.is_known(tag)? {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    Ok(response)
}

fn tagged(mut response: Response, tag: &str) -> Result<Response> {
    response.headers_mut().insert(header::ETAG, header_value(tag)?);
    Ok(response)
}

fn live(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep events until there are many.
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

fn json_response(status: StatusCode, value: Value) -> Result<Response> {
    Ok(text_response(status, value.to_string()))
}

fn text_response(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn index(object: &ObjectId) -> Value {
    let base = base(object);
    let collections: Object = Collection::ALL
        .iter()
        .map(|collection| {
            (collection.name().to_owned(), format!("{base}/{}", collection.name()).into())
        })
        .collect();
    json!({ "class": object.class(), "id": object.id(), "collections": collections })
}

fn list(page: Page) -> Value {
    let mut list = json!({ "count": page.items.len(), "items": page.items });
    if let Some(next) = page.next {
        list["next"] = next.text().into();
    }
    list
}

/// The path of the object: class and id are always in it, so that it needs no header.
fn base(object: &ObjectId) -> String {
    format!("/do/{}/{}", object.class(), escape(object.id()))
}

/// The path of an item.
fn location(object: &ObjectId, collection: Collection, item: &Object) -> String {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let branch = match collection {
        Collection::Things if text("branch") != MAIN => {
            format!("?branch={}", escape(text("branch")))
        }
        _ => String::new(),
    };
    format!("{}/{}/{}{branch}", base(object), collection.name(), escape(text("id")))
}

fn escape(text: &str) -> String {
    match text {
        // Alone in a segment, dots would be resolved as a relative path.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(text, ESCAPED).to_string(),
    }
}

fn method_not_allowed(
    method: &Method,
    allowed: &'static str,
    headers: &HeaderMap,
) -> Result<Response> {
    let text = format!("expected {allowed}, got {method}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = refusal((status, "METHOD_NOT_ALLOWED"), &text, headers)?;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    Ok(response)
}

fn encoded(encoding: &str, headers: &HeaderMap) -> Result<Response> {
    let text = format!(
        "expected a body without an encoding, got {encoding:?}; leave Content-Encoding out and send plain JSON"
    );
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let mut response = refusal((status, "UNSUPPORTED_ENCODING"), &text, headers)?;
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(response)
}

/// An error that needs a header, which errors of the core do not have.
fn refusal(
    (status, code): (StatusCode, &str),
    text: &str,
    headers: &HeaderMap,
) -> Result<Response> {
    let request_id = headers
        .get(REQUEST_ID_HEADER)
        .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let body = json!({
        "error": text, "code": code, "status": status.as_u16(), "requestId": request_id,
    });
    let mut response = json_response(status, body)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn header_value(text: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(text)
        .map_err(|cause| Error::internal(format!("cannot write a header: {cause}")))
}
