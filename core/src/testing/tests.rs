//! That the wrappers do what their names say, and only then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use uuid::Uuid;

use super::*;
use crate::store::{Bucket, Key, Memory, Part, StoreError};

fn memory() -> (Arc<Memory>, Key, Bytes) {
    let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
    (memory, Key::new("a/log/1"), Bytes::from_static(b"one"))
}

#[tokio::test]
async fn a_bucket_fails_as_planned_and_only_then() {
    let (memory, key, bytes) = memory();
    let bucket = FaultyBucket::around(memory.clone());
    bucket.fail_next(Operation::Create, [Fault::NotApplied]);
    bucket.fail_next_commits([Fault::LostAnswer, Fault::Refused]);
    bucket.fail_next(Operation::Delete, [Fault::AppliedButExists]);
    let create = || bucket.create(&key, bytes.clone());
    assert!(matches!(create().await, Err(StoreError::Unavailable { .. })));
    assert!(memory.get(&key).await.expect("memory").is_none(), "it was not sent");
    assert!(matches!(create().await, Err(StoreError::Unavailable { .. })));
    assert!(memory.get(&key).await.expect("memory").is_some(), "the answer was lost, it was not");
    assert!(matches!(create().await, Err(StoreError::Refused { .. })));
    let delete = bucket.delete(std::slice::from_ref(&key)).await;
    assert!(matches!(delete, Err(StoreError::Exists { .. })));
    assert!(memory.get(&key).await.expect("memory").is_none());
    bucket.fail_next(Operation::Create, [Fault::NoAnswer]);
    assert!(create().now_or_never().is_none(), "the answer never comes");
    assert!(memory.get(&key).await.expect("memory").is_some(), "and it took effect");
    bucket.outage();
    bucket.get(&key).await.expect_err("the store is away");
    bucket.heal();
    bucket.get(&key).await.expect("nothing is planned any more");
}

#[tokio::test]
async fn a_slow_bucket_holds_what_it_was_told_to_and_delays_by_the_clock() {
    let (memory, key, bytes) = memory();
    let clock = Arc::new(ManualClock::new());
    let bucket = Arc::new(SlowBucket::around(memory.clone(), clock.clone()));
    bucket.hold(|operation, key| operation == Operation::Put && key.as_str().contains("/log/"));
    let put = tokio::spawn({
        let (bucket, key, bytes) = (bucket.clone(), key.clone(), bytes.clone());
        async move { bucket.put(&key, bytes).await }
    });
    bucket.held().await;
    assert!(bucket.get(&key).await.expect("a get is not held").is_none());
    bucket.release();
    put.await.expect("no panic").expect("it is stored");
    bucket.set_delay(Duration::from_secs(3));
    let mut get = bucket.get(&key);
    assert!((&mut get).now_or_never().is_none());
    clock.advance(Duration::from_secs(3));
    assert!(get.await.expect("it is only late").is_some());
}

#[tokio::test]
async fn what_is_cut_is_heard_of_no_more() {
    let (memory, key, bytes) = memory();
    let (ended, me) = (Ended::default(), Uuid::from_u128(7));
    let bucket = CutBucket::that_tells(memory.clone(), ended.clone());
    bucket.cut_after(2);
    bucket.get(&key).await.expect("the first is answered");
    assert!(bucket.create(&key, bytes.clone()).now_or_never().is_none(), "no answer comes");
    assert!(memory.get(&key).await.expect("memory").is_some(), "the second arrived");
    assert!(bucket.delete(std::slice::from_ref(&key)).now_or_never().is_none());
    assert!(memory.get(&key).await.expect("memory").is_some(), "the third did not");
    assert!(bucket.is_cut() && !bucket.is_gone(me));
    ended.add(me);
    assert!(bucket.is_gone(me));

    let bucket = CutBucket::around(memory.clone());
    bucket.stall(|operation, _| operation == Operation::List);
    assert!(bucket.list(&key, None, 1).now_or_never().is_none());
    bucket.cut_at(|operation, _| operation == Operation::Delete);
    bucket.get(&key).await.expect("it is not cut yet");
    assert!(bucket.delete(std::slice::from_ref(&key)).now_or_never().is_none());
    assert!(bucket.is_cut() && memory.get(&key).await.expect("memory").is_some());
}

#[tokio::test]
async fn a_store_for_tests_records_in_order_and_dates_as_it_is_told() {
    let clock = Arc::new(ManualClock::new());
    let store = TestStore::new(clock.clone());
    let key = Key::new("a/log/1");
    store.fail_next_commits([Fault::ConflictWithoutWinner]);
    let refused = store.create(&key, Bytes::new()).await;
    assert!(matches!(refused, Err(StoreError::Exists { .. })));
    store.create(&key, Bytes::new()).await.expect("it is free");
    store.get(&key).await.expect("memory");
    let asked: Vec<Operation> =
        store.record().take_recorded().into_iter().map(|recorded| recorded.operation).collect();
    assert_eq!(asked, [Operation::Create, Operation::Create, Operation::Get]);
    assert!(store.record().recorded().is_empty());
    let now_ms = store.store_time_ms(Part::Log).expect("memory has a clock");
    store.faults().set_dates_ahead_ms(-1000);
    assert_eq!(store.store_time_ms(Part::Log), Some(now_ms - 1000));
}
