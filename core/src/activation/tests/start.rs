//! The start of a class, and the steps of its schema: in the record of a request or nowhere, under
//! both kinds of owners, in programs of several versions.

mod versions;

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::idempotency::Keyed;
use crate::object::Step;
use crate::router::At;
use crate::store::Bucket;

/// Notes in a table that each version of the program knows in its own way.
#[derive(Clone)]
struct Notes {
    steps: Vec<Step>,
    /// The start fails, hangs or panics after the steps.
    trouble: Arc<Trouble>,
}

#[derive(Default)]
struct Trouble {
    fails: AtomicBool,
    hangs: AtomicBool,
    panics: AtomicBool,
}

const FIRST: &str = "CREATE TABLE notes (text TEXT NOT NULL)";
/// Each time that it runs, it leaves a row.
const SECOND: &str = "ALTER TABLE notes ADD COLUMN by TEXT NOT NULL DEFAULT 'nobody';
    CREATE INDEX notes_by ON notes (by);
    INSERT INTO notes VALUES ('migrated', 'step 2')";

impl DurableObject for Notes {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&self.steps)?;
        assert!(!self.trouble.panics.load(Ordering::Relaxed), "planned: a start that panics");
        if self.trouble.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        match self.trouble.fails.load(Ordering::Relaxed) {
            true => Err(Error::handler("planned: a start that fails")),
            false => Ok(()),
        }
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/read" => {}
            "/acquire" => _ = ctx.acquire_fencing_token().await?,
            "/undo" => _ = ctx.sql().exec("DROP TABLE notes", ())?,
            path => {
                ctx.sql().exec("INSERT INTO notes (text) VALUES (?)", (path,))?;
                if path == "/fail" {
                    return Err(Error::conflict("planned: a handler that fails"));
                }
            }
        }
        Ok(Response::new(content(ctx)?.into()))
    }
}

/// What is in the database: its version, its schema, its rows.
fn content(ctx: &mut Context) -> Result<String> {
    let version: i64 = ctx.sql().exec("PRAGMA user_version", ())?.one()?;
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = ctx.sql().exec(query, ())?.rows()?;
    let mut text = format!("{version}:");
    for table in tables {
        let rows = ctx.sql().exec(&format!("SELECT * FROM {table}"), ())?.values()?;
        text += &format!(" {table} {}", rows.len());
    }
    Ok(text)
}

fn notes(steps: &[&'static str]) -> (App, Arc<Trouble>) {
    let trouble = Arc::<Trouble>::default();
    let steps = steps.iter().map(|step| Step::sql(step)).collect();
    let notes = Notes { steps, trouble: trouble.clone() };
    (App::new().class("Counter", move || notes.clone()), trouble)
}

/// The world of a program with these steps.
fn world(steps: &[&'static str]) -> World {
    World::of(notes(steps).0)
}

/// The two kinds of owners; the first waits for a lease, the second competes.
async fn both(world: &World) -> [Engine; 2] {
    [world.server(1).await, world.function(2).await]
}

async fn keys(world: &World) -> usize {
    let all = world.bucket.list(&Key::new("local"), None, 1000).await.expect("memory lists");
    all.iter().filter(|entry| entry.key.as_str().contains("/do/")).count()
}

#[tokio::test]
async fn steps_are_in_the_record_of_the_first_request_that_writes() {
    for number in 0..2 {
        let world = world(&[FIRST]);
        let engine = &both(&world).await[number];
        assert_eq!(get(engine, "/write").await.expect("it writes"), "1: notes 1");
        assert_eq!(world.records(), 1);
        assert_eq!(get(engine, "/read").await.expect("it reads"), "1: notes 1");
        assert_eq!(world.records(), 1, "steps that have run do not run again");
        engine.shutdown(Duration::from_secs(5)).await;
        let released = world.records();
        let next = world.function(3).await;
        assert_eq!(get(&next, "/read").await.expect("it reads"), "1: notes 1");
        assert_eq!(world.records(), released, "nor in another process");
    }
}

#[tokio::test]
async fn reading_an_object_that_was_never_written_records_no_steps() {
    for number in 0..2 {
        let world = world(&[FIRST, SECOND]);
        let engine = &both(&world).await[number];
        for _ in 0..3 {
            assert_eq!(get(engine, "/read").await.expect("it reads"), "2: notes 1");
        }
        engine.finish_background().await;
        assert_eq!((world.records(), keys(&world).await), (0, 0));
        let undone = get(engine, "/undo").await.expect("it drops what the start has made");
        assert_eq!((undone.as_str(), world.records()), ("2:", 1), "that is a change of its own");
    }
}

#[tokio::test]
async fn many_reads_at_once_of_what_does_not_exist_leave_nothing() {
    let world = world(&[FIRST]);
    for engine in both(&world).await {
        let paths = (0..40).map(|number| if number % 3 == 0 { "/fail" } else { "/read" });
        for (number, answer) in
            join_all(paths.map(|path| get(&engine, path))).await.iter().enumerate()
        {
            match answer {
                Ok(text) => assert_eq!(text, "1: notes 0", "{number}"),
                Err(error) => assert_eq!((error.kind(), number % 3), (ErrorKind::Conflict, 0)),
            }
        }
        engine.finish_background().await;
        assert_eq!(engine.activations().lists.residents.len(), 0, "no database stays");
    }
    assert_eq!((world.records(), keys(&world).await), (0, 0));
}

#[tokio::test]
async fn a_write_among_reads_and_failures_is_kept_with_its_steps() {
    let world = world(&[FIRST]);
    let function = world.function(1).await;
    let paths = ["/read", "/fail", "/read", "/write", "/fail", "/read"];
    let answers = join_all(paths.map(|path| get(&function, path))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4, "{answers:?}");
    assert_eq!(get(&function, "/read").await.expect("it reads"), "1: notes 1");
    let other = world.function(2).await;
    assert_eq!(get(&other, "/read").await.expect("it is in the bucket"), "1: notes 1");
}

#[tokio::test]
async fn a_request_that_servers_may_repeat_stores_nothing_when_it_only_started() {
    let world = world(&[FIRST]);
    let engine = world.server(1).await;
    let ask = async |number: u128, path: &'static str| {
        let mut request = http::Request::get(path).body(Body::empty())?;
        request.extensions_mut().insert(Keyed::attempt(Uuid::from_u128(number)));
        engine.fetch(&object(), None, request).await?.into_body().text().await
    };
    assert_eq!(ask(1, "/read").await.expect("it reads"), "1: notes 0");
    assert_eq!(world.records(), 0);
    assert_eq!(ask(2, "/acquire").await.expect("a token"), "1: notes 0");
    let claimed = world.records();
    assert_eq!(ask(3, "/read").await.expect("it reads"), "1: notes 0");
    assert_eq!(world.records(), claimed, "a claim makes nothing of the object");
    assert_eq!(ask(4, "/write").await.expect("it writes"), "1: notes 1");
    assert_eq!(ask(4, "/write").await.expect("its answer is stored"), "1: notes 1");
    assert_eq!(
        ask(5, "/read").await.expect("it reads"),
        "1: _dotdo_requests 1 notes 1",
        "it was done once"
    );
}

#[tokio::test]
async fn a_start_that_fails_fails_the_request_and_runs_again() {
    for number in 0..2 {
        let mut world = world(&[FIRST]);
        get(&world.function(9).await, "/write").await.expect("it writes");
        let (app, trouble) = notes(&[FIRST, SECOND]);
        world.app = app;
        let engine = &both(&world).await[number];
        let records = world.records();
        trouble.fails.store(true, Ordering::Relaxed);
        assert_eq!(kind(get(engine, "/write").await), ErrorKind::Handler);
        trouble.fails.store(false, Ordering::Relaxed);
        trouble.panics.store(true, Ordering::Relaxed);
        let panicked = get(engine, "/read").await.expect_err("it panics");
        assert_eq!(panicked.code(), "HANDLER_PANICKED");
        trouble.panics.store(false, Ordering::Relaxed);
        trouble.hangs.store(true, Ordering::Relaxed);
        let hanging = tokio::spawn({
            let engine = engine.clone();
            async move { get(&engine, "/read").await }
        });
        run_ready().await;
        world.clock.advance(Duration::from_secs(31));
        assert_eq!(kind(hanging.await.expect("no panic")), ErrorKind::TimedOut);
        trouble.hangs.store(false, Ordering::Relaxed);
        // A server may have claimed the object meanwhile.
        assert!(number == 0 || world.records() == records, "nothing of it remains");
        assert_eq!(get(engine, "/read").await.expect("it starts now"), "2: notes 2");
        assert!(number == 0 || world.records() == records + 1, "in the record of a read");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_in_a_start_leaves_no_half_migration() {
    let (app, trouble) = notes(&[FIRST, SECOND]);
    let world = World::of(app);
    let engine = world.server(1).await;
    trouble.hangs.store(true, Ordering::Relaxed);
    let hanging = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/write").await }
    });
    run_ready().await;
    hanging.abort();
    run_ready().await;
    trouble.hangs.store(false, Ordering::Relaxed);
    assert_eq!(get(&engine, "/read").await.expect("it starts"), "2: notes 1");
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn a_migration_whose_record_is_uncertain_is_there_as_a_whole_or_not_at_all() {
    let lost = vec![Fault::NotApplied, Fault::Refused];
    let there = vec![Fault::LostAnswer];
    for (faults, expected) in [(lost, "2: notes 2"), (there, "2: notes 3")] {
        for number in 0..2 {
            let mut world = world(&[FIRST]);
            get(&world.function(9).await, "/write").await.expect("it writes");
            world.app = notes(&[FIRST, SECOND]).0;
            let engine = &both(&world).await[number];
            world.bucket.fail_next_commits(faults.clone());
            let written = world.drive(get(engine, "/write")).await;
            assert_eq!(written.is_ok(), faults.len() == 1, "{written:?}");
            // The process is gone without a word, and its lease ends.
            world.clock.advance(Duration::from_secs(60));
            let next = world.function(10).await;
            assert_eq!(world.drive(get(&next, "/read")).await.expect("it reads"), expected);
        }
    }
}

#[tokio::test]
async fn a_former_state_is_read_through_the_schema_of_today() {
    let mut world = world(&[FIRST]);
    let engine = world.server(1).await;
    get(&engine, "/write").await.expect("it writes");
    get(&engine, "/write").await.expect("it writes");
    engine.shutdown(Duration::from_secs(5)).await;
    world.app = notes(&[FIRST, SECOND]).0;
    let engine = world.server(2).await;
    let records = world.records();
    let at = async |sequence, path: &'static str| {
        let request = http::Request::get(path).body(Body::empty())?;
        let response = engine.fetch(&object(), Some(At::Sequence(sequence)), request).await?;
        response.into_body().text().await
    };
    assert_eq!(at(1, "/read").await.expect("a former state"), "2: notes 2");
    assert_eq!(at(2, "/read").await.expect("a former state"), "2: notes 3");
    let error = at(2, "/write").await.expect_err("the past can't be changed");
    assert!(error.message().contains("read"), "{error}");
    assert_eq!(world.records(), records, "that was in memory alone");
    assert_eq!(get(&engine, "/read").await.expect("the present"), "2: notes 3");
}
