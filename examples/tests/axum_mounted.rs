//! `axum_mounted.rs`

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use dotdo::{ErrorKind, Serve, ServeOptions};
use futures_util::future::join_all;
use serde_json::Value;
use tower::Service;

use crate::programs::axum_mounted::{app, routes};

fn options(storage: &str) -> ServeOptions {
    ServeOptions {
        storage: Some(storage.to_owned()),
        allow_unauthenticated: true,
        ..ServeOptions::default()
    }
}

/// A request as a server gives it to its routes.
fn request(method: &str, path: &str) -> Request {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:3000");
    request.body(Body::empty()).expect("a request")
}

async fn send<S>(routes: &mut S, request: Request) -> (u16, String)
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let response = routes.call(request).await.expect("it never fails");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a short body");
    (status, String::from_utf8(body.into()).expect("a text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_beside_the_program_s_own_routes_and_are_released_at_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", folder.path().display());
    let started = Serve::new(app()).options(options(&storage)).into_service().await;
    let (objects, handle) = started.expect("the folder is a good store");
    let mut routes = routes(objects.clone());
    assert_eq!(send(&mut routes, request("GET", "/")).await, (200, "a page".to_owned()));
    let visits = (0..8).map(|_| {
        let mut routes = routes.clone();
        async move { send(&mut routes, request("POST", "/objects/do/visits")).await }
    });
    let mut counts: Vec<_> = join_all(visits).await.into_iter().collect();
    counts.sort();
    let expected: Vec<_> = (1..=8).map(|count| (200, count.to_string())).collect();
    assert_eq!(counts, expected);
    assert_eq!(send(&mut routes, request("GET", "/objects/health")).await.0, 200);
    assert_eq!(send(&mut routes, request("GET", "/do/visits")).await.0, 404, "it is not there");

    handle.shutdown().await;
    let (status, body) = send(&mut routes, request("POST", "/objects/do/visits")).await;
    let body: Value = serde_json::from_str(&body).expect("an error of dotdo's");
    assert_eq!((status, &body["code"]), (503, &Value::from("BUSY")));
    // It waits for no lease.
    let started = Serve::new(app()).options(options(&storage)).into_service().await;
    let (mut objects, handle) = started.expect("the folder is a good store");
    let response = objects.call(request("POST", "/do/visits")).await.expect("it never fails");
    assert_eq!(response.into_body().text().await.expect("a text"), "9");
    handle.shutdown().await;
}

#[tokio::test]
async fn pages_of_other_sites_are_refused_where_nobody_has_to_prove_who_they_are() {
    let started = Serve::new(app()).options(options("memory://")).into_service().await;
    let (objects, _handle) = started.expect("memory is a good store");
    let mut routes = routes(objects);
    let mut foreign = request("POST", "/objects/do/visits");
    foreign.headers_mut().insert("origin", "https://other.example".parse().expect("a value"));
    assert_eq!(send(&mut routes, foreign).await.0, 403);
    let mut hostless = request("POST", "/objects/do/visits");
    hostless.headers_mut().remove("host");
    assert_eq!(send(&mut routes, hostless).await.0, 400);
}

#[tokio::test]
async fn a_service_that_anybody_could_reach_does_not_start() {
    let options = ServeOptions { allow_unauthenticated: false, ..options("memory://") };
    let refused = Serve::new(app()).options(options).into_service().await;
    let error = refused.expect_err("nobody would have to prove who they are");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.message().contains("DOTDO_AUTH_TOKENS"), "{error}");
}
