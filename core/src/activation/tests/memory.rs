//! What requests leave in memory: nothing for what does not exist, no more than there is for what
//! does.

use super::*;
use crate::budget::Use;
use crate::id::ObjectId;
use crate::limits::MEMORY_WAIT_MAX;
use crate::router::At;

/// How many objects are asked for.
const MANY: usize = 500;

fn named(number: usize) -> ObjectId {
    ObjectId::new("Counter", &format!("id-{number}")).expect("a good id")
}

async fn ask(engine: &Engine, object: &ObjectId, path: &str) -> Result<String> {
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(object, None, request).await?.into_body().text().await
}

/// Lets maintenance do what is due.
async fn rounds(world: &World) {
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(500));
        settle().await;
    }
}

#[tokio::test]
async fn asking_for_what_does_not_exist_leaves_nothing_behind() {
    let world = World::new();
    for engine in [world.server(1).await, world.function(2).await] {
        for number in 0..MANY {
            assert_eq!(ask(&engine, &named(number), "/get").await.expect("an empty object"), "0");
            assert_eq!(kind(ask(&engine, &named(number), "/fail").await), ErrorKind::Handler);
        }
        assert_eq!(engine.activations().lists.residents.len(), 0, "no database stays");
        rounds(&world).await;
        assert_eq!(
            (engine.activations().len(), engine.activations().lists.agenda.len()),
            (0, 0),
            "no activation stays"
        );
        assert_eq!(engine.runtime().budget.used(Use::Objects), 0);
    }
}

#[tokio::test]
async fn a_claim_whose_time_is_over_keeps_no_activation() {
    let world = World::new();
    let (owner, other) = (world.server(1).await, world.server(2).await);
    for number in 0..20 {
        ask(&owner, &named(number), "/add").await.expect("it counts");
        assert!(!other.admits(&named(number)).await, "the first one owns it");
    }
    rounds(&world).await;
    assert_eq!(other.activations().len(), 20, "whoever waits for the owner has watched its record");
    world.clock.advance(Settings::default().lease_duration);
    rounds(&world).await;
    assert_eq!((other.activations().len(), other.activations().lists.agenda.len()), (0, 0));
}

#[tokio::test]
async fn maintenance_looks_at_nothing_where_nothing_is_due() {
    let world = World::new();
    let engine = world.server(1).await;
    for number in 0..20 {
        ask(&engine, &named(number), "/add").await.expect("it counts");
    }
    engine.settle().await;
    world.clock.advance(Settings::default().lease_duration);
    rounds(&world).await;
    world.clock.advance(Settings::default().lease_duration);
    rounds(&world).await;
    assert_eq!(engine.activations().lists.residents.len(), 20, "they are in memory");
    assert_eq!(engine.activations().lists.agenda.len(), 0, "and nothing is due");
    ask(&engine, &named(0), "/get").await.expect("a read");
    assert_eq!(
        engine.activations().lists.agenda.len(),
        1,
        "the one that is used is looked at again"
    );
}

#[tokio::test]
async fn idle_objects_are_let_go_before_there_is_no_memory_left_for_others() {
    let world = World::new();
    let memory_bytes_max = 16 << 20;
    let engine = world.server_with(1, Settings { memory_bytes_max, ..Settings::default() }).await;
    for number in 0..MANY {
        assert_eq!(ask(&engine, &named(number), "/add").await.expect("room is made"), "1");
        assert!(engine.runtime().budget.used(Use::Objects) <= memory_bytes_max / 4 * 3 + (1 << 20));
    }
    assert!(engine.activations().lists.residents.len() < MANY, "some had to go");
    assert!(engine.activations().lists.residents.len() > 20, "and no more than needed");
    for number in 0..MANY {
        assert_eq!(ask(&engine, &named(number), "/add").await.expect("it is restored"), "2");
    }
}

#[tokio::test]
async fn a_request_that_finds_no_memory_is_told_to_come_again_and_nothing_of_it_remains() {
    let world = World::new();
    let engine =
        world.server_with(1, Settings { memory_bytes_max: 16 << 20, ..Settings::default() }).await;
    let taken = engine.runtime().budget.count(Use::Snapshots, &named(0), 16 << 20);
    let error = ask(&engine, &named(1), "/add").await.expect_err("not even an activation");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "MEMORY_EXHAUSTED"));
    assert!(error.retry_after().is_some());
    drop(taken);
    assert_eq!(ask(&engine, &named(1), "/add").await.expect("it counts"), "1");
    // An activation is small, and its memory has to wait.
    let world = World::new();
    let engine =
        world.server_with(1, Settings { memory_bytes_max: 16 << 20, ..Settings::default() }).await;
    let _taken = engine.runtime().budget.count(Use::Snapshots, &named(0), (16 << 20) - 8192);
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, &named(2), "/add").await }
    });
    settle().await;
    assert!(!waiting.is_finished(), "it waits for memory");
    world.clock.advance(MEMORY_WAIT_MAX);
    let error = waiting.await.expect("it does not panic").expect_err("nobody gave any back");
    assert_eq!(error.code(), "MEMORY_EXHAUSTED");
}

#[tokio::test]
async fn former_states_have_their_own_share() {
    let world = World::new();
    let engine =
        world.server_with(1, Settings { memory_bytes_max: 16 << 20, ..Settings::default() }).await;
    assert_eq!(get(&engine, "/add").await.expect("it counts"), "1");
    let all = engine.runtime().budget.count(Use::Pasts, &named(0), 4 << 20);
    let past = tokio::spawn({
        let engine = engine.clone();
        async move { engine.fetch(&object(), Some(At::Sequence(1)), Request::new(Body::empty())).await }
    });
    settle().await;
    assert_eq!(get(&engine, "/add").await.expect("present requests go on"), "2");
    world.clock.advance(MEMORY_WAIT_MAX);
    let _ = past.await.expect("it does not panic");
    drop(all);
    let request = http::Request::get("/get").body(Body::empty()).expect("a request");
    let answer =
        engine.fetch(&object(), Some(At::Sequence(1)), request).await.expect("there is room");
    assert_eq!(answer.into_body().text().await.expect("text"), "1");
    assert_eq!(engine.runtime().budget.used(Use::Pasts), 0);
}
