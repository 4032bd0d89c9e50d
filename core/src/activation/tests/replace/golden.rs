//! A bucket with records of format version 2, written once and kept for good: every later program
//! reads it.
//!
//! `tests/fixtures/v2` holds a counter that was counted, restored, counted, deleted, and counted
//! again, and what it was after each record.

use std::path::{Path, PathBuf};

use super::*;
use crate::store::Bucket as _;

/// Set to freeze the folder if it does not exist yet.
const FREEZE: &str = "DOTDO_TEST_FREEZE";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/v2")
}

/// What the counter was after each record, a line each.
async fn states(engine: &Engine) -> Vec<String> {
    let log = engine.runtime().log(&object()).expect("a good id");
    let head = crate::log::list_newest(&log, u64::MAX).await.expect("a listing").head;
    let mut states = Vec::new();
    for sequence in 1..=head {
        let then = get_at(engine, At::Sequence(sequence)).await;
        states.push(then.unwrap_or_else(|error| error.code().to_owned()));
    }
    states
}

/// Files below `folder`, with their keys.
fn files(folder: &Path, key: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
        let entry = entry.expect("a folder can be listed");
        let name = entry.file_name().into_string().expect("keys are text");
        let key = if key.is_empty() { name } else { format!("{key}/{name}") };
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), &key));
        } else {
            found.push((key, std::fs::read(entry.path()).expect("a file can be read")));
        }
    }
    found
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment to freeze")]
async fn a_new_version_is_frozen_once() {
    if std::env::var_os(FREEZE).is_none() {
        return;
    }
    assert!(!fixtures().exists(), "what was frozen never changes");
    let (world, engine) = counted().await;
    for _ in 0..2 {
        get(&engine, "/add").await.expect("it counts");
    }
    back_to(&engine, 1).await.expect("it is restored");
    get(&engine, "/add").await.expect("it counts");
    engine
        .administration()
        .delete_object(&object(), Precondition::Any)
        .await
        .expect("it is deleted");
    get(&engine, "/add").await.expect("it counts");
    back_to(&engine, 2).await.expect("it is restored");
    engine.shutdown(Duration::from_secs(5)).await;
    let states = states(&world.server(2).await).await;
    for (key, bytes) in content(&world.bucket.memory) {
        let path = fixtures().join("state").join(key.as_str());
        std::fs::create_dir_all(path.parent().expect("a key has folders")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    std::fs::write(fixtures().join("states.txt"), states.join("\n") + "\n").expect("a file");
}

#[tokio::test]
async fn version_2_is_read_as_it_was_and_goes_on() {
    let expected = std::fs::read_to_string(fixtures().join("states.txt"));
    let expected = expected.expect("the fixtures are there");
    let expected: Vec<&str> = expected.lines().collect();
    assert!(expected.contains(&"NO_SUCH_STATE") && expected.contains(&"3"), "{expected:?}");
    let world = World::new();
    for (key, bytes) in files(&fixtures().join("state"), "") {
        world.bucket.put(&Key::new(key), bytes.into()).await.expect("memory takes everything");
    }
    world.clock.advance(LEASES_END);
    let engine = world.server(3).await;
    assert_eq!(states(&engine).await, expected);
    let newest: u64 = expected.last().and_then(|state| state.parse().ok()).expect("a number");
    let next = get(&engine, "/add").await.expect("it counts on");
    assert_eq!(next, (newest + 1).to_string());
    world.clock.advance(DAYS);
    get(&engine, "/add").await.expect("it counts on");
    engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(
        get(&world.server(4).await, "/get").await.expect("restored"),
        (newest + 2).to_string()
    );
}
