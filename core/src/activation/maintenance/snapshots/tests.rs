//! Snapshots whose clients go away, or whose files do not get to the store; and restores that meet
//! a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::activation::runtime::Components;
use crate::engine::Engine;
use crate::error::{ErrorKind, Result};
use crate::id::Tenant;
use crate::limits::SNAPSHOTS_MAX;
use crate::object::{App, Body, Context, DurableObject, Request, Response};
use crate::settings::{CheckpointMode, Settings};
use crate::store::{Bucket, Key, Memory};
use crate::testing::{Fault, FaultyBucket, ManualClock, Operation, RecordingBucket, SlowBucket};

/// A list, to which `/add` adds a row; `/other` makes another table, which nothing changes after that.
struct Rows;

impl DurableObject for Rows {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS list (n INTEGER PRIMARY KEY)", ())?;
        if request.uri().path() == "/add" {
            ctx.sql().exec("INSERT INTO list DEFAULT VALUES", ())?;
        }
        if request.uri().path() == "/other" {
            ctx.sql().exec("CREATE TABLE other AS SELECT 1 AS n", ())?;
        }
        let rows: i64 = ctx.sql().exec("SELECT count(*) FROM list", ())?.one()?;
        Ok(Response::new(rows.to_string().into()))
    }
}

/// A server on `bucket` whose every response waits for a snapshot.
async fn server(bucket: Arc<dyn Bucket>, clock: Arc<ManualClock>, instance: u128) -> Engine {
    let mut settings = Settings::default();
    settings.checkpoint.mode = CheckpointMode::EveryRequest;
    let components = Components::of_test(bucket, clock, instance);
    let app = App::new().class("Rows", || Rows);
    Engine::start(app, settings, components).await.expect("memory passes the probe")
}

/// Whether a request uploads rows of a snapshot.
fn is_upload(operation: Operation, key: &Key) -> bool {
    operation == Operation::Put && key.as_str().contains("/data/")
}

async fn ask(engine: &Engine, path: &'static str) -> Result<String> {
    ask_of(engine, "a", path).await
}

async fn ask_of(engine: &Engine, id: &str, path: &'static str) -> Result<String> {
    let object = Tenant::local().object("Rows", id)?;
    engine
        .fetch(&object, None, http::Request::get(path).body(Body::empty())?)
        .await?
        .into_body()
        .text()
        .await
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_take_its_changes_out_of_the_next_snapshot() {
    let clock = Arc::new(ManualClock::default());
    let memory: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
    let before = server(memory.clone(), clock.clone(), 1).await;
    assert_eq!(ask(&before, "/add").await.expect("it is added"), "1");
    before.shutdown(Duration::from_secs(1)).await;
    let slow = Arc::new(SlowBucket::around(memory.clone(), clock.clone()));
    slow.hold(is_upload);
    let engine = server(slow.clone(), clock.clone(), 1).await;
    let asked = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, "/add").await }
    });
    slow.held().await;
    asked.abort();
    assert!(asked.await.is_err_and(|error| error.is_cancelled()));
    slow.release();
    engine.shutdown(Duration::from_secs(1)).await;
    let next = server(memory, clock, 2).await;
    assert_eq!(ask(&next, "/read").await.expect("it was released"), "2");
}

#[tokio::test]
async fn a_response_whose_snapshot_failed_does_not_promise_that_nothing_was_written() {
    let clock = Arc::new(ManualClock::default());
    let memory: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
    let faulty = Arc::new(FaultyBucket::around(memory));
    let is_snapshot =
        |operation, key: &Key| operation == Operation::Put && key.as_str().contains("/snapshots/");
    faulty.fail_while(is_snapshot, Fault::NotApplied);
    let engine = server(faulty.clone(), clock, 1).await;
    let error = ask(&engine, "/add").await.expect_err("no snapshot can be written");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unknown, "SNAPSHOT_NOT_WRITTEN"));
    faulty.heal();
    assert_eq!(ask(&engine, "/read").await.expect("it goes on"), "1");
}

#[tokio::test]
async fn a_snapshot_that_is_newer_than_the_listing_beside_it_is_no_damage() {
    let clock = Arc::new(ManualClock::default());
    let memory: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
    let owner = server(memory.clone(), clock.clone(), 1).await;
    assert_eq!(ask(&owner, "/add").await.expect("it is added"), "1");
    let slow = Arc::new(SlowBucket::around(memory, clock.clone()));
    slow.hold(|operation, key| {
        operation == Operation::Get && key.as_str().ends_with("/snapshots/latest")
    });
    let other = server(slow.clone(), clock.clone(), 2).await;
    let asked = tokio::spawn(async move { ask(&other, "/read").await });
    slow.held().await;
    assert_eq!(ask(&owner, "/add").await.expect("it is added"), "2");
    owner.shutdown(Duration::from_secs(1)).await;
    slow.release();
    assert_eq!(asked.await.expect("it does not panic").expect("nothing is missing"), "2");
}

#[tokio::test]
async fn a_conflict_that_left_nothing_is_not_taken_for_a_snapshot() {
    let clock = Arc::new(ManualClock::default());
    let memory: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
    let first = AtomicBool::new(true);
    let faulty = Arc::new(FaultyBucket::around(memory.clone()));
    let is_first_document = move |operation, key: &Key| {
        operation == Operation::Create
            && key.as_str().ends_with("/snapshot.json")
            && first.swap(false, Ordering::SeqCst)
    };
    faulty.fail_while(is_first_document, Fault::ConflictWithoutWinner);
    let engine = server(faulty, clock.clone(), 1).await;
    let adding = tokio::spawn(async move { ask(&engine, "/add").await });
    while !adding.is_finished() {
        // Publishing pauses between attempts.
        clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    assert_eq!(adding.await.expect("it does not panic").expect("its snapshot is there"), "1");
    let found = memory
        .list(&Key::new("local/local/do/rows/a/snapshots"), None, 100)
        .await
        .expect("memory lists");
    assert!(found.iter().any(|entry| entry.key.as_str().ends_with("/snapshot.json")), "{found:?}");
}

#[tokio::test]
async fn an_upload_that_panics_does_not_take_its_changes_out_of_the_next_snapshot() {
    let clock = Arc::new(ManualClock::default());
    let memory: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
    let before = server(memory.clone(), clock.clone(), 1).await;
    assert_eq!(ask(&before, "/add").await.expect("it is added"), "1");
    before.shutdown(Duration::from_secs(1)).await;
    let first = AtomicBool::new(true);
    let recording = RecordingBucket::around(memory.clone());
    recording.observe(move |operation, key| {
        assert!(!is_upload(operation, key) || !first.swap(false, Ordering::SeqCst), "on purpose");
    });
    let engine = server(Arc::new(recording), clock.clone(), 1).await;
    let error = ask(&engine, "/add").await.expect_err("its snapshot panics");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unknown, "SNAPSHOT_NOT_WRITTEN"));
    assert_eq!(ask(&engine, "/add").await.expect("the next snapshot has both"), "3");
    engine.shutdown(Duration::from_secs(1)).await;
    let next = server(memory, clock, 2).await;
    assert_eq!(ask(&next, "/read").await.expect("it was released"), "3");
}

#[tokio::test]
async fn objects_whose_snapshots_take_long_do_not_keep_others_waiting() {
    let clock = Arc::new(ManualClock::default());
    let memory = Arc::new(Memory::new(clock.clone()));
    let slow_store = Arc::new(SlowBucket::around(memory, clock.clone()));
    slow_store.hold(|operation, key| is_upload(operation, key) && key.as_str().contains("/slow"));
    let engine = server(slow_store.clone(), clock.clone(), 1).await;
    let slow: Vec<_> = (0..2 * SNAPSHOTS_MAX)
        .map(|number| {
            let engine = engine.clone();
            tokio::spawn(async move { ask_of(&engine, &format!("slow{number}"), "/add").await })
        })
        .collect();
    slow_store.held().await;
    let other = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, "/add").await }
    });
    for _ in 0..100 {
        clock.advance(Duration::from_millis(100));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert!(other.is_finished(), "it waits for uploads of other objects");
    assert_eq!(other.await.expect("no panic").expect("its snapshot is written"), "1");
    assert!(!slow.iter().any(tokio::task::JoinHandle::is_finished), "theirs are not");
    slow_store.release();
    for asked in slow {
        assert_eq!(asked.await.expect("no panic").expect("its snapshot is written at last"), "1");
    }
}

/// Lets other tasks run until they wait for something.
async fn let_others_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// The places of snapshots are where one waits after it has decided what it is based on.
#[tokio::test]
async fn a_snapshot_of_what_is_covered_does_not_wait_for_what_comes_next() {
    let clock = Arc::new(ManualClock::default());
    let memory: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
    let engine = server(memory, clock, 1).await;
    let object = Tenant::local().object("Rows", "a").expect("these are names");
    // The next snapshot shares the file of this table.
    assert_eq!(ask(&engine, "/other").await.expect("it is made"), "0");
    let runtime = engine.runtime();
    let activation = engine.activations().existing(&object).expect("it is in memory");
    let places: Vec<_> =
        std::iter::from_fn(|| runtime.checkpoints.try_acquire(object.tenant())).collect();
    let early = tokio::spawn(async move { activation.write_snapshot_if_behind().await });
    let_others_run().await;
    let asked = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, "/add").await }
    });
    let_others_run().await;
    drop(places);
    early.await.expect("it does not panic").expect("there was nothing to write");
    assert_eq!(asked.await.expect("it does not panic").expect("it is added"), "1");
}
