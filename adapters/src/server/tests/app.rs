//! An app behind the real engine, as its clients see it.

use dotdo_core::{
    App, Components, Context, DurableObject, Engine, Error, Memory, Random, Request, Response,
    Result, Settings, SharedBucket,
};
use http::Method;

use super::*;
use crate::system::components::{OsRandom, SystemClock};
use crate::system::workers::Workers;

/// Counts, and fails on request after it has counted.
struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut count: u64 = ctx.storage().get("count")?.unwrap_or(0);
        if request.method() == Method::POST {
            count += 1;
            ctx.storage().put("count", &count)?;
        }
        match request.uri().path() {
            "/panic" => panic!("as asked"),
            "/fail" => return Err(Error::invalid("as asked")),
            "/forever" => std::future::pending::<()>().await,
            "/read" => drop(request.into_body().bytes().await?),
            _ => {}
        }
        Ok(Response::new(count.to_string().into()))
    }
}

async fn server() -> Server<Engine> {
    let settings = Settings { handler_time_max: Duration::from_secs(3), ..Settings::default() };
    serving(App::new().class("Counter", || Counter), settings, edge_settings()).await
}

/// A server of `app` on a store of its own, in memory.
pub(super) async fn serving(app: App, settings: Settings, edge: EdgeSettings) -> Server<Engine> {
    serving_with(app, settings, edge, server_settings()).await
}

/// A server of `app` with other limits of its connections.
pub(super) async fn serving_with(
    app: App,
    settings: Settings,
    edge: EdgeSettings,
    server: ServerSettings,
) -> Server<Engine> {
    let router = app.router();
    let clock = Arc::new(SystemClock::new());
    let random = Arc::new(OsRandom);
    let instance = uuid::Builder::from_random_bytes(random.bytes16()).into_uuid();
    let bucket = Arc::new(Memory::new(clock.clone()));
    let components = Components {
        buckets: Arc::new(SharedBucket(bucket)),
        clock,
        random,
        executor: Arc::new(Workers::default()),
        peers: None,
        directory: None,
        transport: None,
        instance,
    };
    let engine = Engine::start(app, settings, components).await.expect("an engine");
    Server::serving(Edge::new(engine, router, edge, None, 1), server).await
}

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n{more}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_counts_and_what_failed_leaves_no_trace() {
    let server = server().await;
    for (path, status, code) in [
        ("/do/a/panic", 500, "HANDLER_PANICKED"),
        ("/do/a/fail", 400, "BAD_REQUEST"),
        ("/do/a/forever", 504, "TIMED_OUT"),
    ] {
        assert_eq!(server.ask(&request("POST", "/do/a", "")).await.status, 200);
        let answer = server.ask(&request("POST", path, "")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{path}");
    }
    assert_eq!(server.ask(&request("GET", "/do/Counter/a", "")).await.text(), "3");
    assert_eq!(server.ask(&request("GET", "/do/b", "")).await.text(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_state_is_read_only() {
    let server = server().await;
    let mut versions = Vec::new();
    for _ in 0..3 {
        server.ask(&request("POST", "/do/a", "")).await;
    }
    for sequence in 0..100 {
        let answer =
            server.ask(&request("GET", "/do/a", &format!("x-do-at: {sequence}\r\n"))).await;
        if answer.status == 200 {
            versions.push(answer.text().to_owned());
        }
    }
    versions.dedup();
    assert!(versions.ends_with(&["1".to_owned(), "2".to_owned(), "3".to_owned()]), "{versions:?}");
    let answer = server.ask(&request("POST", "/do/a", "x-do-at: 1\r\n")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &"BAD_AT".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_its_object_well() {
    let server = server().await;
    let mut client = server.connect().await;
    client
        .send(
            "POST /do/a/read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        )
        .await;
    drop(client);
    let mut client = server.connect().await;
    client.send("POST /do/a/read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        client.send(&chunk).await;
    }
    assert_eq!(client.answer().await.status, 413);
    assert_eq!(server.ask(&request("POST", "/do/a/read", "")).await.text(), "1");
}
