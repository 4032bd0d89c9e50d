//! The edge, which every adapter shares: it identifies and routes requests, limits their bodies,
//! and turns every outcome into a response.
//!
//! The order from the outside in, with reasons:
//!
//! 1. The **access log** (`access`) is outermost, so that it logs what was really sent.
//! 2. The **request's id** and the **client's address** (`request_id`, `client`): everything below
//!    may need them.
//! 3. **Other servers** (`peer`) skip the rest, which the server that the client reached has done.
//! 4. **CORS** (`cors`): preflights need no token and reach no object; errors get the headers too,
//!    so that pages can read them.
//! 5. **Compression** (`compress`) of responses. A forwarded response is compressed once, for the
//!    client.
//! 6. **Pages of other sites** (`cross_site`), without authentication: they must not reach objects
//!    through a browser.
//! 7. **Authentication** (`crate::auth`, `permission`), before anything reveals the classes, and
//!    before the body is read. It removes the token, and determines the tenant whose objects the
//!    path names.
//!    Then the client's **connection** (`connection`) counts for that tenant.
//! 8. The **rate limit** (`rate`) counts callers by tenant and name, so it comes after
//!    authentication; refused requests are counted by address.
//! 9. The caller's **scopes** (`permission`): what the method and the path need.
//! 10. The **bounds of the body** (`body`), which is read only now. A compressed body reaches the
//!     object unchanged.
//!
//! Promises: every request gets exactly one response with its request id; all errors have the same
//! JSON form; a panic in a request is a 500 for that request only. Must not know: sockets,
//! platforms, the bucket.

mod access;
mod administration;
mod answered;
mod body;
mod catalog;
mod client;
mod compress;
mod connection;
mod context;
mod cors;
mod cross_site;
mod dispatch;
#[cfg(feature = "broker")]
mod endpoint;
mod error;
mod finish;
mod gateway;
mod json;
mod metrics;
mod objects;
mod pass;
mod peer;
mod permission;
mod rate;
mod readiness;
mod request_id;
mod settings;
mod tail;
mod tenant;
mod tick;
mod vary;

use std::sync::Arc;

use dotdo_core::{Error, Response, Router};
use http::HeaderValue;
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::Instrument;

pub(crate) use self::access::AccessLog;
pub(crate) use self::body::RequestBody;
pub use self::client::ClientAddress;
#[cfg(feature = "fuzzing")]
pub(crate) use self::client::fuzz;
pub(crate) use self::client::{TrustedProxies, is_proxy};
pub(crate) use self::compress::CompressionSettings;
pub(crate) use self::connection::{ClientConnection, CountsTenants};
use self::cors::Cors;
pub(crate) use self::cors::{is_header, is_method, is_origin};
use self::cross_site::CrossSite;
pub(crate) use self::cross_site::is_host;
use self::dispatch::survive;
#[cfg(feature = "broker")]
pub(crate) use self::endpoint::{Asked, status_of};
use self::error::Audience;
#[cfg(feature = "client")]
pub(crate) use self::error::status as status_of_kind;
pub(crate) use self::gateway::SharedGateway;
pub use self::gateway::{Gateway, GatewayObjects};
#[cfg(feature = "broker")]
pub(crate) use self::json::json;
use self::metrics::RequestMetrics;
pub(crate) use self::objects::{Ending, Objects};
pub(crate) use self::rate::Attempts;
#[cfg(feature = "broker")]
pub(crate) use self::rate::Limit;
use self::rate::RateLimiter;
use self::readiness::Readiness;
use self::request_id::RequestIds;
use self::settings::Access;
pub(crate) use self::settings::{AdministrationRoutes, EdgeSettings, Reach};
use self::tail::Tail;
#[cfg(test)]
pub(crate) use self::{cors::CorsSettings, rate::RateSettings};
use crate::auth::{Authentication, Tokens};
use crate::cluster::peers::ForwardedRequests;

/// Takes requests from adapters to objects and back.
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
    /// Who may use the routes of administration.
    access: Access,
    /// Who reads the requests that are answered.
    tail: Arc<Tail>,
    /// What a platform's timer must send, if it may have the server look at what is due.
    tick_secrets: Option<Tokens>,
}

impl<O: Objects> Edge<O> {
    /// An edge in front of `objects`, for the classes of `router`.
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
            (Authentication::new(&settings.auth), RateLimiter::new(&settings.rate));
        let (proxies, cors) = (
            TrustedProxies::new(&settings.trusted_proxies).unwrap_or_default(),
            Cors::new(&settings.cors),
        );
        let (forwarded, cross_site) = (ForwardedRequests::Closed, CrossSite::new(&settings));
        let (access, tail) = (Access::new(&settings), Arc::default());
        let tick_secrets = settings.tick_secret.as_ref().map(Tokens::new);
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
            access,
            tail,
            tick_secrets,
        }
    }

    /// Sets how requests of other servers are accepted.
    pub(crate) fn accepting(self, forwarded: ForwardedRequests) -> Self {
        Self { forwarded, ..self }
    }

    /// The objects behind this edge.
    pub(crate) fn objects(&self) -> &O {
        &self.objects
    }

    /// Answers a request; errors and panics become responses.
    pub(crate) async fn answer<B: RequestBody>(&self, request: http::Request<B>) -> Response {
        let (head, body) = request.into_parts();
        let mut context = self.context(&head);
        let span = context.trace.span();
        match self.forwarded.arrival(&head) {
            None => {
                context.asked = Some(self.asked(&head));
                // On the heap, because each layer around it moves it, and because an idle connection
                // keeps room for the future of its next request.
                let answer = Box::pin(self.dispatch(head, body, &mut context));
                let outcome = survive(answer.instrument(span)).await;
                self.finish(outcome, context)
            }
            Some(Ok(arrival)) => {
                let request = http::Request::from_parts(head, body);
                Box::pin(self.answer_peer(&arrival, request, context)).instrument(span).await
            }
            Some(Err(refusal)) => self.finish(Err(refusal), context),
        }
    }

    /// Answers a request that does not reach its object.
    #[cfg(feature = "azure")]
    pub(crate) fn refuse(&self, head: &http::request::Parts, error: Error) -> Response {
        self.finish(Err(error), self.context(head))
    }
}

/// The response to a request that failed before the edge.
pub(crate) fn refusal(error: &Error, request_id: &HeaderValue) -> Response {
    error::response(error, request_id, Audience::Client)
}
