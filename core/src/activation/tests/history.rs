//! What an object leaves in the bucket: former states, snapshots, hints, and records that are
//! missing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::clock::Clock;
use crate::router::At;
use crate::settings::{Checkpoint, CheckpointMode};
use crate::store::Bucket;

#[tokio::test]
async fn an_object_is_read_as_it_was() {
    let world = World::new();
    let start_ms = world.clock.wall_ms();
    let engine = world.server(1).await;
    for _ in 0..3 {
        get(&engine, "/add").await.expect("it counts");
        world.clock.advance(Duration::from_secs(1));
    }
    engine.shutdown(Duration::from_secs(5)).await;
    let engine = world.server(2).await;
    get(&engine, "/add").await.expect("it counts on");
    for sequence in 1..=3 {
        assert_eq!(
            get_at(&engine, At::Sequence(sequence), "/get").await.expect("a former state"),
            sequence.to_string()
        );
    }
    assert_eq!(
        get_at(&engine, At::TimeMs(start_ms + 1_500), "/get").await.expect("a former state"),
        "2"
    );
    assert_eq!(
        get_at(&engine, At::TimeMs(start_ms + 90_000), "/get").await.expect("the newest state"),
        "4"
    );
    for nowhere in [At::Sequence(0), At::Sequence(99), At::TimeMs(start_ms - 1)] {
        assert_eq!(
            kind(get_at(&engine, nowhere, "/get").await),
            ErrorKind::NotFound,
            "{nowhere:?}"
        );
    }
    let error =
        get_at(&engine, At::Sequence(2), "/add").await.expect_err("the past can't be changed");
    assert!(error.message().contains("read"), "{error}");
    assert_eq!(get(&engine, "/get").await.expect("the present"), "4");
}

#[tokio::test]
async fn every_request_can_wait_for_its_snapshot() {
    let world = World::new();
    let mut settings = Settings::default();
    settings.checkpoint.mode = CheckpointMode::EveryRequest;
    let engine = world.server_with(1, settings).await;
    for sequence in 1..=3 {
        get(&engine, "/add").await.expect("it counts");
        let latest = world
            .bucket
            .get(&Key::new("local/local/do/counter/a/snapshots/latest"))
            .await
            .expect("memory answers");
        let text =
            String::from_utf8(latest.expect("there is a snapshot").bytes.to_vec()).expect("JSON");
        assert!(
            text.contains(&format!("seq-000000000{sequence}-"))
                || text.contains(&format!("\"sequence\":{sequence}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn hints_can_go_and_the_state_stays() {
    let world = World::new();
    let engine = world.server(1).await;
    for _ in 0..3 {
        get(&engine, "/add").await.expect("it counts");
    }
    engine.shutdown(Duration::from_secs(5)).await;
    for hint in ["snapshots/latest", "lock"] {
        let key = Key::new(format!("local/local/do/counter/a/{hint}"));
        assert!(world.bucket.get(&key).await.expect("memory answers").is_some(), "{key}");
        world.bucket.delete(&[key]).await.expect("memory deletes");
    }
    assert_eq!(get(&world.server(2).await, "/get").await.expect("restored"), "3");
}

#[tokio::test]
async fn a_missing_newest_record_stops_the_restore_with_its_key() {
    let world = World::new();
    let engine = world.server(1).await;
    get(&engine, "/add").await.expect("it counts");
    engine.shutdown(Duration::from_secs(5)).await;
    let log = world
        .bucket
        .list(&Key::new("local/local/do/counter/a/log"), None, 10)
        .await
        .expect("memory lists");
    world.bucket.delete(&[log[0].key.clone()]).await.expect("memory deletes");
    let error = get(&world.server(2).await, "/get").await.expect_err("a record is missing");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains(log[0].key.as_str()), "{error}");
}

async fn get_at(engine: &Engine, at: At, path: &'static str) -> Result<String> {
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(&object(), Some(at), request).await?.into_body().text().await
}

#[tokio::test]
async fn a_read_as_of_a_time_reads_few_descriptions_however_many_there_are() {
    for (wrong_ms, reads_max) in [(0, 3), (-7_200_000, 9), (7_200_000, 9)] {
        let world = World::new();
        world.clock.set_wall(wrong_ms);
        let checkpoint = Checkpoint { mode: CheckpointMode::EveryRequest, ..Checkpoint::default() };
        let engine = world.server_with(1, Settings { checkpoint, ..Settings::default() }).await;
        let mut times = Vec::new();
        for _ in 0..40 {
            get(&engine, "/add").await.expect("it counts");
            world.clock.advance(Duration::from_secs(1));
            times.push(world.clock.wall_ms());
        }
        let all = world
            .bucket
            .list(&Key::new("local/local/do/counter/a/snapshots"), None, 1000)
            .await
            .expect("memory lists");
        let kept =
            all.iter().filter(|entry| entry.key.as_str().ends_with("/snapshot.json")).count();
        assert!(kept >= 20, "{kept} snapshots");
        let reads = Arc::new(AtomicU64::new(0));
        let counted = reads.clone();
        world.bucket.record().observe(move |operation, key| {
            counted.fetch_add(
                u64::from(operation == Operation::Get && key.as_str().ends_with("/snapshot.json")),
                Ordering::SeqCst,
            );
        });
        for (count, time) in times.iter().enumerate() {
            reads.store(0, Ordering::SeqCst);
            assert_eq!(
                get_at(&engine, At::TimeMs(*time - 1), "/get").await.expect("a former state"),
                (count + 1).to_string()
            );
            assert!(
                reads.load(Ordering::SeqCst) <= reads_max,
                "{} reads, by clocks {wrong_ms} ms apart",
                reads.load(Ordering::SeqCst)
            );
        }
    }
}
