//! What every adapter does with a request: names it, finds its object, bounds its body, and turns whatever happens into a response.
//!
//! Promises: every request gets exactly one response, with its request id; an error has the one body that all errors have; a panic in
//! one request is that request's 500 and nothing else.
//! Must not know: sockets, platforms, the bucket.

mod body;
mod error;
mod finish;
mod metrics;
mod peer;
mod readiness;
mod request_id;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dotdo_core::{At, Body, Error, Journey, ObjectId, Received, Request, Response, Result, Route, Router, Tenant};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Uri, header, request};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::Instrument;

use self::body::Inbound;
pub(crate) use self::error::response as refusal;
use self::metrics::{InFlight, RequestMetrics};
use self::readiness::Readiness;
use self::request_id::RequestIds;
use crate::auth::{AuthSettings, Door};
use crate::peers::Gate;
use crate::telemetry::TracedRequest;

/// Whoever answers for the objects: the engine, or a test's stand-in.
pub(crate) trait Objects: Send + Sync + 'static {
    /// Answers a request to an object, at a version when one is asked for.
    fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> impl Future<Output = Result<Response>> + Send;

    /// Answers a request that another server has sent here.
    fn receive(&self, object: &ObjectId, journey: Journey, request: Request) -> impl Future<Output = Received> + Send;

    /// Whether a request that another server offers should be sent.
    fn admits(&self, object: &ObjectId) -> impl Future<Output = bool> + Send;

    /// Whether the store can be used.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send;

    /// Completes when nothing is under way that answered requests have left behind.
    fn settle(&self) -> impl Future<Output = ()> + Send;

    /// Finishes what runs, keeps what must be kept, and lets go of the objects, within `deadline`.
    fn shutdown(&self, deadline: Duration) -> impl Future<Output = ()> + Send;
}

/// Which requests get a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessLog {
    /// None.
    Off,
    /// Those that the server failed to answer (5xx).
    Errors,
    /// All.
    All,
}

/// The bounds that an [`Edge`] keeps.
#[derive(Debug, Clone)]
pub(crate) struct EdgeSettings {
    /// The most bytes that the body of a request may have.
    pub(crate) body_bytes_max: u64,
    /// How long the sender of a body may pause.
    pub(crate) body_stall: Duration,
    /// Which requests get a line in the log.
    pub(crate) access_log: AccessLog,
    /// Who may come in.
    pub(crate) auth: AuthSettings,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self { body_bytes_max: 32 << 20, body_stall: Duration::from_secs(15), access_log: AccessLog::Errors, auth: AuthSettings::default() }
    }
}

/// The way of a request from an adapter to an object and back.
pub(crate) struct Edge<O> {
    objects: O,
    router: Router,
    settings: EdgeSettings,
    request_ids: RequestIds,
    metrics: RequestMetrics,
    readiness: Readiness,
    exporter: Option<PrometheusHandle>,
    gate: Gate,
    door: Door,
}

/// What is known of a request when its answer is ready.
struct Seen {
    method: Method,
    uri: Uri,
    object: Option<ObjectId>,
    id: HeaderValue,
    started: Instant,
    trace: TracedRequest,
    _in_flight: InFlight,
}

impl<O: Objects> Edge<O> {
    /// An edge in front of `objects`, for the classes that `router` knows.
    pub(crate) fn new(objects: O, router: Router, settings: EdgeSettings, exporter: Option<PrometheusHandle>, process: u64) -> Self {
        let metrics = RequestMetrics::new(router.classes());
        let (request_ids, readiness) = (RequestIds::new(process), Readiness::default());
        let door = Door::new(&settings.auth, None);
        Self { objects, router, settings, request_ids, metrics, readiness, exporter, gate: Gate::Closed, door }
    }

    /// The same edge, with what it takes from other servers.
    pub(crate) fn with_gate(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// The same edge, to the objects of `tenant`: callers of others are refused.
    pub(crate) fn of_tenant(self, tenant: Tenant) -> Self {
        Self { door: Door::new(&self.settings.auth, Some(tenant)), ..self }
    }

    /// The objects behind this edge.
    pub(crate) fn objects(&self) -> &O {
        &self.objects
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer<B>(&self, request: http::Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let mut seen = self.seen(&request);
        let (head, body) = request.into_parts();
        let span = seen.trace.span();
        match self.gate.arrival(&head) {
            None => {
                let outcome = survive(self.dispatch(head, body, &mut seen).instrument(span)).await;
                self.finish(outcome, seen)
            }
            Some(Ok(arrival)) => self.answer_peer(&arrival, http::Request::from_parts(head, body), seen).instrument(span).await,
            Some(Err(refusal)) => self.finish(Err(refusal), seen),
        }
    }

    /// Answers a request that does not come to its object.
    pub(crate) fn refuse<B>(&self, request: &http::Request<B>, error: Error) -> Response {
        self.finish(Err(error), self.seen(request))
    }

    /// What is sent for an outcome, once it has been logged and counted.
    fn finish(&self, outcome: Result<Response>, seen: Seen) -> Response {
        let outcome = outcome.and_then(finish::checked);
        self.log(&seen, &outcome);
        let code = outcome.as_ref().err().map(Error::code);
        let response = outcome.unwrap_or_else(|error| error::response(&error, &seen.id));
        let class = seen.object.as_ref().map(ObjectId::class);
        self.metrics.count(class, response.status(), seen.started.elapsed());
        seen.trace.end(&seen.method, class, response.status(), code);
        finish::finished(response, &seen.method, seen.id)
    }

    fn seen<B>(&self, request: &http::Request<B>) -> Seen {
        let id = self.request_ids.of(request.headers());
        let trace = TracedRequest::begin(request, id.to_str().unwrap_or_default());
        let (method, uri, started) = (request.method().clone(), request.uri().clone(), Instant::now());
        Seen { method, uri, object: None, id, started, trace, _in_flight: self.metrics.begin() }
    }

    async fn dispatch<B>(&self, mut head: request::Parts, body: B, seen: &mut Seen) -> Result<Response>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if head.method == Method::CONNECT {
            return Err(Error::invalid("this is not a proxy: CONNECT is not answered"));
        }
        self.door.admit(&head).await?;
        // What classes there are is nobody's business who may not come in.
        let target = match self.router.route(&head.method, &head.uri, &head.headers)? {
            Route::Object(target) => target,
            Route::Health => return Ok(json(serde_json::json!({ "status": "ok" }))),
            Route::Ready => return self.ready().await,
            Route::Metrics => return self.figures(),
        };
        seen.object = Some(target.object.clone());
        let body = self.receive(body, &head.headers).await?;
        target.rewrite(&mut head, seen.id.clone());
        seen.trace.pass_on(&mut head.headers);
        if let Some(journey) = self.gate.journey(&head.headers) {
            head.extensions.insert(journey);
        }
        self.objects.fetch(&target.object, target.at, Request::from_parts(head, body)).await
    }

    /// The body as the object will read it. A small one is here before the object's turn begins, so that a slow sender holds nobody up.
    async fn receive<B>(&self, body: B, headers: &HeaderMap) -> Result<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if body.is_end_stream() {
            return Ok(Body::empty());
        }
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let inbound = Inbound::new(body, self.settings.body_bytes_max, self.settings.body_stall);
        match announced {
            Some(bytes) if bytes > self.settings.body_bytes_max => Err(body::too_large(self.settings.body_bytes_max)),
            Some(bytes) if bytes <= body::EAGER_BYTES_MAX => Ok(Body::new(inbound).bytes().await?.into()),
            _ => Ok(Body::new(inbound)),
        }
    }

    async fn ready(&self) -> Result<Response> {
        self.readiness.check(|| self.objects.ready()).await?;
        Ok(json(serde_json::json!({ "status": "ready" })))
    }

    fn figures(&self) -> Result<Response> {
        let exporter = self.exporter.as_ref();
        let exporter = exporter.ok_or_else(|| Error::not_found("the program that embeds this server exports its metrics elsewhere"))?;
        let mut response = Response::new(exporter.render().into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        Ok(response)
    }

    /// The request's line in the log. Queries and headers may hold secrets and stay out of it.
    fn log(&self, seen: &Seen, outcome: &Result<Response>) {
        let Seen { method, id, started, .. } = seen;
        let trace_id = || seen.trace.id();
        let path = seen.uri.path();
        let ms = || started.elapsed().as_secs_f64() * 1e3;
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error::status(error.kind()),
        };
        match (self.settings.access_log, outcome) {
            (AccessLog::Off, _) => {}
            (_, Err(error)) if status.is_server_error() => {
                tracing::error!(%method, path, status = status.as_u16(), ms = ms(), request_id = ?id, trace_id = trace_id(), error = ?error, "request failed");
            }
            (AccessLog::All, _) => {
                tracing::info!(%method, path, status = status.as_u16(), ms = ms(), request_id = ?id, trace_id = trace_id(), "request");
            }
            (AccessLog::Errors, _) if status.is_server_error() => {
                tracing::warn!(%method, path, status = status.as_u16(), ms = ms(), request_id = ?id, trace_id = trace_id(), "request failed");
            }
            (AccessLog::Errors, _) => {}
        }
    }
}

/// The outcome of `work`, also when it panics.
async fn survive<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Error::internal("the server failed while it answered; its log says why")))
}

/// A 200 with JSON.
fn json(value: serde_json::Value) -> Response {
    let mut response = Response::new(value.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
