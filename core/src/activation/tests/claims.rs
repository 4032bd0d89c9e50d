//! What a claim that was over allows, and what must not be forgotten because of a date.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::forwarding_tests::{Fate, World, ask, in_time, post};
use crate::object::Body;
use crate::settings::Settings;
use crate::testing::{Operation, SlowBucket, TestStore};

#[tokio::test]
async fn a_date_that_falls_back_does_not_make_an_owner_forget_the_record_that_is_on_its_way() {
    let world = World::new();
    let store = Arc::new(TestStore::new(world.clock.clone()));
    let slow = Arc::new(SlowBucket::around(store.clone(), world.clock.clone()));
    slow.hold(Operation::is_commit);
    let a = world.server_on(store.clone(), "a", Settings::default()).await;
    assert_eq!(ask(&a, post(Body::empty())).await.expect("a owns it"), "1");
    // It is dead from now on. Its lease is over by the age of its record, which is known in whole
    // seconds.
    world.carrier.script((0..100).map(|_| Fate::ComesBack));
    world.clock.advance(
        Settings::default().lease_duration + store_error(&store) + Duration::from_millis(1),
    );
    let b = world.server_on(slow.clone(), "b", Settings::default()).await;
    let first = tokio::spawn({
        let b = b.clone();
        async move { ask(&b, post(Body::empty())).await }
    });
    slow.held().await;
    // The record of the first request is on its way, and the next date is the second before.
    store.faults().set_dates_ahead_ms(-1000);
    let second = tokio::spawn({
        let b = b.clone();
        async move { ask(&b, post(Body::empty())).await }
    });
    for _ in 0..20 {
        world.clock.advance(Duration::from_millis(100));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    slow.release();
    let answers = in_time(&world, async {
        (first.await.expect("no panic"), second.await.expect("no panic"))
    })
    .await;
    let third = in_time(&world, ask(&b, post(Body::empty()))).await;
    let told = [answers.0, answers.1, third].map(|answer| answer.expect("b owns it"));
    assert_eq!(told, ["2", "3", "4"]);
}

fn store_error(store: &TestStore) -> Duration {
    crate::store::Bucket::store_time_error(store)
}
