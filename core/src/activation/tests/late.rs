//! Answers of the store that come late.

use super::*;

#[tokio::test]
async fn a_lease_that_was_granted_while_a_listing_was_on_its_way_is_respected() {
    let world = World::new();
    let (first, second) = (world.server(1).await, world.server(2).await);
    get(&first, "/add").await.expect("it counts");
    world.bucket.slowness().hold(|operation, _| operation == Operation::List);
    let taking_over = tokio::spawn(async move { get(&second, "/add").await });
    run_ready().await;
    // The second asks for the newest record, and for much longer than a lease the store is silent;
    // then the first writes one more.
    let lease = Settings::default().lease_duration;
    world.clock.advance(6 * lease);
    assert_eq!(get(&first, "/add").await.expect("it counts on"), "2");
    world.bucket.slowness().release();
    run_ready().await;
    assert!(!taking_over.is_finished(), "the first owns the object");
    assert_eq!(get(&first, "/get").await.expect("a warm read"), "2");
    world.clock.advance(lease);
    run_ready().await;
    assert_eq!(taking_over.await.expect("it does not panic").expect("the lease is over"), "3");
}

#[tokio::test]
async fn a_handlers_error_waits_for_the_record_that_it_could_have_seen() {
    let world = World::new();
    let engine = world.server(1).await;
    get(&engine, "/add").await.expect("it counts");
    world.bucket.fail_next_commits([Fault::NotApplied]);
    let ask = |path| {
        let engine = engine.clone();
        tokio::spawn(async move { get(&engine, path).await })
    };
    let (adding, refused) = (ask("/add"), ask("/refuse"));
    run_ready().await;
    assert!(
        !adding.is_finished() && !refused.is_finished(),
        "the second record is not in the store yet"
    );
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(adding.await.expect("it does not panic").expect("it counts"), "2");
    assert_eq!(
        refused.await.expect("it does not panic").expect_err("on purpose").message(),
        "refused at 2"
    );
}
