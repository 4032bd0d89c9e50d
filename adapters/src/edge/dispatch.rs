//! Dispatch of a client's request to its object.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{
    Account, Body, Caller, Error, Handshake, ObjectId, Request, Response, Result, Route,
    SocketConnection,
};
use futures_util::FutureExt;
use http::{HeaderValue, Method, header, request};

use super::body::{self, Bounds, Inbound, RequestBody};
use super::context::RequestContext;
use super::cors::Cors;
use super::json::json;
use super::permission::{identify, permit, permit_operation, recognise};
use super::rate::Client;
use super::{ClientAddress, Edge, Objects, connection, cross_site, tick};

impl<O: Objects> Edge<O> {
    /// Dispatches a request to its endpoint or object.
    pub(super) async fn dispatch<B: RequestBody>(
        &self,
        mut head: request::Parts,
        body: B,
        context: &mut RequestContext,
    ) -> Result<Response> {
        if head.method == Method::CONNECT {
            return Err(Error::invalid("this server is not a proxy and does not support CONNECT"));
        }
        if self.cors.is_some() && Cors::is_preflight(&head) {
            return Ok(Cors::preflight());
        }
        self.check_site(&head, context)?;
        if tick::is_tick(&head) {
            let secrets = self.tick_secrets.as_ref();
            return Box::pin(tick::tick(self.tick(), &head, secrets)).await;
        }
        let home = &self.settings.home;
        let identified = identify(&self.authentication, home, &mut head, &mut context.line).await;
        let tenant = identified.as_ref().map_or(home, Caller::tenant);
        let route = self.router.route(tenant, &head.method, &head.uri, &head.headers);
        let route = self.through_gateway(route, tenant, &head);
        self.count(route.as_ref().ok(), context)?;
        // Unauthenticated callers must not learn the names of classes.
        let caller = identified?;
        connection::count(&head.extensions, &caller, home)?;
        let target = match route? {
            Route::Object(target) => target,
            Route::Health => return Ok(json(serde_json::json!({ "status": "ok" }))),
            Route::Ready => return self.ready(&head, context).await,
            Route::Metrics => {
                permit_operation(context.line.caller.as_ref())?;
                return self.figures();
            }
            Route::Tenant(tenant) => {
                return Box::pin(self.delete_tenant(&tenant, &caller, context)).await;
            }
            Route::Catalog(path) => {
                return Box::pin(self.catalog(&path, &head, &caller)).await;
            }
            Route::Administration(to) => {
                let request = http::Request::from_parts(head, body);
                return Box::pin(self.administer(to, request, &caller, context)).await;
            }
        };
        context.line.object = Some(target.object.clone());
        // What comes on a WebSocket can write.
        let is_socket = head.extensions.get::<Handshake>().is_some();
        permit(&caller, if is_socket { &Method::POST } else { &head.method }, &target)?;
        let body = self.receive(body, &mut head, &target.object, context).await?;
        if let Some(gateway) = self.gateway(&target) {
            let id = context.line.id.clone();
            return Box::pin(self.pass_to(gateway, (head, body), caller, id)).await;
        }
        target.rewrite(&mut head, context.line.id.clone());
        context.trace.pass_on(&mut head.headers);
        head.extensions.insert(caller);
        if let Some(client) = context.line.client {
            head.extensions.insert(ClientAddress(client));
        }
        if let Some(request_context) = self.forwarded.request_context(&head.headers) {
            head.extensions.insert(request_context);
        }
        self.objects.fetch(&target.object, target.at, Request::from_parts(head, body)).await
    }

    /// Refuses what a page of another site has sent, unless it is a health check.
    fn check_site(&self, head: &request::Parts, context: &mut RequestContext) -> Result<()> {
        let Some(cross_site) = &self.cross_site else { return Ok(()) };
        let Err(refusal) = cross_site.check(head, self.cors.as_ref()) else { return Ok(()) };
        context.is_cross_site = true;
        if cross_site::is_probe(head) { Ok(()) } else { Err(refusal) }
    }

    /// Counts a message on a WebSocket for the rate limit. Returns how long it must wait.
    pub(crate) fn count_message(
        &self,
        connection: &SocketConnection,
        client: Option<ClientAddress>,
    ) -> Option<Duration> {
        let limiter = self.limiter.as_ref()?;
        let client = match (connection.caller(), client) {
            (caller, _) if !caller.is_anonymous() => Client::Caller(caller),
            (_, Some(address)) => Client::Address(address.0),
            _ => Client::Unknown,
        };
        limiter.take(client, connection.object()).check().err()?.retry_after()
    }

    /// Applies the rate limit, if there is one.
    fn count(&self, route: Option<&Route>, context: &mut RequestContext) -> Result<()> {
        let (Some(limiter), Some(Route::Object(target))) = (&self.limiter, route) else {
            return Ok(());
        };
        let client = match (&context.line.caller, context.line.client) {
            (Some(caller), _) => Client::Caller(caller),
            (None, Some(address)) => Client::Address(address),
            (None, None) => Client::Unknown,
        };
        let quota = limiter.take(client, &target.object);
        context.quota = Some(quota);
        quota.check()
    }

    /// The body for the object, which is read completely before the turn begins, unless its class
    /// streams requests.
    ///
    /// It is charged before it is read: by its announced length, otherwise chunk by chunk. Its
    /// parsed form is charged to the same account, which the request carries.
    pub(super) async fn receive<B: RequestBody>(
        &self,
        body: B,
        head: &mut request::Parts,
        object: &ObjectId,
        context: &mut RequestContext,
    ) -> Result<Body> {
        let bounds = Bounds { bytes_max: self.settings.body_bytes_max, pace: self.settings.pace() };
        let received = self.receive_within(bounds, (body, head), object, context).await?;
        Ok(match received {
            Received { body: None, .. } => Body::empty(),
            Received { body: Some(body), announced: None, account: Some(account) } => {
                Body::new(body.paid_by(account))
            }
            Received { body: Some(body), .. } => Body::new(body),
        })
    }

    /// The body of a request to an object within `bounds`. Its announced length is charged.
    pub(super) async fn receive_within<B: RequestBody>(
        &self,
        bounds: Bounds,
        (body, head): (B, &mut request::Parts),
        object: &ObjectId,
        context: &mut RequestContext,
    ) -> Result<Received<B>> {
        let account = self.objects.account(object);
        if let Some(account) = &account {
            head.extensions.insert(account.clone());
            context.account = Some(account.clone());
        }
        if body.is_end_stream() {
            return Ok(Received { body: None, announced: Some(0), account });
        }
        let announced = head
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
            .or_else(|| body.size_hint().exact());
        if announced.is_some_and(|bytes| bytes > bounds.bytes_max) {
            return Err(body::too_large(bounds.bytes_max));
        }
        let inbound = Inbound::new(body, bounds, Arc::clone(&context.line.bytes_in));
        if let (Some(account), Some(bytes)) = (&account, announced) {
            account.grow(bytes).await?;
        }
        Ok(Received { body: Some(inbound), announced, account })
    }

    /// Whether the store can be used. Only an operator is told why not.
    async fn ready(&self, head: &request::Parts, context: &mut RequestContext) -> Result<Response> {
        recognise(&self.authentication, head, &mut context.line).await;
        self.readiness.check(|| self.objects.ready()).await?;
        Ok(json(serde_json::json!({ "status": "ready" })))
    }

    fn figures(&self) -> Result<Response> {
        let exporter = self.exporter.as_ref();
        let exporter = exporter.ok_or_else(|| {
            Error::not_found("the program that embeds this server exports its metrics itself")
        })?;
        let mut response = Response::new(exporter.render().into());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
        );
        Ok(response)
    }
}

/// A body that is received, within bounds.
pub(super) struct Received<B> {
    /// The body; `None` when it is empty.
    pub(super) body: Option<Inbound<B>>,
    /// Its length, which is charged, if the client has said it.
    pub(super) announced: Option<u64>,
    /// The account of the request, if memory is counted.
    pub(super) account: Option<Account>,
}

/// The outcome of `work`, with a panic as an error.
///
/// Not an `async fn`: its future would hold `work` twice, as the argument and where it is awaited.
pub(super) fn survive<T>(work: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    AssertUnwindSafe(work).catch_unwind().map(|outcome| {
        outcome.unwrap_or_else(|_| {
            Err(Error::internal("the server failed while it answered; its log has details"))
        })
    })
}
