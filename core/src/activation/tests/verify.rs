//! A snapshot that is not what its records say: nothing is deleted, and somebody is told.

use futures_util::FutureExt;

use super::*;
use crate::planted::{Bug, plant};
use crate::settings::CheckpointMode;
use crate::snapshot::differs_key;

const OBJECT: &str = "local/local/do/counter/a";
const DAYS: Duration = Duration::from_secs(4 * 24 * 3600);

/// Runs the statements that a request's path names.
struct Rebuilds;

impl DurableObject for Rebuilds {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let sql = match request.uri().path() {
            "/make" => "CREATE TABLE a(x); INSERT INTO a VALUES (1)",
            "/copy" => "CREATE TABLE a_new(x); INSERT INTO a_new VALUES (2)",
            "/swap" => "DROP TABLE a; ALTER TABLE a_new RENAME TO a",
            "/more" => "INSERT INTO a VALUES (3)",
            _ => "SELECT 1",
        };
        ctx.sql().exec(sql, ())?;
        let sum: i64 = ctx.sql().exec("SELECT sum(x) FROM a", ())?.one()?;
        Ok(Response::new(sum.to_string().into()))
    }
}

fn settings(mode: CheckpointMode) -> Settings {
    let mut settings = Settings::default();
    settings.checkpoint.mode = mode;
    // In the usual mode only the first commit and the stop write a snapshot.
    settings.checkpoint.min_changes = u64::MAX;
    settings
}

/// A bucket in which a table was rebuilt between two snapshots, and many days of changes after
/// that. Returns the records of the beginning.
async fn rebuilt(bug: Option<Bug>) -> (World, Vec<Key>) {
    let world = World::of(App::new().class("Counter", || Rebuilds));
    for (instance, paths) in [(1, &["/make"][..]), (2, &["/copy", "/swap"])] {
        let engine = world.server_with(instance, settings(CheckpointMode::Auto)).await;
        plant(bug);
        for path in paths {
            get(&engine, path).await.expect("it runs");
        }
        engine.shutdown(Duration::from_secs(5)).await;
        plant(None);
    }
    let early = records(&world);
    let engine = world.server_with(3, settings(CheckpointMode::EveryRequest)).await;
    for _ in 0..5 {
        world.clock.advance(DAYS);
        get(&engine, "/more").await.expect("it runs");
        run_ready().await;
    }
    engine.shutdown(Duration::from_secs(5)).await;
    (world, early)
}

fn records(world: &World) -> Vec<Key> {
    let folder = Key::new(OBJECT).join("log");
    let listed = world.bucket.memory.list(&folder, None, usize::MAX);
    listed
        .now_or_never()
        .expect("memory is immediate")
        .expect("memory works")
        .into_iter()
        .map(|entry| entry.key)
        .collect()
}

fn marker(world: &World) -> Option<String> {
    let key = differs_key(&Key::new(OBJECT));
    let found = world.bucket.memory.get(&key);
    let found = found.now_or_never().expect("memory is immediate").expect("memory works")?;
    Some(String::from_utf8_lossy(&found.bytes).into_owned())
}

#[tokio::test]
async fn records_go_when_the_snapshot_is_what_they_say() {
    let (world, early) = rebuilt(None).await;
    assert_eq!(marker(&world), None);
    assert!(early.iter().all(|key| !records(&world).contains(key)));
}

#[tokio::test]
async fn records_stay_when_a_snapshot_holds_something_else_than_they_say() {
    let (world, early) = rebuilt(Some(Bug::TablesByName)).await;
    let said = marker(&world).expect("a marker");
    assert!(said.contains("the table \"a\": expected 2 rows, got 2 rows or others"), "{said}");
    let kept = records(&world);
    assert!(early.iter().all(|key| kept.contains(key)));
}

#[tokio::test]
async fn nothing_is_deleted_by_anybody_until_the_marker_is() {
    let (world, early) = rebuilt(Some(Bug::TablesByName)).await;
    let days = |instance| {
        let world = &world;
        async move {
            let engine = world.server_with(instance, settings(CheckpointMode::EveryRequest)).await;
            for _ in 0..3 {
                world.clock.advance(DAYS);
                get(&engine, "/more").await.expect("it runs");
                run_ready().await;
            }
            engine.shutdown(Duration::from_secs(5)).await;
        }
    };
    days(4).await;
    assert!(early.iter().all(|key| records(&world).contains(key)));
    let keys = [differs_key(&Key::new(OBJECT))];
    world
        .bucket
        .memory
        .delete(&keys)
        .now_or_never()
        .expect("memory is immediate")
        .expect("memory works");
    days(5).await;
    assert!(marker(&world).is_some(), "what is wrong is found again");
    assert!(early.iter().all(|key| records(&world).contains(key)));
}
