//! Responses of the object.

use dotdo::engine::REQUEST_ID_HEADER;
use dotdo::{Body, Context, Error, ObjectId, Response, Result};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::fields::{Collection, MAIN, Object};
use super::list::Page;

/// Characters to encode in a segment of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The outcome of a request.
pub(super) enum Answer {
    /// The collections.
    Index,
    /// A page.
    List(Page),
    /// An existing item.
    Item(Object),
    /// A new item.
    Created(Collection, Object),
    /// A deleted item.
    Deleted,
    /// A method that the path does not support.
    MethodNotAllowed { method: Method, allowed: &'static str },
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
            Self::List(page) => json_response(StatusCode::OK, list(page)),
            Self::Item(item) => json_response(StatusCode::OK, item.into()),
            Self::Created(collection, item) => {
                let location = location(ctx.id(), collection, &item);
                let mut response = json_response(StatusCode::CREATED, item.into())?;
                response.headers_mut().insert(header::LOCATION, header_value(&location)?);
                Ok(response)
            }
            Self::Deleted => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok(response)
            }
            Self::MethodNotAllowed { method, allowed } => {
                method_not_allowed(&method, allowed, headers)
            }
        }
    }
}

fn json_response(status: StatusCode, value: Value) -> Result<Response> {
    let mut response = Response::new(value.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
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
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let request_id = headers
        .get(REQUEST_ID_HEADER)
        .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let mut response = json_response(
        status,
        json!({
            "error": format!("expected {allowed}, got {method}"),
            "code": "METHOD_NOT_ALLOWED", "status": status.as_u16(), "requestId": request_id,
        }),
    )?;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn header_value(text: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(text)
        .map_err(|cause| Error::internal(format!("cannot write a header: {cause}")))
}
