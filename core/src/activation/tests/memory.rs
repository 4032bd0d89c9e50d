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
    Tenant::local().object("Counter", &format!("id-{number}")).expect("a good id")
}

async fn ask(engine: &Engine, object: &ObjectId, path: &str) -> Result<String> {
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(object, None, request).await?.into_body().text().await
}

/// Lets the janitor do what is due.
async fn rounds(world: &World) {
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(500));
        run_ready().await;
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
            "no slot stays"
        );
        assert_eq!(engine.runtime().budget.used(Use::Objects), 0);
    }
}

#[tokio::test]
async fn a_claim_whose_time_is_over_keeps_no_slot() {
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
async fn the_janitor_looks_at_nothing_where_nothing_is_due() {
    let world = World::new();
    let engine = world.server(1).await;
    for number in 0..20 {
        ask(&engine, &named(number), "/add").await.expect("it counts");
    }
    engine.finish_background().await;
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
    let taken = engine.runtime().budget.count(Use::Snapshots, &named(0), 19 << 20);
    let error = ask(&engine, &named(1), "/add").await.expect_err("not even a slot");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "MEMORY_EXHAUSTED"));
    assert!(error.retry_after().is_some());
    drop(taken);
    assert_eq!(ask(&engine, &named(1), "/add").await.expect("it counts"), "1");
    // A slot is small, and its memory has to wait.
    let world = World::new();
    let engine =
        world.server_with(1, Settings { memory_bytes_max: 16 << 20, ..Settings::default() }).await;
    let _taken = engine.runtime().budget.count(Use::Snapshots, &named(0), (19 << 20) - 8192);
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, &named(2), "/add").await }
    });
    run_ready().await;
    assert!(!waiting.is_finished(), "it waits for memory");
    world.clock.advance(MEMORY_WAIT_MAX);
    let error = waiting.await.expect("it does not panic").expect_err("nobody gave any back");
    assert_eq!(error.code(), "MEMORY_EXHAUSTED");
}

#[tokio::test]
async fn an_ordinary_request_succeeds_while_large_ones_hold_all_the_memory() {
    let memory_bytes_max = 16 << 20;
    let settings = Settings { memory_bytes_max, ..Settings::default() };
    // All but what is kept for small ones; then also all that large ones can overdraw.
    for held in [memory_bytes_max / 16 * 15, memory_bytes_max / 8 * 9] {
        let world = World::new();
        let first = world.server(1).await;
        assert_eq!(ask(&first, &named(1), "/add").await.expect("it counts"), "1");
        first.shutdown(Duration::from_secs(5)).await;
        let engine = world.server_with(2, settings.clone()).await;
        let budget = &engine.runtime().budget;
        let _large = [Use::Requests, Use::Sql].map(|what| budget.count(what, &named(0), held / 2));
        assert_eq!(ask(&engine, &named(1), "/add").await.expect("it is restored"), "2");
        assert_eq!(ask(&engine, &named(1), "/add").await.expect("it is in memory"), "3");
        assert_eq!(ask(&engine, &named(2), "/add").await.expect("it is new"), "1");
    }
}

#[tokio::test]
async fn former_states_have_their_own_share() {
    let world = World::new();
    let engine =
        world.server_with(1, Settings { memory_bytes_max: 16 << 20, ..Settings::default() }).await;
    assert_eq!(get(&engine, "/add").await.expect("it counts"), "1");
    let all = engine.runtime().budget.count(Use::TimeTravel, &named(0), 4 << 20);
    let past = tokio::spawn({
        let engine = engine.clone();
        async move { engine.fetch(&object(), Some(At::Sequence(1)), Request::new(Body::empty())).await }
    });
    run_ready().await;
    assert_eq!(get(&engine, "/add").await.expect("present requests go on"), "2");
    world.clock.advance(MEMORY_WAIT_MAX);
    let _ = past.await.expect("it does not panic");
    drop(all);
    let request = http::Request::get("/get").body(Body::empty()).expect("a request");
    let answer =
        engine.fetch(&object(), Some(At::Sequence(1)), request).await.expect("there is room");
    assert_eq!(answer.into_body().text().await.expect("text"), "1");
    assert_eq!(engine.runtime().budget.used(Use::TimeTravel), 0);
}

/// Takes memory for SQL: to sort, for what a rollback needs, or by making its object larger.
struct Hungry;

impl DurableObject for Hungry {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut run = |sql: &str| ctx.sql().exec(sql, ()).map(drop);
        run("CREATE TABLE IF NOT EXISTS t (x)")?;
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)";
        match request.uri().path() {
            "/sort" => run(&format!(
                "INSERT INTO t {rows} SELECT max(x) FROM (SELECT hex(randomblob(300)) || i AS x FROM n ORDER BY x LIMIT 4000)"
            ))?,
            "/grow" => run(&format!("INSERT INTO t {rows} SELECT randomblob(1000) FROM n"))?,
            "/change" => run("UPDATE t SET x = x || 'x'")?,
            _ => {}
        }
        if request.uri().query().is_some() {
            std::future::pending::<()>().await;
        }
        let count: i64 = ctx.sql().exec("SELECT count(*) FROM t", ())?.one()?;
        Ok(Response::new(count.to_string().into()))
    }
}

fn hungry(id: &str) -> ObjectId {
    Tenant::local().object("Hungry", id).expect("a good id")
}

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn sql_that_finds_no_memory_is_told_to_come_again_and_nothing_of_it_remains() {
    let world = World::of(App::new().class("Hungry", || Hungry));
    let settings = Settings { memory_bytes_max: 64 * MIB, ..Settings::default() };
    let per_request = Settings { ownership: Ownership::PerRequest, ..settings.clone() };
    for engine in [world.server_with(1, settings).await, world.server_with(2, per_request).await] {
        let object = hungry(&engine.runtime().instance.to_string());
        ask(&engine, &object, "/make").await.expect("a table");
        for path in ["/sort", "/grow"] {
            let before = ask(&engine, &object, "/count").await.expect("a number");
            let taken = engine.runtime().budget.count(Use::Snapshots, &named(0), 60 * MIB);
            let error = ask(&engine, &object, path).await.expect_err("there is no memory");
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Busy, "MEMORY_EXHAUSTED"),
                "{path}"
            );
            assert!(error.retry_after().is_some());
            assert_eq!(ask(&engine, &object, "/count").await.expect("a number"), before);
            drop(taken);
            let after = ask(&engine, &object, path).await.expect("there is memory again");
            assert_ne!(after, before, "{path}");
            assert_eq!(engine.runtime().budget.used(Use::Sql), 0);
        }
    }
}

#[tokio::test]
async fn what_a_transaction_takes_is_charged_while_it_lasts() {
    let world = World::of(App::new().class("Hungry", || Hungry));
    let engine = world.server(1).await;
    let budget = &engine.runtime().budget;
    ask(&engine, &hungry("a"), "/grow").await.expect("4 MB of rows");
    let before = budget.used(Use::Objects);
    for (path, what, least) in
        [("/change?hang", Use::Sql, 4 * MIB), ("/grow?hang", Use::Objects, before + 3 * MIB)]
    {
        let hanging = tokio::spawn({
            let engine = engine.clone();
            async move { ask(&engine, &hungry("a"), path).await }
        });
        run_ready().await;
        assert!(budget.used(what) >= least, "{path}: {} bytes", budget.used(what));
        world.clock.advance(Settings::default().handler_time_max);
        let error = hanging.await.expect("it does not panic").expect_err("its time is over");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        ask(&engine, &hungry("a"), "/count").await.expect("a number");
        assert_eq!(budget.used(Use::Sql), 0, "{path}");
    }
}
