//! The span of a request, and its trace, which continues the client's `traceparent` (W3C Trace
//! Context).
//!
//! The attributes follow OpenTelemetry's conventions for HTTP, except for the path and the query:
//! they contain ids of objects, which are often people's names or addresses, and traces go to third
//! parties. The request's id is also in the log, which stays here.

use http::{HeaderMap, Method, StatusCode, Version, request};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::is_on;

/// The trace of a request. It costs nothing if traces are off.
pub(crate) struct TracedRequest {
    span: Span,
}

impl TracedRequest {
    /// Starts the trace of the request with this head and the id `request_id`. Health checks and
    /// scrapes are not traced.
    pub(crate) fn begin(head: &request::Parts, request_id: &str) -> Self {
        if !is_on() || matches!(head.uri.path(), "/health" | "/ready" | "/metrics") {
            return Self { span: Span::none() };
        }
        let method = known(&head.method);
        let span = tracing::debug_span!(
            "request",
            otel.kind = "server",
            otel.name = method.unwrap_or("HTTP"),
            http.request.method = method.unwrap_or("_OTHER"),
            network.protocol.version = version(head.version),
            dotdo.request_id = request_id,
            dotdo.class = Empty,
            http.route = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
            otel.status_code = Empty,
        );
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(&head.headers));
        if parent.span().span_context().is_valid() {
            // It fails only for spans that have started, or that are not sampled.
            let _ = span.set_parent(parent);
        }
        Self { span }
    }

    /// The span.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The trace's id, if there is one.
    pub(crate) fn id(&self) -> Option<String> {
        (!self.span.is_none())
            .then(|| self.span.context().span().span_context().trace_id().to_string())
    }

    /// Records the outcome of the request: the class of its object, the status, and the error code.
    pub(crate) fn end(
        &self,
        method: &Method,
        class: Option<&str>,
        status: StatusCode,
        code: Option<&str>,
    ) {
        if self.span.is_none() {
            return;
        }
        if let Some(class) = class {
            // The span's name must have few values, so it has the class and a placeholder for the
            // id.
            let route = format!("/{class}/{{id}}");
            // The span has started, so its field `otel.name` is no longer read.
            self.span
                .context()
                .span()
                .update_name(format!("{} {route}", known(method).unwrap_or("HTTP")));
            self.span.record("http.route", route);
            self.span.record("dotdo.class", class);
        }
        self.span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.span.record("error.type", code.unwrap_or(status.as_str()));
            self.span.record("otel.status_code", "ERROR");
        }
    }

    /// Writes this request's trace into `headers`.
    pub(crate) fn pass_on(&self, headers: &mut HeaderMap) {
        inject(&self.span, headers);
    }
}

/// Writes the current trace into `headers`. Without a trace, the client's headers stay.
pub(crate) fn pass_on(headers: &mut HeaderMap) {
    if is_on() {
        inject(&Span::current(), headers);
    }
}

fn inject(span: &Span, headers: &mut HeaderMap) {
    if span.is_none() {
        return;
    }
    TraceContextPropagator::new().inject_context(&span.context(), &mut HeaderInjector(headers));
    // Without an entry the header is omitted, because an empty one has no meaning.
    if headers.get("tracestate").is_some_and(http::HeaderValue::is_empty) {
        headers.remove("tracestate");
    }
}

/// The standard methods; others are the client's choice and unlimited in number.
fn known(method: &Method) -> Option<&'static str> {
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    names.into_iter().find(|name| *name == method.as_str())
}

fn version(version: Version) -> &'static str {
    if version == Version::HTTP_2 { "2" } else { "1.1" }
}
