//! A collector of traces: an HTTP server that decodes what OTLP senders send, or never answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_tests::Deadline;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::world::PATIENCE_SECONDS;

/// What a collector does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It takes them.
    Takes,
    /// It reads them and never answers.
    Hangs,
}

/// A running collector; ends with the test's runtime.
pub(super) struct Collector {
    endpoint: String,
    got: Arc<Mutex<Vec<Export>>>,
}

/// One request of a sender.
#[derive(Debug, Clone)]
pub(super) struct Export {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) content: ExportTraceServiceRequest,
}

impl Collector {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let endpoint =
            format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let got: Arc<Mutex<Vec<Export>>> = Arc::default();
        let seen = Arc::clone(&got);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let service = hyper::service::service_fn(move |request| {
                    take(Arc::clone(&seen), manner, request)
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { endpoint, got }
    }

    /// Where it listens.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What has come.
    pub(super) fn exports(&self) -> Vec<Export> {
        self.got.lock().clone()
    }

    /// All spans that have come.
    pub(super) fn spans(&self) -> Vec<Span> {
        let exports = self.exports();
        let resources = exports.iter().flat_map(|export| &export.content.resource_spans);
        resources
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| scope.spans.clone())
            .collect()
    }

    /// Waits until the spans that have come are what `wanted` looks for.
    pub(super) async fn until<T>(&self, wanted: impl Fn(&[Span]) -> Option<T>) -> T {
        let found =
            Deadline::in_seconds(PATIENCE_SECONDS).until(|| async { wanted(&self.spans()) }).await;
        found.unwrap_or_else(|| {
            panic!("these spans are not what was waited for: {:#?}", self.spans())
        })
    }
}

async fn take(
    seen: Arc<Mutex<Vec<Export>>>,
    manner: Manner,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("the request arrives whole").to_bytes();
    let content = ExportTraceServiceRequest::decode(body).expect("the body is what OTLP says");
    seen.lock().push(Export { path: head.uri.path().to_owned(), headers: head.headers, content });
    if manner == Manner::Hangs {
        std::future::pending::<()>().await;
    }
    Ok(Response::new(Full::default()))
}

/// An attribute as text.
pub(super) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone() {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
