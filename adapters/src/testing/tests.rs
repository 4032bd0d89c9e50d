//! That a [`TestServer`] is a server: what it promises holds, and what a test does to it has the
//! effect that it has on a real one.

use std::time::Duration;

use dotdo_core::{App, Context, DurableObject, Error, Request, Response, Result, Settings, json};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;

/// A list of numbers that sends each of them on to the object that the query names.
struct List;

impl DurableObject for List {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS list (n INTEGER, at_ms INTEGER)", ())?;
        let receiver = request.uri().query().map(str::to_owned);
        let path = request.uri().path().to_owned();
        match (request.method().as_str(), path.as_str()) {
            ("POST", "/") => {
                let n: i64 = request.into_body().json().await?;
                let now_ms = ctx.now_ms();
                ctx.sql().exec("INSERT INTO list VALUES (?, ?)", (n, now_ms))?;
                if let Some(receiver) = receiver {
                    let message = http::Request::post("/").body(n.to_string().into())?;
                    ctx.send("List", &receiver, message)?;
                }
            }
            ("POST", "/hang") => std::future::pending().await,
            ("POST", "/poison") => return Err(Error::conflict("not taken")),
            ("GET", "/") => {}
            _ => return Err(Error::not_found(path)),
        }
        let numbers: Vec<i64> = ctx.sql().exec("SELECT n FROM list ORDER BY n", ())?.rows()?;
        json(&numbers)
    }
}

fn app() -> App {
    App::new().class("List", || List)
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_and_the_next_request_waits_for_the_lease() {
    let mut server = TestServer::start(app()).await;
    assert_eq!(server.post("/do/a").json(&7).await.json::<Vec<i64>>(), [7]);
    let before_ms = server.now_ms();
    server.crash().await;
    assert_eq!(server.now_ms(), before_ms, "a crash takes no time");
    assert_eq!(server.get("/do/a").await.json::<Vec<i64>>(), [7]);
    let waited_ms = u128::try_from(server.now_ms() - before_ms).expect("time goes on");
    assert!(waited_ms >= Settings::default().lease_duration.as_millis(), "{waited_ms} ms");
    let before_ms = server.now_ms();
    server.restart().await;
    assert_eq!(server.get("/do/List/a").await.json::<Vec<i64>>(), [7]);
    let waited_ms = server.now_ms() - before_ms;
    assert!(waited_ms < 100, "what was released is not waited for: {waited_ms} ms");
}

#[tokio::test]
async fn a_request_that_is_under_way_in_a_crash_is_not_answered_and_leaves_nothing() {
    let mut server = TestServer::start(app()).await;
    server.post("/do/a").json(&1).await.ok();
    let hanging = tokio::spawn(server.post("/do/a/hang").try_send());
    tokio::task::yield_now().await;
    server.crash().await;
    assert!(hanging.await.expect("no panic").is_none());
    assert_eq!(server.get("/do/a").await.json::<Vec<i64>>(), [1]);
}

#[tokio::test]
async fn a_crash_is_whole_after_every_number_of_requests_to_the_store() {
    let mut answered = 0;
    for requests in 0..6 {
        let mut server = TestServer::start(app()).await;
        server.post("/do/a").json(&1).await.ok();
        server.settled().await;
        server.crash_after(requests);
        let answer = server.post("/do/a").json(&2).try_send().await;
        server.crash().await;
        let numbers: Vec<i64> = server.get("/do/a").await.json();
        assert!(numbers == [1] || numbers == [1, 2], "{requests}: {numbers:?}");
        assert!(answer.is_none() || numbers == [1, 2], "{requests}: it was acknowledged");
        answered += u32::from(answer.is_some());
    }
    assert!((1..6).contains(&answered), "{answered} of 6 were answered before the crash");
}

#[tokio::test]
#[should_panic(expected = "expected POST /do/a to end within 3600 s of the test clock")]
async fn what_never_ends_is_told_instead_of_waited_for() {
    let server = TestServer::start(app()).await;
    server.store().slowness().hold(|operation, _| operation == Operation::Create);
    server.post("/do/a").json(&1).await.ok();
}

#[tokio::test]
async fn rows_are_what_the_store_has() {
    let server = TestServer::start(app()).await;
    let sql = "SELECT n, at_ms FROM list ORDER BY n";
    server.post("/do/a").json(&1).await.ok();
    let first_ms = server.now_ms();
    server.advance(Duration::from_secs(100)).await;
    server.post("/do/a").json(&2).await.ok();
    let rows: Vec<(i64, i64)> = server.rows("List", "a", sql).await;
    assert_eq!(rows, [(1, first_ms), (2, first_ms + 100_000)]);
    server.store().faults().outage();
    assert_eq!(server.post("/do/a").json(&3).await.status(), 503);
    assert_eq!(server.rows::<(i64, i64)>("List", "a", sql).await, rows);
    server.store().faults().heal();
    server.post("/do/a").json(&4).await.ok();
}

#[tokio::test]
async fn messages_have_arrived_when_it_is_settled_also_after_the_sender_has_crashed() {
    let mut server = TestServer::start(app()).await;
    server.post("/do/a?b").json(&1).await.ok();
    let before_ms = server.now_ms();
    server.settled().await;
    assert_eq!(server.now_ms(), before_ms, "it takes no time when nothing fails");
    assert_eq!(server.get("/do/b").await.json::<Vec<i64>>(), [1]);

    let held = |operation: Operation, key: &dotdo_core::Key| {
        operation.is_commit(key) && key.as_str().contains("/list/b/")
    };
    server.store().slowness().hold(held);
    server.post("/do/a?b").json(&2).await.ok();
    server.crash().await;
    server.store().slowness().release();
    server.settled().await;
    let taken: Vec<i64> = server.rows("List", "b", "SELECT n FROM list ORDER BY n").await;
    assert_eq!(taken, [1, 2]);
}

#[tokio::test]
async fn servers_on_one_store_take_over_from_one_another() {
    let first = TestServer::start(app()).await;
    let second = first.another().await;
    first.post("/do/a").json(&1).await.ok();
    let before_ms = first.now_ms();
    assert_eq!(second.post("/do/a").json(&2).await.json::<Vec<i64>>(), [1, 2]);
    let waited_ms = u128::try_from(first.now_ms() - before_ms).expect("time goes on");
    assert!(waited_ms >= Settings::default().lease_duration.as_millis(), "{waited_ms} ms");
    assert_eq!(first.get("/do/a").await.json::<Vec<i64>>(), [1, 2], "it follows");
    first.kill();
    let function = TestServer::builder(app()).per_request().beside(&second).start().await;
    assert_eq!(function.get("/do/a").await.json::<Vec<i64>>(), [1, 2], "a read needs no lease");
}

#[tokio::test]
async fn functions_share_an_object_without_leases() {
    let one = TestServer::builder(app()).per_request().start().await;
    let other = one.another().await;
    let sent = (0..10).map(|n| if n % 2 == 0 { &one } else { &other }.post("/do/a").json(&n));
    join_all(sent.map(IntoFuture::into_future)).await.into_iter().for_each(|sent| drop(sent.ok()));
    assert_eq!(other.get("/do/a").await.json::<Vec<i64>>(), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn requests_to_the_store_are_counted_and_take_as_long_as_they_are_told_to() {
    let server = TestServer::start(app()).await;
    server.post("/do/a").json(&1).await.ok();
    server.settled().await;
    let before = server.store().record().count(Operation::Create, "/log/");
    server.store().slowness().set_delay(Duration::from_secs(2));
    let before_ms = server.now_ms();
    server.post("/do/a").json(&2).await.ok();
    assert_eq!(server.store().record().count(Operation::Create, "/log/") - before, 1);
    assert!(server.now_ms() - before_ms >= 2000, "{} ms", server.now_ms() - before_ms);
}

#[tokio::test]
async fn errors_are_the_ones_of_a_server() {
    let server = TestServer::start(app()).await;
    let refused = server.post("/do/a/poison").await;
    assert_eq!((refused.status(), refused.code().as_str()), (409, "CONFLICT"));
    let body: Value = serde_json::from_slice(refused.bytes()).expect("JSON");
    assert_eq!(body["error"], json!("not taken"));
    assert!(refused.header("x-request-id").is_some());
    assert_eq!(server.get("/nowhere").await.status(), 404);
    assert_eq!(server.get("/health").await.json::<Value>()["status"], "ok");
    assert_eq!(server.post("/do/a").body("no JSON").await.status(), 400);
}

/// What one run did: answers, times and what the store was asked.
fn told() -> (Vec<String>, i64, Vec<Recorded>) {
    run(async {
        let mut server = TestServer::start(app()).await;
        let sent = (0..6).map(|n| server.post(&format!("/do/{}?c", n % 2)).json(&n));
        let answers = join_all(sent.map(IntoFuture::into_future)).await;
        let answers = answers.into_iter().map(|answer| answer.ok().text().to_owned()).collect();
        server.crash().await;
        server.settled().await;
        (answers, server.now_ms(), server.store().record().recorded())
    })
}

#[test]
fn a_test_does_the_same_in_every_run() {
    let (first, second) = (told(), told());
    assert_eq!(first, second);
    assert!(first.2.len() > 20, "{:?}", first.2);
}

#[test]
fn a_runtime_of_several_threads_is_refused_with_what_to_do() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let refused = runtime.block_on(async { tokio::spawn(TestServer::start(app())).await });
    let panic = refused.expect_err("time can't stand still there").into_panic();
    let text = panic.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
    assert!(text.contains("use #[tokio::test] without a flavor"), "{text}");
}
