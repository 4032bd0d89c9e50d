//! Objects that say what reached them, and misbehave on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{
    At, Body, Error, ErrorKind, ObjectId, Received, Request, RequestContext, Response, Result,
};
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::Semaphore;

use crate::edge::Objects;

pub(super) struct TestObjects {
    /// Lets requests to `/wait` go on, one a permit.
    pub(super) gate: Semaphore,
    /// How many requests have reached `/wait`.
    pub(super) waiting: Semaphore,
    pub(super) probes: AtomicUsize,
    pub(super) ticks: AtomicUsize,
    /// A permit for each response of `/endless` that was let go.
    pub(super) let_go: Arc<Semaphore>,
}

/// Tells when a response is let go.
struct LetGo(Arc<Semaphore>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

impl Default for TestObjects {
    fn default() -> Self {
        Self {
            gate: Semaphore::new(0),
            waiting: Semaphore::new(0),
            probes: AtomicUsize::new(0),
            ticks: AtomicUsize::new(0),
            let_go: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Objects for TestObjects {
    async fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> Result<Response> {
        match request.uri().path() {
            "/seen" => Ok(seen(object, at, &request)),
            "/echo" => Ok(Response::new(request.into_body())),
            "/with" => Ok(with(request.uri().query().unwrap_or_default())),
            "/talk" => Ok(typed(request.into_body(), "text/plain")),
            "/count" => {
                Ok(Response::new(request.into_body().bytes().await?.len().to_string().into()))
            }
            "/ignore" => Ok(Response::new("ignored".into())),
            "/wait" => {
                self.waiting.add_permits(1);
                self.gate.acquire().await.expect("an open gate").forget();
                Ok(Response::new("waited".into()))
            }
            "/panic" => panic!("as asked"),
            "/refuse" => Err(Error::new(ErrorKind::Busy, "another server owns it")
                .with_details(serde_json::json!({ "owner": "b" }))),
            "/break" => {
                Ok(Response::new(streamed([Ok("half".into()), Err(Error::internal("lost"))])))
            }
            "/stream" => Ok(Response::new(streamed([Ok("one".into()), Ok("two".into())]))),
            "/endless" => Ok(Response::new(endless(LetGo(Arc::clone(&self.let_go))))),
            "/status/101" => Ok(status(StatusCode::SWITCHING_PROTOCOLS)),
            "/status/204" => Ok(status(StatusCode::NO_CONTENT)),
            "/lie" => Ok(http::Response::builder()
                .header("content-length", "99")
                .body("short".into())
                .expect("a response")),
            path if path.starts_with("/header/") => {
                Ok(Response::new(header(&request, &path["/header/".len()..]).into()))
            }
            other => Err(Error::not_found(format!("nothing is at {other}"))),
        }
    }

    async fn receive(&self, object: &ObjectId, _: RequestContext, request: Request) -> Received {
        if object.id() == "moved" {
            return Received::NotOwner;
        }
        Received::Answered(self.fetch(object, None, request).await)
    }

    async fn admits(&self, object: &ObjectId) -> bool {
        object.id() != "elsewhere"
    }

    async fn ready(&self) -> Result<()> {
        match self.probes.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Error::new(ErrorKind::Unavailable, "s3://secret is away").telling_of_store()),
        }
    }

    async fn tick(&self) -> Result<()> {
        self.ticks.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn finish_background(&self) {}

    async fn shutdown(&self, _: Duration) {}
}

fn seen(object: &ObjectId, at: Option<At>, request: &Request) -> Response {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let names = ["x-do-id", "x-do-type", "x-dotdo-id", "x-request-id", "host"];
    let headers: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), header(name).into())).collect();
    let id = (object.class(), object.id());
    let body = serde_json::json!({ "object": id, "at": format!("{at:?}"), "uri": request.uri().to_string(), "headers": headers });
    Response::new(body.into())
}

/// 4 KiB of text with these headers: `name=value&name=value`.
fn with(headers: &str) -> Response {
    let mut response = typed("a".repeat(4096).into(), "text/plain");
    for (name, value) in headers.split('&').filter_map(|pair| pair.split_once('=')) {
        let (name, value) = (
            name.parse::<http::HeaderName>(),
            http::HeaderValue::from_str(&value.replace("%20", " ").replace("%22", "\"")),
        );
        response.headers_mut().insert(name.expect("a name"), value.expect("a value"));
    }
    response
}

fn typed(body: Body, content_type: &'static str) -> Response {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

fn header(request: &Request, name: &str) -> String {
    let value = request
        .headers()
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    value.unwrap_or_default()
}

fn streamed<const N: usize>(parts: [Result<Bytes>; N]) -> Body {
    Body::new(StreamBody::new(stream::iter(parts.map(|part| part.map(Frame::data)))))
}

fn endless(guard: LetGo) -> Body {
    Body::new(StreamBody::new(stream::repeat_with(move || {
        let _held = &guard;
        Ok::<_, Error>(Frame::data(Bytes::from_static(&[b'x'; 4096])))
    })))
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
