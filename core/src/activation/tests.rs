//! An engine on a store that misbehaves on request: the gate, groups, fencing, leases, and handlers
//! that fail in every way.

mod afterwards;
mod alarms;
mod beside;
mod callers;
mod calls;
mod claims;
mod closed;
mod counter;
mod deletion;
mod ends;
mod history;
mod large;
mod late;
mod markers;
mod memory;
mod once;
mod outbox;
mod per_request;
mod post;
mod replace;
mod rollup;
mod seen;
mod shares;
mod slow;
mod sockets;
mod start;
mod stays;
mod tenants;
mod token;
mod turns;
mod two_stores;
mod typed;
mod verify;
mod void;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use self::counter::Counter;
use crate::activation::runtime::Components;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::Executor;
use crate::id::{ObjectId, Tenant};
use crate::object::{App, Body, Context, DurableObject, Request, Response};
use crate::settings::{Ownership, Settings};
use crate::store::{Bucket, Key};
use crate::tenants::SharedBucket;
use crate::testing::{Fault, ManualClock, Operation, SlowBucket, TestStore};

/// Longer than any lease.
const LEASES_END: Duration = Duration::from_secs(60);

/// One bucket and clock, and any number of servers.
struct World {
    app: App,
    clock: Arc<ManualClock>,
    bucket: Arc<TestStore>,
}

impl World {
    fn new() -> Self {
        Self::of(App::new().class("Counter", || Counter))
    }

    fn of(app: App) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { app, bucket: Arc::new(TestStore::new(clock.clone())), clock }
    }

    async fn server(&self, instance: u128) -> Engine {
        self.server_with(instance, Settings::default()).await
    }

    async fn function(&self, instance: u128) -> Engine {
        self.server_with(
            instance,
            Settings { ownership: Ownership::PerRequest, ..Settings::default() },
        )
        .await
    }

    async fn server_with(&self, instance: u128, settings: Settings) -> Engine {
        self.server_of(self.components(instance), settings).await
    }

    /// What a server usually runs on.
    fn components(&self, instance: u128) -> Components {
        Components::of_test(self.bucket.clone(), self.clock.clone(), instance)
    }

    async fn server_of(&self, components: Components, settings: Settings) -> Engine {
        Engine::start(self.app.clone(), settings, components)
            .await
            .expect("memory passes the probe")
    }

    fn records(&self) -> u64 {
        self.bucket.creates_of("/log/")
    }
}

/// A server whose object has counted to 1.
async fn counted() -> (World, Engine) {
    let world = World::new();
    let engine = world.server(1).await;
    assert_eq!(get(&engine, "/add").await.expect("it counts"), "1");
    (world, engine)
}

fn object() -> ObjectId {
    Tenant::local().object("Counter", "a").expect("a good id")
}

async fn get(engine: &Engine, path: &'static str) -> Result<String> {
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(&object(), None, request).await?.into_body().text().await
}

fn kind(result: Result<String>) -> ErrorKind {
    result.expect_err("it must fail").kind()
}

#[tokio::test]
async fn a_write_is_read_back_by_the_next_server_after_a_graceful_end() {
    let world = World::new();
    let first = world.server(1).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(get(&first, "/add").await.expect("it counts"), expected);
    }
    first.shutdown(Duration::from_secs(5)).await;
    assert_eq!(kind(get(&first, "/add").await), ErrorKind::Busy);
    let second = world.server(2).await;
    assert_eq!(get(&second, "/get").await.expect("it was released"), "3");
    assert_eq!(get(&second, "/add").await.expect("it counts on"), "4");
}

#[tokio::test]
async fn reads_while_the_lease_holds_cost_nothing_and_cold_reads_no_record() {
    let world = World::new();
    let engine = world.server(1).await;
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
    assert_eq!(
        world.records(),
        0,
        "reading an object that was never written leaves nothing behind"
    );
    get(&engine, "/add").await.expect("it counts");
    for _ in 0..10 {
        assert_eq!(get(&engine, "/get").await.expect("a warm read"), "1");
    }
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn reads_after_the_lease_ask_the_log_and_soon_renew_it() {
    let (world, engine) = counted().await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(get(&engine, "/get").await.expect("proven"), "1");
    assert_eq!(world.records(), 1, "one read in an hour is not worth a lease");
    assert_eq!(get(&engine, "/get").await.expect("proven"), "1");
    run_ready().await;
    assert_eq!(world.records(), 2, "the second read in a moment is");
    assert_eq!(get(&engine, "/get").await.expect("a warm read"), "1");
    assert_eq!(world.records(), 2);
}

#[tokio::test]
async fn a_server_whose_lease_is_over_follows_what_others_wrote() {
    let (world, first) = counted().await;
    let second = world.server(2).await;
    world.clock.advance(LEASES_END);
    assert_eq!(get(&second, "/add").await.expect("taken over"), "2");
    world.clock.advance(LEASES_END);
    assert_eq!(get(&first, "/get").await.expect("it follows"), "2");
    assert_eq!(get(&first, "/add").await.expect("it takes the object back"), "3");
    second.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn requests_that_wait_together_share_a_record() {
    let (world, engine) = counted().await;
    let before = world.records();
    let mut values: Vec<u64> = join_all((0..50).map(|_| get(&engine, "/add")))
        .await
        .into_iter()
        .map(|value| value.expect("it counts").parse().expect("a number"))
        .collect();
    values.sort_unstable();
    assert_eq!(values, (2..=51).collect::<Vec<_>>());
    let records = world.records() - before;
    assert!(records <= 3, "50 requests at once took {records} records");
}

#[tokio::test]
async fn a_second_server_is_refused_while_the_lease_holds_and_takes_over_after_it() {
    let (world, first) = counted().await;
    let second = world.server(2).await;
    let waiting = tokio::spawn({
        let second = second.clone();
        async move { get(&second, "/add").await }
    });
    run_ready().await;
    assert!(!waiting.is_finished(), "it waits for the lease");
    // The owner is alive and renews by writing.
    world.clock.advance(Duration::from_secs(6));
    get(&first, "/add").await.expect("the owner goes on");
    world.clock.advance(Duration::from_secs(6));
    let error = waiting.await.expect("no panic").expect_err("the owner is alive");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "OWNED_BY_OTHER_INSTANCE"));
    // The owner falls silent.
    world.clock.advance(LEASES_END);
    assert_eq!(get(&second, "/add").await.expect("taken over"), "3");
}

#[tokio::test]
async fn a_restored_log_is_as_long_as_the_one_that_was_written() {
    let (world, first) = counted().await;
    run_ready().await;
    for _ in 0..5 {
        get(&first, "/add").await.expect("it counts");
    }
    let since_snapshot = |engine: &Engine| {
        let activation = engine.activations().existing(&object()).expect("it is in memory");
        let pipeline = activation.pipeline();
        (pipeline.snapshot, pipeline.since_snapshot)
    };
    let (snapshot, written) = since_snapshot(&first);
    assert!(snapshot.is_some() && written.records == 5, "{snapshot:?} {written:?}");
    world.clock.advance(LEASES_END);
    let second = world.server(2).await;
    assert_eq!(get(&second, "/get").await.expect("it is restored"), "6");
    assert_eq!(since_snapshot(&second), (snapshot, written), "by the restore");
    get(&second, "/add").await.expect("taken over");
    world.clock.advance(LEASES_END);
    assert_eq!(get(&first, "/get").await.expect("it follows"), "7");
    assert_eq!(since_snapshot(&first), since_snapshot(&second), "by following");
}

#[tokio::test]
async fn a_server_that_slept_respects_who_took_over() {
    let (world, first) = counted().await;
    let second = world.server(2).await;
    world.clock.advance(LEASES_END);
    assert_eq!(get(&second, "/add").await.expect("taken over"), "2");
    let late = tokio::spawn(async move { get(&first, "/add").await });
    run_ready().await;
    assert!(!late.is_finished(), "it sees that the other one owns the object");
    world.clock.advance(LEASES_END);
    assert_eq!(late.await.expect("no panic").expect("taken back"), "3");
}

#[tokio::test]
async fn a_sleeping_owner_does_not_answer_reads_from_the_past() {
    let (world, first) = counted().await;
    let second = world.server(2).await;
    world.clock.advance(LEASES_END);
    get(&second, "/add").await.expect("taken over");
    let late = tokio::spawn(async move { get(&first, "/get").await });
    run_ready().await;
    assert!(!late.is_finished(), "it sees that the other one owns the object");
    world.clock.advance(Duration::from_secs(6));
    get(&second, "/add").await.expect("the owner goes on");
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(kind(late.await.expect("no panic")), ErrorKind::Busy);
}

#[tokio::test]
async fn a_handler_that_fails_leaves_no_trace() {
    let (world, engine) = counted().await;
    let before = world.records();
    assert_eq!(kind(get(&engine, "/fail").await), ErrorKind::Handler);
    let panicked = get(&engine, "/panic").await.expect_err("it panics");
    assert_eq!(panicked.code(), "HANDLER_PANICKED");
    assert_eq!(get(&engine, "/get").await.expect("the object lives"), "1");
    assert_eq!(world.records(), before);
}

#[tokio::test]
async fn a_handler_that_hangs_is_ended_and_leaves_no_trace() {
    let (world, engine) = counted().await;
    let hanging = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/hang").await }
    });
    run_ready().await;
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(kind(hanging.await.expect("no panic")), ErrorKind::TimedOut);
    assert_eq!(get(&engine, "/get").await.expect("the object lives"), "1");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_half_request() {
    let (_, engine) = counted().await;
    let hanging = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/hang").await }
    });
    run_ready().await;
    hanging.abort();
    run_ready().await;
    assert_eq!(get(&engine, "/get").await.expect("the object lives"), "1");
    assert_eq!(get(&engine, "/add").await.expect("it counts on"), "2");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_out() {
    let (world, engine) = counted().await;
    for fault in [Fault::LostAnswer, Fault::AppliedButExists] {
        world.bucket.fail_next_commits([fault]);
        get(&engine, "/add").await.expect("its record is there");
    }
    assert_eq!(get(&engine, "/get").await.expect("a warm read"), "3");
}

#[tokio::test]
async fn an_unknown_outcome_is_said_and_the_next_request_finds_out() {
    let (world, engine) = counted().await;
    world.bucket.fail_next_commits([Fault::NotApplied, Fault::Refused]);
    let asked = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/add").await }
    });
    while !asked.is_finished() {
        // The committer waits between its attempts.
        world.clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    assert_eq!(kind(asked.await.expect("it does not panic")), ErrorKind::Unknown);
    assert_eq!(get(&engine, "/get").await.expect("restored"), "1");
    assert_eq!(get(&engine, "/add").await.expect("it counts on"), "2");
}

#[tokio::test]
async fn a_store_that_refuses_writes_is_still_read() {
    let (world, engine) = counted().await;
    world.bucket.fail_next_commits([Fault::Refused; 2]);
    let error = get(&engine, "/add").await.expect_err("nothing can be written");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "STORE_DENIED"));
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(3600));
        assert_eq!(get(&engine, "/get").await.expect("reads go on without a lease"), "1");
    }
    assert_eq!(get(&engine, "/get").await.expect("a lease is not to be had, and reads go on"), "1");
    run_ready().await;
    assert_eq!(get(&engine, "/add").await.expect("it counts on"), "2");
}

#[tokio::test]
async fn an_unknown_class_is_refused_with_the_known_ones() {
    let world = World::new();
    let engine = world.server(1).await;
    let object = Tenant::local().object("Nothing", "a").expect("a good id");
    let error =
        engine.fetch(&object, None, Request::new(Body::empty())).await.expect_err("no such class");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.details().is_some_and(|details| details["availableTypes"][0] == "Counter"));
}

/// Runs every task that is ready.
async fn run_ready() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
