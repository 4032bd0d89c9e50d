//! What calls between the worker and objects add to requests and responses. Only they may: what
//! clients and bundles send under these names is dropped.

use dotdo::{Body, Error, Request, Response, Result};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};

use crate::event::{Failed, Head, Member, Outcome};

/// The beginning of their names.
const OURS: &str = "dotdo-js-";
/// The whole URL of a request, of which an object's request has the path only.
const URL: HeaderName = HeaderName::from_static("dotdo-js-url");
/// The name that the object's id was made of, as JSON.
const NAME: HeaderName = HeaderName::from_static("dotdo-js-name");
/// The member that is called or read, as JSON; the body has the arguments.
const MEMBER: HeaderName = HeaderName::from_static("dotdo-js-member");
/// What an object's own `Idempotency-Key` is called on the way: it is for the class, and not for
/// the server to answer a second call with the first one's response.
const KEY: HeaderName = HeaderName::from_static("dotdo-js-idempotency-key");
/// Says that a response is an exception.
const EXCEPTION: HeaderName = HeaderName::from_static("dotdo-js-exception");

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The code of an exception that nobody has caught.
pub(crate) const UNCAUGHT: &str = "UNCAUGHT_EXCEPTION";

/// Removes what only calls may have.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(OURS)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

/// A call as an object gets it.
pub(crate) struct Incoming {
    pub(crate) name: Option<String>,
    pub(crate) member: Option<Member>,
    pub(crate) head: Head,
}

impl Incoming {
    /// Reads a request to an object, which may come from elsewhere than a worker.
    pub(crate) fn of(mut parts: request::Parts) -> Self {
        let headers = &mut parts.headers;
        let url = headers.remove(URL).and_then(|url| Some(url.to_str().ok()?.to_owned()));
        let name =
            headers.remove(NAME).and_then(|name| serde_json::from_slice(name.as_bytes()).ok());
        let member = headers.remove(MEMBER);
        let member = member.and_then(|member| serde_json::from_slice(member.as_bytes()).ok());
        if let Some(key) = headers.remove(KEY) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        strip(headers);
        let head = head_of(&parts, url);
        Self { name, member, head }
    }
}

/// The head of a request; without a `url` it is the one that its client has asked for.
pub(crate) fn head_of(parts: &request::Parts, url: Option<String>) -> Head {
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let url = url.unwrap_or_else(|| {
        let host = text(header::HOST).or(parts.uri.authority().map(|host| host.as_str()));
        let scheme = match text(HeaderName::from_static("x-forwarded-proto")) {
            Some("https") => "https",
            _ => "http",
        };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        format!("{scheme}://{}{path}", host.unwrap_or("localhost"))
    });
    let headers = texts(&parts.headers);
    Head { url, method: parts.method.as_str().to_owned(), headers }
}

/// How a worker calls an object.
pub(crate) struct Outgoing<'a> {
    pub(crate) head: &'a Head,
    pub(crate) name: Option<&'a str>,
    pub(crate) member: Option<&'a Member>,
}

impl Outgoing<'_> {
    /// The request.
    ///
    /// # Errors
    ///
    /// `Invalid` when it is none of HTTP.
    pub(crate) fn request(self, body: Vec<u8>) -> Result<Request> {
        let refused = |cause: &dyn std::fmt::Display| {
            Error::invalid(format!("the worker calls an object with what is no request: {cause}"))
        };
        let url = url::Url::parse(&self.head.url).map_err(|cause| refused(&cause))?;
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = http::Request::builder()
            .method(self.head.method.as_str())
            .uri(path)
            .body(Body::from(body))
            .map_err(|cause| refused(&cause))?;
        *request.headers_mut() = headers_of(&self.head.headers)?;
        let headers = request.headers_mut();
        if let Some(key) = headers.remove(IDEMPOTENCY_KEY) {
            headers.insert(KEY, key);
        }
        let json = |text: &str| ascii(&serde_json::json!(text).to_string());
        let ours = [
            (URL, Some(HeaderValue::from_str(url.as_str()).map_err(|cause| refused(&cause))?)),
            (NAME, self.name.map(json)),
            (MEMBER, self.member.map(|member| ascii(&serde_json::json!(member).to_string()))),
        ];
        for (name, value) in ours {
            let _ = value.map(|value| headers.insert(name, value));
        }
        Ok(request)
    }
}

/// JSON in ASCII, which a header can have.
fn ascii(json: &str) -> HeaderValue {
    let mut text = String::with_capacity(json.len());
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() && byte != 0x7f => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("null"))
}

/// Headers that a bundle has made.
pub(crate) fn headers_of(pairs: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let refused =
            || Error::invalid(format!("the worker made a header that HTTP has not: {name:?}"));
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
        headers.append(HeaderName::try_from(name.as_str()).map_err(|_| refused())?, value);
    }
    strip(&mut headers);
    Ok(headers)
}

/// The response that a handler has made.
///
/// # Errors
///
/// `Invalid` when it is none of HTTP.
pub(crate) fn response_of(outcome: &Outcome, body: Body) -> Result<Response> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(outcome.status)
        .map_err(|cause| Error::handler(format!("the response has no status: {cause}")))?;
    *response.headers_mut() = made_headers(outcome)?;
    Ok(response)
}

/// `upgraded`, which accepts a WebSocket, with the headers that a handler has given its response.
///
/// # Errors
///
/// Those of [`response_of`].
pub(crate) fn accepted(outcome: &Outcome, mut upgraded: Response) -> Result<Response> {
    upgraded.headers_mut().extend(made_headers(outcome)?);
    Ok(upgraded)
}

/// The headers of a handler's response. What follows from the body, and from the connection, is the
/// server's business.
fn made_headers(outcome: &Outcome) -> Result<HeaderMap> {
    let mut headers = headers_of(&outcome.headers)?;
    for name in
        [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE]
    {
        headers.remove(name);
    }
    Ok(headers)
}

/// Headers as a bundle gets them.
pub(crate) fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Whether a request to an object is to become a WebSocket.
pub(crate) fn asks_for_socket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.trim().eq_ignore_ascii_case("websocket"))
}

/// The response that carries an exception of an object to the worker. What the object has written
/// before stays.
pub(crate) fn exception(failed: &Failed) -> Response {
    let body =
        serde_json::json!({ "name": failed.name, "message": failed.message, "code": UNCAUGHT });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(EXCEPTION, HeaderValue::from_static("1"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Whether a response of an object is an exception.
pub(crate) fn is_exception(headers: &HeaderMap) -> bool {
    headers.contains_key(EXCEPTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_is_not_taken_for_a_call() {
        let request = http::Request::get("/a?b=c")
            .header("host", "example.com")
            .header("dotdo-js-member", "{\"name\": \"secret\"}")
            .header("dotdo-js-else", "x")
            .header("x", "kept");
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        strip(&mut parts.headers);
        let incoming = Incoming::of(parts);
        assert_eq!(incoming.head.url, "http://example.com/a?b=c");
        assert_eq!((incoming.name, incoming.member), (None, None));
        let names: Vec<&str> =
            incoming.head.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host", "x"]);
    }

    #[test]
    fn a_call_arrives_as_it_was_made() {
        let head = Head {
            url: "https://example.com/ü?q=1#part".to_owned(),
            method: "POST".to_owned(),
            headers: vec![
                ("idempotency-key".to_owned(), "\"k\"".to_owned()),
                ("dotdo-js-member".to_owned(), "{\"name\": \"forged\"}".to_owned()),
            ],
        };
        let outgoing = Outgoing { head: &head, name: Some("ä\n😀"), member: None };
        let request = outgoing.request(b"body".to_vec()).expect("a request");
        assert_eq!(request.uri(), "/%C3%BC?q=1");
        assert!(!request.headers().contains_key("idempotency-key"));
        let incoming = Incoming::of(request.into_parts().0);
        assert_eq!(incoming.head.url, "https://example.com/%C3%BC?q=1#part");
        assert_eq!(incoming.name.as_deref(), Some("ä\n😀"));
        assert_eq!(incoming.member, None);
        assert_eq!(incoming.head.headers, [("idempotency-key".to_owned(), "\"k\"".to_owned())]);
    }
}
