//! Instances that own an object for one request at a time, among themselves and beside servers.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{Either, join, select};

use super::*;
use crate::clock::Clock;

impl World {
    /// Moves the clock on in small steps until `work` is done.
    pub(super) async fn drive<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        for _ in 0..100_000 {
            let pause = std::pin::pin!(run_ready());
            if let Either::Left((output, _)) = select(&mut work, pause).await {
                return output;
            }
            self.clock.advance(Duration::from_millis(5));
        }
        panic!("the work does not end");
    }
}

#[tokio::test]
async fn a_write_on_a_warm_function_is_one_record() {
    let world = World::new();
    let function = world.function(1).await;
    for (count, expected) in ["1", "2", "3"].into_iter().enumerate() {
        assert_eq!(get(&function, "/add").await.expect("it counts"), expected);
        assert_eq!(world.records(), count as u64 + 1);
    }
    assert_eq!(get(&function, "/get").await.expect("it is proven"), "3");
    assert_eq!(world.records(), 3, "reading leaves nothing behind");
}

#[tokio::test]
async fn functions_follow_each_other() {
    let world = World::new();
    let (first, second) = (world.function(1).await, world.function(2).await);
    for round in 0..4 {
        for (number, function) in [&first, &second].into_iter().enumerate() {
            assert_eq!(
                get(function, "/add").await.expect("it counts"),
                (round * 2 + number + 1).to_string()
            );
        }
        assert_eq!(get(&first, "/get").await.expect("it is proven"), (round * 2 + 2).to_string());
    }
}

#[tokio::test]
async fn a_function_far_behind_catches_up_by_the_newest_keys() {
    let world = World::new();
    let (first, second) = (world.function(1).await, world.function(2).await);
    get(&first, "/add").await.expect("it counts");
    for _ in 0..40 {
        get(&second, "/add").await.expect("it counts");
    }
    assert_eq!(get(&first, "/get").await.expect("it is proven"), "41");
    for _ in 0..300 {
        get(&second, "/add").await.expect("it counts");
    }
    assert_eq!(get(&first, "/add").await.expect("restored"), "342");
}

#[tokio::test]
async fn functions_that_compete_all_come_to_their_end() {
    let world = World::new();
    let mut functions = Vec::new();
    for instance in 1..=4 {
        functions.push(world.function(instance).await);
    }
    // Every function runs its handler before the first of them has its record in the store.
    world.bucket.slowness().give_way(Operation::is_commit);
    let work = functions.iter().map(|function| async move {
        let mut values = Vec::new();
        for _ in 0..25 {
            values.push(
                get(function, "/add")
                    .await
                    .expect("it counts in the end")
                    .parse::<u64>()
                    .expect("a number"),
            );
        }
        values
    });
    let answers = world.drive(join_all(work)).await;
    assert!(
        answers.iter().all(|values| values.is_sorted()),
        "each client sees its own writes in order: {answers:?}"
    );
    let mut values = answers.concat();
    values.sort_unstable();
    assert_eq!(values, (1..=100).collect::<Vec<_>>());
    assert!(world.records() > 110, "there was no competition: {} records", world.records());
}

#[tokio::test]
async fn requests_that_wait_at_a_function_share_a_record() {
    let world = World::new();
    let function = world.function(1).await;
    get(&function, "/add").await.expect("it counts");
    let before = world.records();
    let paths = (0..40).map(|number| if number % 4 == 3 { "/fail" } else { "/add" });
    let answers = join_all(paths.map(|path| get(&function, path))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let mut values: Vec<u64> = good
        .into_iter()
        .map(|value| value.expect("it is good").parse().expect("a number"))
        .collect();
    values.sort_unstable();
    assert_eq!(values, (2..=31).collect::<Vec<_>>(), "what failed leaves no trace");
    assert!(bad.into_iter().all(|error| kind(error) == ErrorKind::Handler));
    assert!(world.records() - before <= 3, "{} records", world.records() - before);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_out_by_a_function() {
    let world = World::new();
    let function = world.function(1).await;
    get(&function, "/add").await.expect("it counts");
    for (fault, expected) in [
        (Fault::LostAnswer, "2"),
        (Fault::AppliedButExists, "3"),
        (Fault::ConflictWithoutWinner, "4"),
    ] {
        world.bucket.fail_next_commits([fault]);
        assert_eq!(
            world.drive(get(&function, "/add")).await.expect("its record is there"),
            expected
        );
    }
    world.bucket.fail_next_commits([Fault::NotApplied, Fault::Refused]);
    assert_eq!(kind(world.drive(get(&function, "/add")).await), ErrorKind::Unknown);
    assert_eq!(get(&function, "/get").await.expect("restored"), "4");
}

#[tokio::test]
async fn a_function_reads_beside_a_server_and_writes_when_its_lease_is_over() {
    let world = World::new();
    let (server, function) = (world.server(1).await, world.function(2).await);
    get(&server, "/add").await.expect("it counts");
    assert_eq!(get(&function, "/get").await.expect("reads need no lease"), "1");
    get(&server, "/add").await.expect("it counts");
    assert_eq!(get(&function, "/get").await.expect("reads need no lease"), "2");
    assert_eq!(world.drive(get(&function, "/add")).await.expect("the server fell silent"), "3");
    assert_eq!(get(&server, "/get").await.expect("it follows"), "3");
    assert_eq!(get(&server, "/add").await.expect("it takes the object over"), "4");
    let refused = world.drive(async {
        let write = async { get(&function, "/add").await };
        let renew = async {
            for _ in 0..40 {
                world.clock.sleep(Duration::from_secs(1)).await;
                get(&server, "/add").await.expect("the owner goes on");
            }
        };
        join(write, renew).await.0
    });
    let error = Box::pin(refused).await.expect_err("the owner is alive");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "OWNED_BY_OTHER_INSTANCE"));
}

#[tokio::test]
async fn a_handlers_error_is_not_told_from_a_state_of_the_past() {
    let world = World::new();
    let (first, second) = (world.function(1).await, world.function(2).await);
    get(&first, "/add").await.expect("it counts");
    get(&second, "/add").await.expect("it counts");
    let error = get(&first, "/refuse").await.expect_err("on purpose");
    assert_eq!(error.message(), "refused at 2");
}

#[tokio::test]
async fn a_function_that_slept_while_records_were_deleted_is_restored() {
    let world = World::new();
    let (first, second) = (world.function(1).await, world.function(2).await);
    get(&first, "/add").await.expect("it counts");
    for _ in 0..3 {
        get(&second, "/add").await.expect("it counts");
    }
    second.shutdown(Duration::from_secs(5)).await;
    let log = world
        .bucket
        .list(&Key::new("local/local/do/counter/a/log"), None, 10)
        .await
        .expect("memory lists");
    let covered: Vec<Key> = log.iter().skip(1).map(|entry| entry.key.clone()).collect();
    world.bucket.delete(&covered).await.expect("memory deletes");
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(get(&first, "/get").await.expect("restored"), "4");
    assert_eq!(get(&first, "/add").await.expect("it counts on"), "5");
}

#[tokio::test]
async fn what_is_in_the_log_is_done_though_the_memory_refuses_to_commit_it() {
    let world = World::new();
    let (function, other) = (world.function(1).await, world.function(2).await);
    assert_eq!(get(&function, "/add").await.expect("it counts"), "1");
    let restores = Arc::new(AtomicU64::new(0));
    let counted = restores.clone();
    world.bucket.record().observe(move |operation, key| {
        let is_restore = operation == Operation::Get && key.as_str().ends_with("snapshots/latest");
        counted.fetch_add(u64::from(is_restore), Ordering::SeqCst);
    });
    assert_eq!(get(&function, "/add").await.expect("it counts"), "2");
    assert_eq!(get(&function, "/unkept").await.expect("its record is in the log"), "3");
    assert_eq!((world.records(), restores.load(Ordering::SeqCst)), (3, 0));
    assert_eq!(get(&function, "/get").await.expect("it is read"), "3");
    assert_eq!(restores.load(Ordering::SeqCst), 1, "the memory is made anew");
    assert_eq!(get(&function, "/add").await.expect("it counts on"), "4");
    assert_eq!(get(&other, "/get").await.expect("others see the same"), "4");
    // Several requests in one record, of which one makes the memory refuse.
    let (first, second) = join(get(&function, "/unkept"), get(&function, "/add")).await;
    let both = [first.expect("it is in the log"), second.expect("it is in the log")];
    assert!(both == ["5", "6"] || both == ["6", "5"], "{both:?}");
    assert_eq!(get(&other, "/add").await.expect("each counts once"), "7");
    assert_eq!(get(&function, "/get").await.expect("it sees the others"), "7");
}

#[tokio::test]
async fn a_request_that_changes_nothing_fails_alone_when_the_memory_refuses_to_commit_it() {
    let world = World::new();
    let function = world.function(1).await;
    assert_eq!(get(&function, "/add").await.expect("it counts"), "1");
    get(&function, "/unkept/same").await.expect_err("its transaction has no end");
    assert_eq!(get(&function, "/get").await.expect("the next one is answered"), "1");
    assert_eq!(get(&function, "/add").await.expect("it counts on"), "2");
}
