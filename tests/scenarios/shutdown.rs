//! Asked to stop, a server finishes, covers everything with snapshots, and gives its objects up.

use std::time::Duration;

use dotdo_tests::history::Outcome;
use dotdo_tests::ledger::append;
use dotdo_tests::{Deadline, Proxy, Seaweed, Server};
use http::Method;
use nix::sys::signal::Signal;
use reqwest::{Client, StatusCode};
use tokio::task::JoinHandle;

use crate::load::Load;
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS, World, newest_record, snapshots};

/// Waits until the server has logged this.
async fn logged(server: &Server, text: &str) {
    let seen = || std::future::ready(server.stderr().contains(text).then_some(()));
    Deadline::in_seconds(PATIENCE_SECONDS)
        .until(seen)
        .await
        .unwrap_or_else(|| panic!("no {text:?} in:\n{}", server.stderr()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_leaves_everything_in_order() {
    let world = World::seaweed();
    let setup = world
        .setup()
        .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS)
        .env("DOTDO_CHECKPOINT_INTERVAL_MS", "600000");
    let setup = setup
        .env("DOTDO_CHECKPOINT_LOG_RECORDS", "100000")
        .env("DOTDO_SHUTDOWN_DEADLINE_MS", "180000");
    let server = setup.start().await;
    let load = Load::new((0..4).map(|number| format!("orderly-{number}")));
    let running = load.start(&[&server]);
    load.goes_on(200).await;
    server.signal(Signal::SIGTERM);
    logged(&server, "shutting down").await;
    running.stop().await;
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());

    let bucket = world.bucket();
    for object in load.objects() {
        let (covered, _) = snapshots(bucket.as_ref(), object).await;
        assert_eq!(
            covered.into_iter().max(),
            Some(newest_record(bucket.as_ref(), object).await),
            "the last snapshot covers {object}"
        );
    }
    // One request each: nothing has to be waited for.
    let (next, http) = (setup.start().await, Client::new());
    for object in load.objects() {
        let answer = http
            .post(next.url(&format!("/do/{object}/append?client=100&n=1")))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(answer.status(), StatusCode::OK, "{object} was released");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_is_finished_and_nothing_new_begins() {
    let proxy = Proxy::start(Seaweed::shared().endpoint()).await;
    let world = World::seaweed_through(&proxy.endpoint());
    let server = world.setup().start().await;
    let http = Client::new();
    assert_eq!(append(&http, &server.url("/do/busy"), 1, 1).await, Outcome::Appended(1));
    proxy.delay(Duration::from_millis(1000));
    let under_way = send(&proxy, &http, server.url("/do/busy"), 2).await;
    server.signal(Signal::SIGTERM);
    logged(&server, "shutting down").await;
    assert_eq!(
        append(&Client::new(), &server.url("/do/busy"), 1, 3).await,
        Outcome::Refused,
        "nothing new begins"
    );
    assert_eq!(
        under_way.await.expect("it does not panic"),
        Outcome::Appended(2),
        "what is under way is finished"
    );
    proxy.delay(Duration::ZERO);
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_server_at_once() {
    let proxy = Proxy::start(Seaweed::shared().endpoint()).await;
    let world = World::seaweed_through(&proxy.endpoint());
    // Left alone it would be busy with its last record for minutes.
    let server = world
        .setup()
        .env("DOTDO_SHUTDOWN_DEADLINE_MS", "600000")
        .env("DOTDO_COMMIT_DEADLINE_MS", "300000")
        .start()
        .await;
    let http = Client::new();
    assert_eq!(append(&http, &server.url("/do/busy"), 1, 1).await, Outcome::Appended(1));
    proxy.delay(Duration::from_secs(600));
    let under_way = send(&proxy, &http, server.url("/do/busy"), 2).await;
    server.signal(Signal::SIGTERM);
    logged(&server, "shutting down").await;
    assert_eq!(server.terminate().code(), Some(1), "{}", server.stderr());
    assert_eq!(
        under_way.await.expect("it does not panic"),
        Outcome::Unknown,
        "the connection broke"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_shuts_a_server_down_and_a_second_one_does_not_end_it() {
    let proxy = Proxy::start(Seaweed::shared().endpoint()).await;
    let setup = World::seaweed_through(&proxy.endpoint())
        .setup()
        .env("DOTDO_SHUTDOWN_DEADLINE_MS", "60000");
    // Tests may run under `nohup` too, whose children ignore the signal.
    let server = setup
        .program("env")
        .arg("--default-signal=HUP")
        .arg(env!("CARGO_BIN_EXE_scenario-app"))
        .start()
        .await;
    let http = Client::new();
    assert_eq!(append(&http, &server.url("/do/busy"), 1, 1).await, Outcome::Appended(1));
    proxy.delay(Duration::from_millis(1000));
    let under_way = send(&proxy, &http, server.url("/do/busy"), 2).await;
    server.signal(Signal::SIGHUP);
    logged(&server, "shutting down").await;
    server.signal(Signal::SIGHUP);
    assert_eq!(
        under_way.await.expect("it does not panic"),
        Outcome::Appended(2),
        "what is under way is finished"
    );
    proxy.delay(Duration::ZERO);
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    assert!(server.stderr().contains("SIGHUP"), "{}", server.stderr());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nohup_keeps_a_server_alive() {
    let world = World::folder();
    let server =
        world.setup().program("nohup").arg(env!("CARGO_BIN_EXE_scenario-app")).start().await;
    server.signal(Signal::SIGHUP);
    assert_eq!(append(&Client::new(), &server.url("/do/alive"), 1, 1).await, Outcome::Appended(1));
    assert_eq!(server.terminate().code(), Some(0), "{}", server.stderr());
    assert!(
        server.stderr().contains("SIGTERM") && !server.stderr().contains("SIGHUP"),
        "{}",
        server.stderr()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_log_nobody_reads_any_more_serves_on_and_stops_in_order() {
    let world = World::folder();
    let server = world.setup().env("DOTDO_LOG_ACCESS", "all").start().await;
    let http = Client::new();
    server.hear_no_more();
    for n in 1..=4 {
        assert_eq!(append(&http, &server.url("/do/unheard"), 1, n).await, Outcome::Appended(n));
        // Its error is logged, in vain.
        let answer = http
            .post(server.url("/do/unheard/append?client=1"))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
    assert!(
        server.stderr().matches("\"request\"").count() < 8,
        "the log was closed:\n{}",
        server.stderr()
    );
    assert_eq!(server.terminate().code(), Some(0));
    let next = world.setup().start().await;
    assert_eq!(append(&http, &next.url("/do/unheard"), 1, 5).await, Outcome::Appended(5));
}

/// Sends an append; returns when its record is on its way to the store.
async fn send(proxy: &Proxy, http: &Client, object: String, n: u64) -> JoinHandle<Outcome> {
    proxy.take_seen();
    let http = http.clone();
    let sent = tokio::spawn(async move { append(&http, &object, 1, n).await });
    let is_record =
        |(method, path): &(Method, String)| *method == Method::PUT && path.contains("/log/");
    let seen = || std::future::ready(proxy.take_seen().iter().any(is_record).then_some(()));
    Deadline::in_seconds(PATIENCE_SECONDS).until(seen).await.expect("the record is on its way");
    sent
}
