//! What is deleted, when, and what that does to those who sleep.

use bytes::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::settings::{CheckpointMode, Ownership};
use crate::store::Memory;

pub(super) const DAYS: Duration = Duration::from_secs(4 * 24 * 3600);
pub(super) const OBJECT: &str = "local/local/do/counter/a";

/// Everything in the bucket.
pub(super) type Content = Vec<(Key, Bytes)>;

pub(super) fn now<T>(
    immediate: impl Future<Output = std::result::Result<T, crate::store::StoreError>>,
) -> T {
    immediate.now_or_never().expect("memory is immediate").expect("memory works")
}

pub(super) fn content(memory: &Memory) -> Content {
    let entries = now(memory.list(&Key::new(OBJECT), None, usize::MAX));
    entries
        .into_iter()
        .map(|entry| (entry.key.clone(), now(memory.get(&entry.key)).expect("it is listed").bytes))
        .collect()
}

fn replace(memory: &Memory, content: &Content) {
    let keys: Vec<Key> = now(memory.list(&Key::new(OBJECT), None, usize::MAX))
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    now(memory.delete(&keys));
    content.iter().for_each(|(key, bytes)| now(memory.put(key, bytes.clone())));
}

fn every_request() -> Settings {
    let mut settings = Settings::default();
    settings.checkpoint.mode = CheckpointMode::EveryRequest;
    settings
}

/// The bucket as it was after the first of many days, and after the last; the counter is 1, then 8.
async fn days() -> (World, Content, Content) {
    let world = World::new();
    let engine = world.server_with(1, every_request()).await;
    get(&engine, "/add").await.expect("it counts");
    engine.shutdown(Duration::from_secs(5)).await;
    let early = content(&world.bucket.memory);
    let engine = world.server_with(2, every_request()).await;
    for _ in 0..7 {
        world.clock.advance(DAYS);
        get(&engine, "/add").await.expect("it counts");
        run_ready().await;
    }
    engine.shutdown(Duration::from_secs(5)).await;
    let late = content(&world.bucket.memory);
    (world, early, late)
}

pub(super) fn keys(content: &Content, part: &str) -> Vec<Key> {
    content.iter().map(|(key, _)| key.clone()).filter(|key| key.as_str().contains(part)).collect()
}

#[tokio::test]
async fn what_the_retention_has_released_is_deleted_and_the_object_is_as_it_was() {
    let (world, early, late) = days().await;
    assert!(keys(&early, "/log/").iter().all(|key| !keys(&late, "/log/").contains(key)), "records");
    assert!(
        keys(&early, ".parquet").iter().all(|key| !keys(&late, ".parquet").contains(key)),
        "files"
    );
    assert_eq!(get(&world.server(3).await, "/get").await.expect("the newest state"), "8");
}

#[tokio::test]
async fn a_restore_that_was_frozen_while_others_wrote_and_swept_reads_the_newest_snapshot() {
    for frozen_before in [".parquet", "/snapshots/latest", "/log/"] {
        let (world, early, late) = days().await;
        replace(&world.bucket.memory, &early);
        let (bucket, mut late) = (world.bucket.clone(), Some(late));
        world.bucket.record().observe(move |operation, key| {
            if operation == Operation::Get
                && key.as_str().contains(frozen_before)
                && let Some(late) = late.take()
            {
                replace(&bucket.memory, &late);
            }
        });
        assert_eq!(
            get(&world.server(3).await, "/get").await.expect("the newest state"),
            "8",
            "{frozen_before}"
        );
    }
}

#[tokio::test]
async fn an_instance_that_was_frozen_while_it_followed_others_records_is_restored_when_they_are_gone()
 {
    let world = World::new();
    let settings = Settings { ownership: Ownership::PerRequest, ..Settings::default() };
    let sleeper = world.server_with(3, settings).await;
    assert_eq!(get(&sleeper, "/add").await.expect("it counts"), "1");
    let engine = world.server_with(2, every_request()).await;
    for _ in 0..6 {
        get(&engine, "/add").await.expect("it counts");
    }
    let early = content(&world.bucket.memory);
    for _ in 0..4 {
        world.clock.advance(DAYS);
        get(&engine, "/add").await.expect("it counts");
        run_ready().await;
    }
    engine.shutdown(Duration::from_secs(5)).await;
    let late = content(&world.bucket.memory);
    replace(&world.bucket.memory, &early);
    let (bucket, mut late, mut followed) = (world.bucket.clone(), Some(late), 0);
    // Frozen in the middle of what it follows.
    world.bucket.record().observe(move |operation, key| {
        followed += usize::from(operation == Operation::Get && key.as_str().contains("/log/"));
        if followed == 5
            && let Some(late) = late.take()
        {
            replace(&bucket.memory, &late);
        }
    });
    assert_eq!(get(&sleeper, "/get").await.expect("the newest state"), "11");
}

#[tokio::test]
async fn a_file_that_is_missing_for_good_stops_the_restore_with_its_key() {
    let (world, _, late) = days().await;
    let newest = keys(&late, ".parquet").pop().expect("a file of rows");
    now(world.bucket.memory.delete(std::slice::from_ref(&newest)));
    let error = get(&world.server(3).await, "/get").await.expect_err("a file is missing");
    assert!(
        error.kind() == ErrorKind::Corrupt && error.message().contains(newest.as_str()),
        "{error}"
    );
}

#[tokio::test]
async fn records_stay_while_the_snapshot_that_covers_them_could_not_be_restored() {
    let world = World::new();
    let engine = world.server_with(1, every_request()).await;
    for _ in 0..2 {
        get(&engine, "/add").await.expect("it counts");
    }
    let now_there = content(&world.bucket.memory);
    now(world.bucket.memory.delete(&keys(&now_there, ".parquet")));
    world.clock.advance(DAYS);
    get(&engine, "/add").await.expect("it counts");
    run_ready().await;
    let later = content(&world.bucket.memory);
    assert!(keys(&now_there, "/log/").iter().all(|key| keys(&later, "/log/").contains(key)));
}

#[tokio::test]
async fn a_wrong_date_in_the_stores_answers_deletes_nothing() {
    let world = World::new();
    world.bucket.faults().set_dates_ahead_ms(1000 * 24 * 3_600_000);
    let engine = world.server_with(1, every_request()).await;
    for _ in 0..3 {
        get(&engine, "/add").await.expect("it counts");
    }
    let before = content(&world.bucket.memory);
    world.clock.advance(Duration::from_secs(2 * 3600));
    get(&engine, "/add").await.expect("it counts");
    run_ready().await;
    let after = content(&world.bucket.memory);
    let is_hint = |key: &Key| key.as_str().ends_with("latest") || key.as_str().ends_with("lock");
    assert!(
        before
            .iter()
            .all(|(key, bytes)| is_hint(key) || after.contains(&(key.clone(), bytes.clone())))
    );
}
