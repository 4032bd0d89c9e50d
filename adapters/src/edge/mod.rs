//! What every adapter does with a request: names it, finds its object, bounds its body, and turns
//! whatever happens into a response.
//!
//! The order, from the outside in, and why:
//!
//! 1. The **access log** (`access`) is around everything: it says what was really sent.
//! 2. The **request's id** and the **client's address** (`request_id`, `client`): all that follows
//!    may have to name them.
//! 3. **Other servers** (`peer`) leave the list here: the server that the client reached has done
//!    the rest of it.
//! 4. **CORS** (`cors`): a browser's question needs no token and reaches no object; errors get the
//!    headers too, or pages could not read them.
//! 5. **Compression** (`compress`) of what comes back. An answer that went from server to server is
//!    compressed once, for the client.
//! 6. **Pages of others** (`foreign`), where nothing is asked of callers: a browser must not take
//!    them in.
//! 7. **Authentication** (`crate::auth`), before anything tells which classes there are, and before
//!    the body is read.
//! 8. The **rate limit** (`rate`) counts callers by name, so it comes after; who was turned away is
//!    counted too, by address.
//! 9. The **bounds of the body** (`body`), whose bytes are asked for only now. A compressed one is
//!    the object's own business.
//!
//! Promises: every request gets exactly one response, with its request id; an error has the one
//! body that all errors have; a panic in one request is that request's 500 and nothing else. Must
//! not know: sockets, platforms, the bucket.

mod access;
mod answered;
mod body;
mod client;
mod compress;
mod cors;
mod cross_site;
mod error;
mod finish;
mod metrics;
mod peer;
mod rate;
mod readiness;
mod request_id;
mod settings;
mod vary;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dotdo_core::{
    Account, At, Body, Error, Journey, ObjectId, Received, Request, Response, Result, Route,
    Router, Tenant,
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::Instrument;

pub(crate) use self::access::AccessLog;
use self::access::Line;
use self::body::Inbound;
#[cfg(feature = "fuzzing")]
pub(crate) use self::client::fuzz;
pub(crate) use self::client::{ClientAddress, TrustedProxies, is_proxy};
use self::cors::Cors;
pub(crate) use self::cors::{is_header, is_method, is_origin};
use self::cross_site::Foreign;
pub(crate) use self::cross_site::is_host;
use self::error::Audience;
use self::metrics::{InFlight, RequestMetrics};
use self::rate::{Client, Quota, RateLimiter};
use self::readiness::Readiness;
use self::request_id::RequestIds;
pub(crate) use self::settings::{EdgeSettings, Reach};
#[cfg(test)]
pub(crate) use self::{compress::CompressionSettings, cors::CorsSettings, rate::RateSettings};
use crate::auth::{Caller, Door};
use crate::cluster::peers::Gate;
use crate::telemetry::TracedRequest;

/// Whoever answers for the objects: the engine, or a test's stand-in.
pub(crate) trait Objects: Send + Sync + 'static {
    /// Answers a request to an object, at a version when one is asked for.
    fn fetch(
        &self,
        object: &ObjectId,
        at: Option<At>,
        request: Request,
    ) -> impl Future<Output = Result<Response>> + Send;

    /// Answers a request that another server has sent here.
    fn receive(
        &self,
        object: &ObjectId,
        journey: Journey,
        request: Request,
    ) -> impl Future<Output = Received> + Send;

    /// Whether a request that another server offers should be sent.
    fn admits(&self, object: &ObjectId) -> impl Future<Output = bool> + Send;

    /// What pays for the memory that a request to `object` takes; `None` where nobody counts it.
    fn account(&self, _object: &ObjectId) -> Option<Account> {
        None
    }

    /// Whether the store can be used.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send;

    /// Completes when nothing is under way that answered requests have left behind.
    fn settle(&self) -> impl Future<Output = ()> + Send;

    /// Finishes what runs, keeps what must be kept, and lets go of the objects, within `deadline`.
    fn shutdown(&self, deadline: Duration) -> impl Future<Output = ()> + Send;
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
    proxies: TrustedProxies,
    cors: Option<Cors>,
    foreign: Option<Foreign>,
    door: Door,
    limiter: Option<RateLimiter>,
}

/// What is known of a request when its answer is ready.
struct Seen {
    line: Line,
    /// What the client said about how it wants the answer; `None` for another server, which gets it
    /// as it is.
    asked: Option<HeaderMap>,
    /// What is left to the client, where that is counted.
    quota: Option<Quota>,
    trace: TracedRequest,
    /// A page of another site can have sent it.
    is_foreign: bool,
    _in_flight: InFlight,
}

impl<O: Objects> Edge<O> {
    /// An edge in front of `objects`, for the classes that `router` knows.
    pub(crate) fn new(
        objects: O,
        router: Router,
        settings: EdgeSettings,
        exporter: Option<PrometheusHandle>,
        process: u64,
    ) -> Self {
        let metrics = RequestMetrics::new(router.classes());
        let (request_ids, readiness) = (RequestIds::new(process), Readiness::default());
        let (door, limiter) = (Door::new(&settings.auth, None), RateLimiter::new(&settings.rate));
        let (proxies, cors) = (
            TrustedProxies::new(&settings.trusted_proxies).unwrap_or_default(),
            Cors::new(&settings.cors),
        );
        let (gate, foreign) = (Gate::Closed, Foreign::new(&settings));
        Self {
            objects,
            router,
            settings,
            request_ids,
            metrics,
            readiness,
            exporter,
            gate,
            proxies,
            cors,
            foreign,
            door,
            limiter,
        }
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
        let (head, body) = request.into_parts();
        let mut seen = self.seen(&head);
        let span = seen.trace.span();
        match self.gate.arrival(&head) {
            None => {
                seen.asked = Some(self.asked(&head));
                let outcome = survive(self.dispatch(head, body, &mut seen).instrument(span)).await;
                self.finish(outcome, seen)
            }
            Some(Ok(arrival)) => {
                self.answer_peer(&arrival, http::Request::from_parts(head, body), seen)
                    .instrument(span)
                    .await
            }
            Some(Err(refusal)) => self.finish(Err(refusal), seen),
        }
    }

    /// Answers a request that does not come to its object.
    pub(crate) fn refuse(&self, head: &request::Parts, error: Error) -> Response {
        self.finish(Err(error), self.seen(head))
    }

    /// What is known of a request before anything is done with it.
    fn seen(&self, head: &request::Parts) -> Seen {
        let sender = head.extensions.get::<ClientAddress>().map(|client| client.0);
        let id = self.request_ids.of(&head.headers);
        let trace = TracedRequest::begin(head, id.to_str().unwrap_or_default());
        let line = Line {
            method: head.method.clone(),
            uri: head.uri.clone(),
            object: None,
            id,
            trace_id: None,
            started: Instant::now(),
            client: self.proxies.client(sender, &head.headers),
            peer: None,
            caller: None,
            bytes_in: Arc::new(AtomicU64::new(0)),
            status: StatusCode::OK,
            error: None,
        };
        Seen {
            line,
            asked: None,
            quota: None,
            trace,
            is_foreign: false,
            _in_flight: self.metrics.begin(),
        }
    }

    /// What has to be known of a client's wishes when its answer is there.
    fn asked(&self, head: &request::Parts) -> HeaderMap {
        let mut asked = HeaderMap::new();
        if self.cors.is_some() {
            Cors::note(head, &mut asked);
        }
        if self.settings.compression.is_on {
            compress::note(&head.headers, &mut asked);
        }
        asked
    }

    /// What is sent for an outcome: dressed for the client, counted and logged.
    fn finish(&self, outcome: Result<Response>, seen: Seen) -> Response {
        let Seen { mut line, asked, quota, trace, is_foreign, _in_flight } = seen;
        let mut response = outcome.and_then(finish::checked).unwrap_or_else(|error| {
            let response = error::response(&error, &line.id, self.audience(&line, is_foreign));
            line.error = Some(error);
            response
        });
        line.status = response.status();
        line.trace_id = trace.id();
        let class = line.object.as_ref().map(ObjectId::class);
        self.metrics.count(class, line.status, line.started.elapsed());
        trace.end(&line.method, class, line.status, line.error.as_ref().map(Error::code));
        if let Some(quota) = quota {
            quota.tell(response.headers_mut());
        }
        if let Some(asked) = &asked {
            response = self.dressed(response, asked);
        }
        let response = finish::finished(response, &line.method, line.id.clone());
        line.follow(self.settings.access_log, response)
    }

    /// How much the receiver of an answer may be told of the server's own affairs.
    fn audience(&self, line: &Line, is_foreign: bool) -> Audience {
        let is_here =
            self.settings.reach == Reach::Machine && !self.settings.auth.is_on() && !is_foreign;
        match (line.peer, &line.caller) {
            (Some(_), _) => Audience::Server,
            (None, Some(_)) => Audience::Caller,
            (None, None) if is_here => Audience::Caller,
            (None, None) => Audience::Stranger,
        }
    }

    /// The response in the form that the client asked for.
    fn dressed(&self, mut response: Response, asked: &HeaderMap) -> Response {
        if self.settings.compression.is_on {
            response = compress::compressed(&self.settings.compression, asked, response);
        }
        if let Some(cors) = &self.cors {
            cors.tell(asked, response.headers_mut());
        }
        response
    }

    async fn dispatch<B>(
        &self,
        mut head: request::Parts,
        body: B,
        seen: &mut Seen,
    ) -> Result<Response>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if head.method == Method::CONNECT {
            return Err(Error::invalid("this is not a proxy: CONNECT is not answered"));
        }
        if self.cors.is_some() && Cors::is_preflight(&head) {
            return Ok(Cors::preflight());
        }
        if let Some(Err(refusal)) =
            self.foreign.as_ref().map(|foreign| foreign.check(&head, self.cors.as_ref()))
        {
            seen.is_foreign = true;
            if !cross_site::is_probe(&head) {
                return Err(refusal);
            }
        }
        let admitted = self.door.admit(&head).await;
        if let Ok(Some(caller)) = &admitted {
            head.extensions.insert(caller.identity());
        }
        seen.line.caller = admitted
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|caller: &Caller| caller.name().to_owned());
        let route = self.router.route(&head.method, &head.uri, &head.headers);
        self.count(route.as_ref().ok(), seen)?;
        admitted?;
        // What classes there are is nobody's business who may not come in.
        let target = match route? {
            Route::Object(target) => target,
            Route::Health => return Ok(json(serde_json::json!({ "status": "ok" }))),
            Route::Ready => return self.ready().await,
            Route::Metrics => return self.figures(),
        };
        seen.line.object = Some(target.object.clone());
        let body = self.receive(body, &mut head, &target.object, seen).await?;
        target.rewrite(&mut head, seen.line.id.clone());
        seen.trace.pass_on(&mut head.headers);
        if let Some(client) = seen.line.client {
            head.extensions.insert(ClientAddress(client));
        }
        if let Some(journey) = self.gate.journey(&head.headers) {
            head.extensions.insert(journey);
        }
        self.objects.fetch(&target.object, target.at, Request::from_parts(head, body)).await
    }

    /// Counts a request to an object, where that is asked for.
    fn count(&self, route: Option<&Route>, seen: &mut Seen) -> Result<()> {
        let (Some(limiter), Some(Route::Object(target))) = (&self.limiter, route) else {
            return Ok(());
        };
        let client = match (&seen.line.caller, seen.line.client) {
            (Some(name), _) => Client::Caller(name),
            (None, Some(address)) => Client::Address(address),
            (None, None) => Client::Unknown,
        };
        let quota = limiter.take(client, &target.object);
        seen.quota = Some(quota);
        quota.check()
    }

    /// The body as it will be read: to its end before the object's turn begins, unless its class
    /// wants it while it arrives.
    ///
    /// It is paid for before it is read: by what its sender announces, otherwise by what comes.
    /// What it takes besides, when it is parsed, is charged to the same account, which the request
    /// carries.
    async fn receive<B>(
        &self,
        body: B,
        head: &mut request::Parts,
        object: &ObjectId,
        seen: &Seen,
    ) -> Result<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let account = self.objects.account(object);
        if let Some(account) = &account {
            head.extensions.insert(account.clone());
        }
        if body.is_end_stream() {
            return Ok(Body::empty());
        }
        let announced = head
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > self.settings.body_bytes_max) {
            return Err(body::too_large(self.settings.body_bytes_max));
        }
        let inbound = Inbound::new(
            body,
            self.settings.body_bytes_max,
            self.settings.pace(),
            Arc::clone(&seen.line.bytes_in),
        );
        Ok(Body::new(match (account, announced) {
            (Some(account), Some(bytes)) => {
                account.grow(bytes).await?;
                inbound
            }
            (Some(account), None) => inbound.paid_by(account),
            (None, _) => inbound,
        }))
    }

    async fn ready(&self) -> Result<Response> {
        self.readiness.check(|| self.objects.ready()).await?;
        Ok(json(serde_json::json!({ "status": "ready" })))
    }

    fn figures(&self) -> Result<Response> {
        let exporter = self.exporter.as_ref();
        let exporter = exporter.ok_or_else(|| {
            Error::not_found("the program that embeds this server exports its metrics elsewhere")
        })?;
        let mut response = Response::new(exporter.render().into());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
        );
        Ok(response)
    }
}

/// The outcome of `work`, also when it panics.
async fn survive<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| {
        Err(Error::internal("the server failed while it answered; its log says why"))
    })
}

/// The answer to a request that did not come as far as this, to whoever sent it.
pub(crate) fn refusal(error: &Error, request_id: &HeaderValue) -> Response {
    error::response(error, request_id, Audience::Stranger)
}

/// A 200 with JSON.
fn json(value: serde_json::Value) -> Response {
    let mut response = Response::new(value.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
