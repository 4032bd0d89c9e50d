//! Calls to other objects: what leaves a handler while it runs must not tell of what is in no
//! record yet.

use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn a_call_waits_for_the_records_that_its_handler_could_have_seen() {
    let world = World::new();
    let slow = Arc::new(SlowBucket::around(world.bucket.clone(), world.clock.clone()));
    slow.hold(|operation, key| {
        operation == Operation::Create && key.as_str().contains("/counter/a/log/")
    });
    let components =
        Components { buckets: Arc::new(SharedBucket(slow.clone())), ..world.components(1) };
    let engine = world.server_of(components, Settings::default()).await;
    let ask = |path| {
        let engine = engine.clone();
        tokio::spawn(async move { get(&engine, path).await })
    };
    let (add, call) = (ask("/add"), ask("/call?other"));
    slow.held().await;
    run_ready().await;
    assert_eq!(
        world.bucket.creates_of("/counter/other/log/"),
        0,
        "what was added is not in the bucket"
    );
    slow.release();
    assert_eq!(add.await.expect("no panic").expect("it counts"), "1");
    assert_eq!(call.await.expect("no panic").expect("the other counts"), "1");
}

#[tokio::test]
async fn a_call_from_a_batch_is_made_when_the_changes_before_it_have_their_record() {
    let world = World::new();
    let function = world.function(1).await;
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = keys.clone();
    world.bucket.before_commits(move |key| {
        seen.lock().expect("no panics").push(key.as_str().contains("/other/"))
    });
    let answers = join_all([get(&function, "/add"), get(&function, "/call?other")]).await;
    assert!(
        answers.iter().all(|answer| answer.as_ref().is_ok_and(|count| count == "1")),
        "{answers:?}"
    );
    assert_eq!(
        *keys.lock().expect("no panics"),
        [false, true, false],
        "the other is called after the first record"
    );
}
