//! Administration of an object: statements, snapshots, a new state, its end.

mod crashes;
mod ended;
mod golden;
mod history;
mod imported;
mod random;

use super::deletion::{DAYS, content, keys, now};
use super::*;
use crate::activation::{Precondition, Replaced};
use crate::administration::{Executed, Statements};
use crate::change::Value;
use crate::router::At;
use crate::settings::Upkeep;

/// Runs SQL on the object.
async fn sql(engine: &Engine, sql: &str) -> Result<Executed> {
    let statements = Statements { sql: sql.to_owned(), rows_max: 100, ..Statements::default() };
    engine.administration().execute(&object(), statements).await
}

/// The only value of the only row.
async fn value(engine: &Engine, query: &str) -> Value {
    let executed = sql(engine, query).await.expect("a valid query");
    executed.rows.rows[0][0].clone()
}

/// Makes the state after record `sequence` the newest one.
async fn back_to(engine: &Engine, sequence: u64) -> Result<Replaced> {
    let from = (&object(), Some(At::Sequence(sequence)));
    engine.administration().restore_state(&object(), from, Precondition::Any).await
}

async fn get_at(engine: &Engine, at: At) -> Result<String> {
    let request = http::Request::get("/get").body(Body::empty())?;
    engine.fetch(&object(), Some(at), request).await?.into_body().text().await
}

#[tokio::test]
async fn a_former_state_becomes_the_newest_and_the_past_stays_as_it_was() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::new();
        let settings = Settings { ownership, ..Settings::default() };
        let engine = world.server_with(1, settings.clone()).await;
        for _ in 0..3 {
            get(&engine, "/add").await.expect("it counts");
        }
        let replaced = back_to(&engine, 1).await.expect("it is restored");
        assert_eq!((replaced.tables, replaced.rows), (1, 1));
        assert!(replaced.sequence > 3, "it is a new record: {replaced:?}");
        assert_eq!(get(&engine, "/get").await.expect("the new state"), "1");
        for sequence in 1..=3 {
            let then = get_at(&engine, At::Sequence(sequence)).await.expect("the past");
            assert_eq!(then, sequence.to_string());
        }
        let at = At::Sequence(replaced.sequence);
        assert_eq!(get_at(&engine, at).await.expect("the new state"), "1");
        assert_eq!(get(&engine, "/add").await.expect("it counts on"), "2");
        engine.shutdown(Duration::from_secs(5)).await;
        let engine = world.server_with(2, settings).await;
        assert_eq!(get(&engine, "/get").await.expect("restored"), "2");
        assert_eq!(get_at(&engine, At::Sequence(3)).await.expect("the past"), "3");
    }
}

#[tokio::test]
async fn a_time_before_and_after_a_replacement_is_what_it_was() {
    let (world, engine) = counted().await;
    world.clock.advance(Duration::from_secs(10));
    get(&engine, "/add").await.expect("it counts");
    world.clock.advance(Duration::from_secs(10));
    let before = At::TimeMs(now_ms(&world) - 1);
    back_to(&engine, 1).await.expect("it is restored");
    let after = At::TimeMs(now_ms(&world));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(get_at(&engine, before).await.expect("before"), "2");
    assert_eq!(get_at(&engine, after).await.expect("after"), "1");
}

fn now_ms(world: &World) -> i64 {
    use crate::clock::Clock as _;
    world.clock.wall_ms()
}

#[tokio::test]
async fn another_object_s_state_is_cloned_and_both_go_on_by_themselves() {
    let (_world, engine) = counted().await;
    let other = Tenant::local().object("Copy", "b").expect("a good id");
    let clone = |precondition| {
        let engine = engine.clone();
        let other = other.clone();
        async move {
            let from = (&object(), None);
            engine.administration().restore_state(&other, from, precondition).await
        }
    };
    clone(Precondition::Absent).await.expect("nobody is there");
    let error = clone(Precondition::Absent).await.expect_err("somebody is there");
    assert_eq!((error.kind(), error.code()), (ErrorKind::PreconditionFailed, "OBJECT_EXISTS"));
    get(&engine, "/add").await.expect("it counts");
    let select =
        Statements { sql: "SELECT value FROM n".into(), rows_max: 9, ..Statements::default() };
    let cloned = engine.administration().execute(&other, select).await;
    let cloned = cloned.expect("the class is unknown here, and need not be known");
    assert_eq!(cloned.rows.rows, [[Value::Integer(1)]]);
    assert_eq!(get(&engine, "/get").await.expect("the original"), "2");
    let foreign = tenants::tenants()[1].object("Counter", "a").expect("a good id");
    let stolen = engine
        .administration()
        .restore_state(&foreign, (&object(), None), Precondition::Any)
        .await
        .expect_err("it is another tenant's");
    assert_eq!(stolen.code(), "WRONG_TENANT");
}

#[tokio::test]
async fn statements_run_without_the_class_as_one_request() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::of(App::new());
        let settings = Settings { ownership, upkeep: Upkeep::OnDemand, ..Settings::default() };
        let engine = world.server_with(1, settings).await;
        let made = sql(&engine, "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2) RETURNING a");
        let made = made.await.expect("they are executed");
        assert_eq!((made.rows.rows.len(), made.rows.rows_written, made.sequence), (2, 2, 1));
        sql(&engine, "INSERT INTO t VALUES (3); INSERT INTO nowhere VALUES (4)")
            .await
            .expect_err("there is no such table");
        assert_eq!(
            value(&engine, "SELECT count(*) FROM t").await,
            Value::Integer(2),
            "{ownership:?}"
        );
        let error = sql(&engine, "ATTACH 'x' AS y").await.expect_err("the guard is a class's");
        assert_eq!(error.code(), "SQL_REFUSED");
        let two =
            Statements { sql: "SELECT a FROM t".into(), rows_max: 1, ..Statements::default() };
        let two = engine.administration().execute(&object(), two).await.expect("a query");
        assert!(two.rows.truncated && two.rows.rows.len() == 1);
        let request = http::Request::get("/get").body(Body::empty()).expect("a request");
        let error = engine.fetch(&object(), None, request).await.expect_err("no such class");
        assert_eq!(error.code(), "UNKNOWN_CLASS", "{error}");
        run_ready().await;
        assert!(keys(&content(&world.bucket.memory), "/snapshots/").is_empty(), "nobody asked");
        let named = engine.administration().snapshot_now(&object()).await.expect("a snapshot");
        assert!(named.sequence >= 1);
        let again = engine.administration().snapshot_now(&object()).await.expect("a snapshot");
        assert_eq!(again, named, "the newest state has one");
        let stem = named.name.strip_prefix("seq-").expect("the name of a folder");
        assert!(keys(&content(&world.bucket.memory), stem).len() > 2);
    }
}

#[tokio::test]
async fn what_another_process_owns_is_not_touched() {
    let (world, engine) = counted().await;
    let function = world.function(2).await;
    let refused = |error: Error| assert_eq!(error.code(), "OWNED_BY_OTHER_INSTANCE", "{error}");
    let writing = async {
        loop {
            get(&engine, "/add").await.expect("it counts");
            world.clock.advance(Duration::from_millis(600));
            run_ready().await;
        }
    };
    let administering = async {
        refused(back_to(&function, 1).await.expect_err("it is owned"));
        refused(
            function
                .administration()
                .delete_object(&object(), Precondition::Any)
                .await
                .expect_err("it is owned"),
        );
        refused(sql(&function, "CREATE TABLE x(a)").await.expect_err("it is owned"));
    };
    tokio::select! {
        () = writing => {}
        () = administering => {}
    }
    assert!(get(&engine, "/get").await.expect("it is there").parse::<u64>().is_ok());
}

#[tokio::test]
async fn a_function_that_missed_a_replacement_goes_on_from_the_new_state() {
    let world = World::new();
    let (one, other) = (world.function(1).await, world.function(2).await);
    for _ in 0..5 {
        get(&one, "/add").await.expect("it counts");
    }
    assert_eq!(get(&other, "/get").await.expect("it is read"), "5");
    back_to(&other, 2).await.expect("it is restored");
    assert_eq!(get(&one, "/add").await.expect("it counts on"), "3");
    assert_eq!(get(&other, "/add").await.expect("it counts on"), "4");
    // Others have written more than one record meanwhile.
    back_to(&other, 1).await.expect("it is restored");
    for _ in 0..4 {
        get(&other, "/add").await.expect("it counts");
    }
    assert_eq!(get(&one, "/get").await.expect("it is read"), "5");
}

#[tokio::test]
async fn a_long_upload_keeps_the_lease_and_its_files_lie_where_they_were_put() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::new();
        let settings = Settings { ownership, ..Settings::default() };
        let engine = world.server_with(1, settings).await;
        for _ in 0..2 {
            get(&engine, "/add").await.expect("it counts");
        }
        world.bucket.slowness().hold(|operation, key| {
            operation == Operation::Put && key.as_str().contains("/snapshots/iceberg/n/data/")
        });
        let replacing = tokio::spawn({
            let engine = engine.clone();
            async move { back_to(&engine, 1).await }
        });
        world.bucket.slowness().held().await;
        let records = world.records();
        for _ in 0..6 {
            world.clock.advance(Duration::from_secs(3));
            run_ready().await;
        }
        assert!(world.records() >= records + 2, "it renews its lease");
        let waiting = tokio::spawn({
            let engine = engine.clone();
            async move { get(&engine, "/add").await }
        });
        run_ready().await;
        assert!(!waiting.is_finished(), "requests wait for their turn");
        world.bucket.slowness().release();
        let replaced = replacing.await.expect("no panic").expect("it is restored");
        assert_eq!(waiting.await.expect("no panic").expect("it counts"), "2");
        engine.shutdown(Duration::from_secs(5)).await;
        let there = content(&world.bucket.memory);
        let named = format!("seq-{:010}-", replaced.sequence);
        assert!(keys(&there, &named).iter().any(|key| key.as_str().ends_with("/snapshot.json")));
        // The next snapshots share its files, and what is swept are not these.
        let engine = world.server(2).await;
        for _ in 0..8 {
            world.clock.advance(DAYS);
            get(&engine, "/add").await.expect("it counts");
            run_ready().await;
        }
        engine.shutdown(Duration::from_secs(5)).await;
        assert_eq!(get(&world.server(3).await, "/get").await.expect("restored"), "10");
    }
}

#[tokio::test]
async fn a_state_whose_slot_is_taken_is_put_on_top_of_what_was_written() {
    let world = World::new();
    let (one, other) = (world.function(1).await, world.function(2).await);
    for _ in 0..2 {
        get(&one, "/add").await.expect("it counts");
    }
    run_ready().await;
    world
        .bucket
        .slowness()
        .hold(|operation, key| operation == Operation::Put && key.as_str().ends_with(".parquet"));
    let replacing = tokio::spawn({
        let one = one.clone();
        async move { back_to(&one, 1).await }
    });
    world.bucket.slowness().held().await;
    assert_eq!(get(&other, "/add").await.expect("it counts"), "3");
    world.bucket.slowness().release();
    let replaced = replacing.await.expect("no panic").expect("it is restored in the end");
    assert!(replaced.sequence > 3, "{replaced:?}");
    assert_eq!(get(&other, "/get").await.expect("the new state"), "1");
}
