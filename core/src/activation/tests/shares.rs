//! Tenants in one process: a flood of one takes nothing from the others, and what one has written
//! into its bucket harms nobody else.

use super::*;
use crate::budget::Use;
use crate::change::{Changes, Row, Schema, SchemaKind, SchemaObject, TableChanges, Value};
use crate::id::ObjectId;
use crate::limits::REQUEST_WAIT_MAX;
use crate::log::{Hash, Record};

fn of(tenant: &str, id: &str) -> ObjectId {
    let tenant = Tenant::new("org", tenant).expect("a good name");
    tenant.object("Counter", id).expect("a good id")
}

async fn ask(engine: &Engine, object: &ObjectId, path: &str) -> Result<String> {
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(object, None, request).await?.into_body().text().await
}

fn is_resident(engine: &Engine, object: &ObjectId) -> bool {
    engine.activations().existing(object).is_some_and(|activation| activation.is_resident())
}

/// Lets the janitor do what is due.
async fn rounds(world: &World) {
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(500));
        run_ready().await;
    }
}

#[tokio::test]
async fn a_tenant_with_many_objects_makes_room_with_its_own() {
    let world = World::new();
    let engine = world.server_with(1, Settings { objects_max: 10, ..Settings::default() }).await;
    let calm = [of("calm", "one"), of("calm", "two")];
    for object in &calm {
        ask(&engine, object, "/add").await.expect("it counts");
    }
    for number in 0..40 {
        ask(&engine, &of("flood", &number.to_string()), "/add").await.expect("it counts");
        rounds(&world).await;
    }
    assert!(engine.activations().lists.residents.len() <= 11);
    assert!(
        calm.iter().all(|object| is_resident(&engine, object)),
        "they were not used for longer than any other, and are few"
    );
}

#[tokio::test]
async fn a_tenant_that_fills_the_memory_makes_room_with_its_own() {
    let world = World::new();
    let memory_bytes_max = 16 << 20;
    let engine = world.server_with(1, Settings { memory_bytes_max, ..Settings::default() }).await;
    let calm = of("calm", "one");
    ask(&engine, &calm, "/add").await.expect("it counts");
    for number in 0..400 {
        ask(&engine, &of("flood", &number.to_string()), "/add").await.expect("room is made");
    }
    assert!(engine.activations().lists.residents.len() < 400, "some had to go");
    assert!(is_resident(&engine, &calm), "it was not used for longer than any other");
}

#[tokio::test]
async fn what_nobody_has_used_for_long_goes_first_whoever_has_how_much() {
    let world = World::new();
    let engine = world.server_with(1, Settings { objects_max: 10, ..Settings::default() }).await;
    let old = of("calm", "old");
    ask(&engine, &old, "/add").await.expect("it counts");
    world.clock.advance(Duration::from_secs(600));
    for number in 0..12 {
        ask(&engine, &of("flood", &number.to_string()), "/add").await.expect("it counts");
    }
    rounds(&world).await;
    assert!(!is_resident(&engine, &old));
}

#[tokio::test]
async fn while_one_tenant_has_all_places_of_requests_others_get_the_next() {
    let world = World::new();
    let engine = world.server_with(1, Settings { requests_max: 4, ..Settings::default() }).await;
    let hangs = |number: u64| {
        let engine = engine.clone();
        tokio::spawn(async move { ask(&engine, &of("flood", &number.to_string()), "/hang").await })
    };
    let under_way: Vec<_> = (0..4).map(hangs).collect();
    run_ready().await;
    let waiting: Vec<_> = (4..12).map(hangs).collect();
    run_ready().await;
    let calm = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, &of("calm", "one"), "/add").await }
    });
    run_ready().await;
    assert!(!calm.is_finished(), "all places are taken");
    under_way[0].abort();
    run_ready().await;
    let answer = calm.await.expect("it does not panic");
    assert_eq!(answer.expect("it had the next place"), "1");
    world.clock.advance(REQUEST_WAIT_MAX);
    run_ready().await;
    let refused = join_all(waiting.into_iter().filter(|request| request.is_finished())).await;
    assert_eq!(refused.len(), 7, "one of them has the place that is left");
    for error in refused.into_iter().map(|answer| answer.expect("it does not panic")) {
        let error = error.expect_err("no place was free in time");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "TOO_MANY_REQUESTS"));
        assert!(error.retry_after().is_some());
    }
}

/// The first record of `object`, with a table of which every row takes hundreds of megabytes.
fn bomb(object: &ObjectId) -> Record {
    let sql = "CREATE TABLE t(a, b AS (hex(zeroblob(100000000))) STORED)";
    let table = SchemaObject {
        kind: SchemaKind::Table,
        name: "t".to_owned(),
        table: "t".to_owned(),
        sql: Some(sql.to_owned()),
    };
    let row = Row { rowid: Some(1), values: vec![Value::Integer(1)] };
    let changes = Changes {
        schema: Some(Schema { objects: vec![table] }),
        tables: vec![TableChanges {
            table: "t".to_owned(),
            rewritten: true,
            deletes: Vec::new(),
            upserts: vec![row],
        }],
        ..Changes::default()
    };
    Record {
        object: object.clone(),
        sequence: 1,
        epoch: 1,
        writer: Uuid::from_u128(9),
        nonce: Uuid::from_u128(9),
        previous: Hash::NONE,
        time_ms: 0,
        lease_ms: 0,
        address: None,
        snapshot: None,
        transactions: vec![changes],
        start: None,
        deleted: false,
    }
}

#[tokio::test]
async fn a_stored_definition_that_takes_all_memory_is_refused_and_others_are_served() {
    let world = World::new();
    let memory_bytes_max = 64 << 20;
    let engine = world.server_with(1, Settings { memory_bytes_max, ..Settings::default() }).await;
    let hostile = of("hostile", "bomb");
    let log = engine.runtime().log(&hostile).expect("a good id");
    let bytes = bomb(&hostile).encode().expect("a small record").bytes;
    world.bucket.put(&log.key(1), bytes).await.expect("memory takes everything");
    let error = ask(&engine, &hostile, "/get").await.expect_err("there is no memory for it");
    assert!(error.code().starts_with("MEMORY_"), "{error:?}");
    assert_eq!(ask(&engine, &of("calm", "one"), "/add").await.expect("it counts"), "1");
    rounds(&world).await;
    assert!(engine.runtime().budget.used(Use::Objects) < 1 << 20, "nothing of it stays");
}
