//! Objects as a service in another program, and a service inside an object.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use dotdo_core::{
    App, Body, Caller, Context, DurableObject, Error, ErrorKind, Request, Response, Result, Scope,
};
use futures_util::future::{join, join_all};
use http::StatusCode;
use tokio::sync::watch;
use tower::{Service, service_fn};

use super::*;
use crate::testing::TestServer;
use crate::{Serve, ServeOptions};

/// Counts in its storage.
fn count(ctx: &mut Context) -> Result<u64> {
    let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
    ctx.storage().put("count", &count)?;
    Ok(count)
}

struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        Ok(Response::new(count(ctx)?.to_string().into()))
    }
}

fn serve(storage: &str) -> Serve {
    let options = ServeOptions {
        storage: Some(storage.to_owned()),
        allow_unauthenticated: true,
        ..ServeOptions::default()
    };
    Serve::new(App::new().class("Counter", || Counter)).options(options)
}

fn request(path: &str) -> Request {
    let request = http::Request::post(path).header("host", "localhost:3000");
    request.body(Body::empty()).expect("a request")
}

async fn send(service: &ObjectService, request: Request) -> (u16, String) {
    let response = service.clone().call(request).await.expect("it never fails");
    let status = response.status().as_u16();
    (status, response.into_body().text().await.expect("a text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_service_answers_as_a_server_does_and_releases_its_objects_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", folder.path().display());
    let (service, handle) = serve(&storage).into_service().await.expect("a good store");
    let visits = (0..8).map(|_| send(&service, request("/do/visits")));
    let mut counts = join_all(visits).await;
    counts.sort();
    let expected: Vec<_> = (1..=8).map(|count| (200, count.to_string())).collect();
    assert_eq!(counts, expected);
    let (status, text) = send(&service, request("/nowhere")).await;
    assert!(status == 404 && text.contains("NO_OBJECT"), "{status} {text}");
    handle.shutdown().await;
    let (status, text) = send(&service, request("/do/visits")).await;
    assert!(status == 503 && text.contains("BUSY"), "{status} {text}");

    // The next one waits for no lease.
    let (service, handle) = serve(&storage).into_service().await.expect("a good store");
    assert_eq!(send(&service, request("/do/visits")).await, (200, "9".to_owned()));
    handle.shutdown().await;
}

#[tokio::test]
async fn pages_of_other_sites_and_requests_without_a_host_are_refused() {
    let (service, _handle) = serve("memory://").into_service().await.expect("memory");
    let mut foreign = request("/do/visits");
    foreign.headers_mut().insert("origin", "https://other.example".parse().expect("a value"));
    assert_eq!(send(&service, foreign).await.0, 403);
    let mut hostless = request("/do/visits");
    hostless.headers_mut().remove("host");
    assert_eq!(send(&service, hostless).await.0, 400);
    let mut from = request("/do/visits");
    from.extensions_mut().insert(ClientAddress(IpAddr::from([192, 0, 2, 7])));
    assert_eq!(send(&service, from).await, (200, "1".to_owned()));
}

/// Counts in one object, by a POST, whatever it is asked.
struct OneCounter;

impl Gateway for OneCounter {
    async fn fetch(&self, request: Request, objects: GatewayObjects) -> Result<Response> {
        let post = http::Request::post("/").body(Body::empty())?;
        let counted = objects.fetch("Counter", "one", post).await?.into_body().text().await?;
        Ok(Response::new(format!("{} {counted}", request.uri().path()).into()))
    }
}

#[tokio::test]
async fn a_gateway_answers_in_the_place_of_the_routes_to_objects_with_its_callers_rights() {
    let serve = serve("memory://").gateway(OneCounter);
    let (service, handle) = serve.into_service().await.expect("memory");
    let paths = ["/", "/do/visits", "/do/Counter/visits", "/do/"];
    for (count, path) in (1..).zip(paths) {
        assert_eq!(send(&service, request(path)).await, (200, format!("{path} {count}")));
    }
    let mut named = request("/x");
    named.headers_mut().insert(dotdo_core::ID_HEADER, "visits".parse().expect("a value"));
    assert_eq!(send(&service, named).await, (200, "/x 5".to_owned()));
    // Who may only read is let through to the gateway, and no further.
    let mut reading = request("/y");
    *reading.method_mut() = http::Method::GET;
    reading.extensions_mut().insert(Caller::new("ada").with_scopes(Scope::Read));
    let (status, text) = send(&service, reading).await;
    assert!(status == 403 && text.contains("MISSING_SCOPE"), "{status} {text}");
    let health = http::Request::get("/health").header("host", "localhost").body(Body::empty());
    assert_eq!(send(&service, health.expect("a request")).await.0, 200);
    handle.shutdown().await;
}

/// Begins at the second try, and tells how often it was tried.
#[derive(Default)]
struct Beginner(watch::Sender<u64>);

impl Gateway for Arc<Beginner> {
    async fn fetch(&self, request: Request, objects: GatewayObjects) -> Result<Response> {
        OneCounter.fetch(request, objects).await
    }

    async fn begin(&self, objects: GatewayObjects) -> Result<()> {
        let tries = *self.0.borrow() + 1;
        if tries > 1 {
            let post = http::Request::post("/").body(Body::empty())?;
            objects.fetch("Counter", "one", post).await?.into_body().text().await?;
        }
        self.0.send_replace(tries);
        if tries > 1 { Ok(()) } else { Err(Error::conflict("not yet")) }
    }
}

#[tokio::test]
async fn a_gateway_begins_without_a_request_and_again_until_it_has() {
    let beginner = Arc::new(Beginner::default());
    let serve = serve("memory://").gateway(beginner.clone());
    let (service, handle) = serve.into_service().await.expect("memory");
    beginner.0.subscribe().wait_for(|tries| *tries == 2).await.expect("it begins");
    assert_eq!(send(&service, request("/")).await, (200, "/ 2".to_owned()));
    handle.shutdown().await;
}

#[tokio::test]
async fn a_service_that_anybody_could_use_does_not_start() {
    let app = App::new().class("Counter", || Counter);
    let options = ServeOptions { storage: Some("memory://".to_owned()), ..ServeOptions::default() };
    let refused = Serve::new(app).options(options).into_service().await;
    let error = refused.expect_err("nobody would have to prove who they are");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.message().contains("DOTDO_AUTH_TOKENS"), "{error}");
}

#[test]
fn a_configuration_that_needs_a_port_is_refused_or_left_out() {
    let mut config = crate::config::Config {
        allow_unauthenticated: true,
        forwarding: crate::config::Forwarding::Proxy,
        ..crate::config::Config::default()
    };
    let refused = mountable(&mut config).expect_err("others could not reach it");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    config.forwarding = crate::config::Forwarding::Auto;
    config.peer_secret = Some(dotdo_core::Secret::new("secret"));
    mountable(&mut config).expect("the secret is not used");
    assert_eq!(config.forwarding, crate::config::Forwarding::Off);
}

/// Gives its requests to services.
struct Inside;

impl DurableObject for Inside {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        answer(service_fn(route), request, ctx).await
    }
}

async fn route(request: Request) -> Result<Response, Infallible> {
    let lent = request.extensions().get::<Lent>().cloned().expect("it is lent");
    let counted = match request.uri().path() {
        // Two at once, each of which is whole.
        "/two" => {
            let (first, second) = join(lent.with(count), lent.with(count)).await;
            first.and_then(|first| Ok((first?, second??).1))
        }
        _ => lent.with(count).await.and_then(|count| count),
    };
    let count = counted.expect("it counts");
    let mut response = Response::new(Body::from(count.to_string()));
    match request.uri().path() {
        "/undo" => {
            let error = Error::conflict("counted too far");
            response.extensions_mut().insert(Undo(error));
        }
        "/refuse" => *response.status_mut() = StatusCode::IM_A_TEAPOT,
        "/late" => {
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                let late = lent.with(count_again).await;
                assert_eq!(late.expect_err("the request is over").code(), "REQUEST_OVER");
                LATE.send_replace(true);
            });
        }
        "/panic" => {
            let _ = lent.with(|_| panic!("on purpose")).await;
        }
        _ => {}
    }
    Ok(response)
}

/// Whether the task that was left behind has found its request over.
static LATE: std::sync::LazyLock<watch::Sender<bool>> =
    std::sync::LazyLock::new(|| watch::Sender::new(false));

fn count_again(ctx: &mut Context) -> Result<u64> {
    count(ctx)
}

#[tokio::test]
async fn a_service_inside_an_object_works_on_its_context_and_on_nothing_else() {
    let mut server = TestServer::start(App::new().class("Inside", || Inside)).await;
    assert_eq!(server.post("/do/a").await.text(), "1");
    assert_eq!(server.post("/do/a/two").await.text(), "3");
    let undone = server.post("/do/a/undo").await;
    assert_eq!((undone.status(), undone.code().as_str()), (409, "CONFLICT"));
    assert_eq!(server.post("/do/a").await.text(), "4", "the error left nothing");
    assert_eq!(server.post("/do/a/refuse").await.status(), 418);
    assert_eq!(server.post("/do/a").await.text(), "6", "a response of any status is an answer");
    assert_eq!(server.post("/do/a/panic").await.status(), 500);
    server.post("/do/a/late").await.ok();
    let mut late = LATE.subscribe();
    late.wait_for(|is_over| *is_over).await.expect("the sender is kept");
    server.crash().await;
    assert_eq!(server.post("/do/a").await.text(), "8", "neither the panic nor the task counted");
}
