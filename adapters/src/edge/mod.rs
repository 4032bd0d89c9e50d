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
//! 6. **Pages of others** (`cross_site`), where nothing is asked of callers: a browser must not take
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
mod context;
mod cors;
mod cross_site;
mod dispatch;
mod error;
mod finish;
mod json;
mod metrics;
mod objects;
mod peer;
mod rate;
mod readiness;
mod request_id;
mod settings;
mod vary;

use bytes::Bytes;
use dotdo_core::{Error, Response, Router, Tenant};
use http::{HeaderValue, request};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::Instrument;

pub(crate) use self::access::AccessLog;
#[cfg(feature = "fuzzing")]
pub(crate) use self::client::fuzz;
pub(crate) use self::client::{ClientAddress, TrustedProxies, is_proxy};
use self::cors::Cors;
pub(crate) use self::cors::{is_header, is_method, is_origin};
use self::cross_site::CrossSite;
pub(crate) use self::cross_site::is_host;
use self::dispatch::survive;
use self::error::Audience;
use self::metrics::RequestMetrics;
pub(crate) use self::objects::Objects;
use self::rate::RateLimiter;
use self::readiness::Readiness;
use self::request_id::RequestIds;
pub(crate) use self::settings::{EdgeSettings, Reach};
#[cfg(test)]
pub(crate) use self::{compress::CompressionSettings, cors::CorsSettings, rate::RateSettings};
use crate::auth::Authentication;
use crate::cluster::peers::ForwardedRequests;

/// The way of a request from an adapter to an object and back.
pub(crate) struct Edge<O> {
    objects: O,
    router: Router,
    settings: EdgeSettings,
    request_ids: RequestIds,
    metrics: RequestMetrics,
    readiness: Readiness,
    exporter: Option<PrometheusHandle>,
    forwarded: ForwardedRequests,
    proxies: TrustedProxies,
    cors: Option<Cors>,
    cross_site: Option<CrossSite>,
    authentication: Authentication,
    limiter: Option<RateLimiter>,
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
        let (authentication, limiter) =
            (Authentication::new(&settings.auth, None), RateLimiter::new(&settings.rate));
        let (proxies, cors) = (
            TrustedProxies::new(&settings.trusted_proxies).unwrap_or_default(),
            Cors::new(&settings.cors),
        );
        let (forwarded, cross_site) = (ForwardedRequests::Closed, CrossSite::new(&settings));
        Self {
            objects,
            router,
            settings,
            request_ids,
            metrics,
            readiness,
            exporter,
            forwarded,
            proxies,
            cors,
            cross_site,
            authentication,
            limiter,
        }
    }

    /// The same edge, with what it takes from other servers.
    pub(crate) fn accepting(self, forwarded: ForwardedRequests) -> Self {
        Self { forwarded, ..self }
    }

    /// The same edge, to the objects of `tenant`: callers of others are refused.
    pub(crate) fn of_tenant(self, tenant: Tenant) -> Self {
        Self { authentication: Authentication::new(&self.settings.auth, Some(tenant)), ..self }
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
        let mut context = self.context(&head);
        let span = context.trace.span();
        match self.forwarded.arrival(&head) {
            None => {
                context.asked = Some(self.asked(&head));
                let outcome =
                    survive(self.dispatch(head, body, &mut context).instrument(span)).await;
                self.finish(outcome, context)
            }
            Some(Ok(arrival)) => {
                self.answer_peer(&arrival, http::Request::from_parts(head, body), context)
                    .instrument(span)
                    .await
            }
            Some(Err(refusal)) => self.finish(Err(refusal), context),
        }
    }

    /// Answers a request that does not come to its object.
    pub(crate) fn refuse(&self, head: &request::Parts, error: Error) -> Response {
        self.finish(Err(error), self.context(head))
    }
}

/// The answer to a request that did not come as far as this, to whoever sent it.
pub(crate) fn refusal(error: &Error, request_id: &HeaderValue) -> Response {
    error::response(error, request_id, Audience::Stranger)
}
