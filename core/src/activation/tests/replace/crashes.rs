//! A new state whose writer crashes, and files that are gone or damaged.

use super::*;
use crate::store::Bucket as _;

fn publishes(operation: Operation, key: &Key) -> bool {
    operation == Operation::Create && key.as_str().ends_with("/snapshot.json")
}

/// A counter at 3 whose newest record makes it 1 again; the writer has crashed before it published
/// the snapshot.
async fn crashed() -> (World, Replaced) {
    let (world, engine) = counted().await;
    for _ in 0..2 {
        get(&engine, "/add").await.expect("it counts");
    }
    run_ready().await;
    world.bucket.faults().fail_while(publishes, Fault::NotApplied);
    let replacing = tokio::spawn({
        let engine = engine.clone();
        async move { back_to(&engine, 1).await }
    });
    let replaced = advance_until(&world, replacing).await.expect("the record is there");
    world.clock.advance(LEASES_END);
    (world, replaced)
}

/// Lets time pass until `task` is done.
async fn advance_until<T>(world: &World, task: tokio::task::JoinHandle<T>) -> T {
    while !task.is_finished() {
        world.clock.advance(Duration::from_secs(1));
        run_ready().await;
    }
    task.await.expect("no panic")
}

#[tokio::test]
async fn a_snapshot_that_only_a_record_names_is_published_before_anything_is_answered() {
    let (world, replaced) = crashed().await;
    let engine = world.server(2).await;
    let reading = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/get").await }
    });
    let refused = advance_until(&world, reading).await;
    assert!(refused.is_err(), "nothing is answered while it can't be published: {refused:?}");
    let named = format!("seq-{:010}-", replaced.sequence);
    let is_published = |world: &World| {
        let there = content(&world.bucket.memory);
        keys(&there, &named).iter().any(|key| key.as_str().ends_with("/snapshot.json"))
    };
    assert!(!is_published(&world));
    world.bucket.faults().heal();
    assert_eq!(get(&engine, "/get").await.expect("the new state"), "1");
    assert!(is_published(&world), "whoever restores the object does it");
    let then = get_at(&engine, At::Sequence(replaced.sequence)).await;
    assert_eq!(then.expect("a snapshot like any other"), "1");
}

#[tokio::test]
async fn a_sweeper_that_is_behind_leaves_what_only_a_record_names() {
    let world = World::new();
    let mut settings = Settings { ownership: Ownership::PerRequest, ..Settings::default() };
    settings.checkpoint.mode = crate::settings::CheckpointMode::EveryRequest;
    let sleeper = world.server_with(1, settings.clone()).await;
    for _ in 0..3 {
        get(&sleeper, "/add").await.expect("it counts");
    }
    // Two states that are the newest for a process that has not looked since.
    let early = content(&world.bucket.memory);
    let writer = world.function(2).await;
    world.bucket.faults().fail_while(publishes, Fault::NotApplied);
    let replacing = tokio::spawn(async move { back_to(&writer, 1).await });
    let replaced = advance_until(&world, replacing).await.expect("the record is there");
    world.bucket.faults().heal();
    world.clock.advance(DAYS);
    let activation = sleeper.activations().get(&object()).expect("it is in memory");
    let newest = keys(&early, "/snapshot.json").pop().expect("a snapshot");
    // As if it had just written this one: its date counts as now.
    let bytes = now(world.bucket.memory.get(&newest)).expect("it is listed").bytes;
    now(world.bucket.memory.put(&newest, bytes));
    let name = newest.as_str().rsplit('/').nth(1).expect("a folder").to_owned();
    let newest = snapshot_of(&name);
    let before = keys(&content(&world.bucket.memory), "/snapshots/").len();
    activation.sweep(newest).await.expect("a sweep");
    let named = format!("{:010}-", replaced.sequence);
    assert!(!keys(&content(&world.bucket.memory), &named).is_empty(), "of {before} files");
    assert_eq!(get(&world.server(3).await, "/get").await.expect("the new state"), "1");
}

fn snapshot_of(folder: &str) -> crate::snapshot::SnapshotRef {
    let (sequence, uuid) =
        folder.strip_prefix("seq-").and_then(|name| name.split_once('-')).expect("a folder");
    crate::snapshot::SnapshotRef {
        sequence: sequence.parse().expect("a number"),
        uuid: Uuid::parse_str(uuid).expect("a uuid"),
    }
}

#[tokio::test]
async fn a_file_that_only_a_record_names_and_that_is_gone_or_damaged_stops_the_restore_with_its_key()
 {
    for damage in [None, Some("not what was written")] {
        let (world, replaced) = crashed().await;
        world.bucket.faults().heal();
        let named = format!("{:010}-", replaced.sequence);
        let there = content(&world.bucket.memory);
        let file = keys(&there, &named).into_iter().find(|key| key.as_str().ends_with(".parquet"));
        let file = file.expect("a file of rows");
        match damage {
            None => now(world.bucket.memory.delete(std::slice::from_ref(&file))),
            Some(bytes) => now(world.bucket.memory.put(&file, bytes.into())),
        }
        let engine = world.server(2).await;
        let error = get(&engine, "/get").await.expect_err("a file is not there");
        assert!(
            error.kind() == ErrorKind::Corrupt && error.message().contains(file.as_str()),
            "{error}"
        );
        let error = get_at(&engine, At::Sequence(replaced.sequence)).await.expect_err("nor then");
        assert!(error.message().contains(file.as_str()), "{error}");
        let before = get_at(&engine, At::Sequence(3)).await;
        assert_eq!(before.expect("what was before is not touched"), "3");
    }
}

#[tokio::test]
async fn what_the_state_before_a_replacement_needed_may_be_gone() {
    let (world, replaced) = crashed().await;
    world.bucket.faults().heal();
    let named = format!("{:010}-", replaced.sequence);
    let mut before = keys(&content(&world.bucket.memory), "/snapshots/");
    before.retain(|key| !key.as_str().contains(&named) && !key.as_str().ends_with("/latest"));
    assert!(before.iter().any(|key| key.as_str().ends_with(".parquet")), "{before:?}");
    now(world.bucket.memory.delete(&before));
    assert_eq!(get(&world.server(2).await, "/get").await.expect("the new state"), "1");
}

#[tokio::test]
async fn a_record_whose_answer_is_lost_or_never_comes_changes_the_state_once_or_not_at_all() {
    for fault in [Fault::LostAnswer, Fault::AppliedButExists, Fault::NotApplied, Fault::Refused] {
        for deletes in [false, true] {
            let (world, engine) = counted().await;
            for _ in 0..2 {
                get(&engine, "/add").await.expect("it counts");
            }
            world.bucket.fail_next_commits([fault]);
            let administering = tokio::spawn({
                let engine = engine.clone();
                async move {
                    if deletes {
                        engine
                            .administration()
                            .delete_object(&object(), Precondition::Any)
                            .await
                            .map(drop)
                    } else {
                        back_to(&engine, 1).await.map(drop)
                    }
                }
            });
            let done = advance_until(&world, administering).await;
            let expected = match (done.is_ok(), deletes) {
                (false, _) => "3",
                (true, false) => "1",
                (true, true) => "0",
            };
            assert_eq!(done.is_ok(), fault != Fault::Refused, "{fault:?}: {done:?}");
            assert_eq!(get(&engine, "/get").await.expect("it goes on"), expected, "{fault:?}");
            engine.shutdown(Duration::from_secs(5)).await;
            world.clock.advance(LEASES_END);
            let engine = world.server(2).await;
            assert_eq!(get(&engine, "/get").await.expect("restored"), expected, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_nothing() {
    let (world, engine) = counted().await;
    get(&engine, "/add").await.expect("it counts");
    run_ready().await;
    world
        .bucket
        .slowness()
        .hold(|operation, key| operation == Operation::Put && key.as_str().ends_with(".parquet"));
    let client = tokio::spawn({
        let engine = engine.clone();
        async move { back_to(&engine, 1).await }
    });
    world.bucket.slowness().held().await;
    client.abort();
    run_ready().await;
    world.bucket.slowness().release();
    assert_eq!(get(&engine, "/get").await.expect("it waits for its turn"), "1");
}

#[tokio::test]
async fn an_upload_that_takes_too_long_is_given_up_and_nothing_has_changed() {
    let (world, engine) = counted().await;
    get(&engine, "/add").await.expect("it counts");
    run_ready().await;
    world
        .bucket
        .slowness()
        .hold(|operation, key| operation == Operation::Put && key.as_str().ends_with(".parquet"));
    let replacing = tokio::spawn({
        let engine = engine.clone();
        async move { back_to(&engine, 1).await }
    });
    world.bucket.slowness().held().await;
    for _ in 0..40 {
        world.clock.advance(Duration::from_secs(60));
        run_ready().await;
    }
    world.bucket.slowness().release();
    let error = advance_until(&world, replacing).await.expect_err("its files may be swept");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(get(&engine, "/get").await.expect("the state before"), "2");
}
