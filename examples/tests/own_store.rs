//! `own_store.rs`

use std::sync::Arc;
use std::time::Duration;

use dotdo::engine::{Bucket, Clock, Engine};
use dotdo::testing::{ManualClock, Operation, RecordingBucket};

use crate::programs::own_store::{Shelf, engine, visit};

#[tokio::test]
async fn an_engine_keeps_its_state_in_a_store_that_dotdo_does_not_know() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let shelf = Arc::new(RecordingBucket::around(Arc::new(Shelf::new(clock.clone()))));
    let bucket: Arc<dyn Bucket> = shelf.clone();
    let first: Engine = engine(bucket.clone(), clock.clone()).await.expect("the store is good");
    assert_eq!(visit(&first).await.expect("it counts"), "1");
    assert_eq!(visit(&first).await.expect("it counts"), "2");
    assert_eq!(shelf.count(Operation::Create, "acme/shop/do/counter/visits/log/"), 2);
    first.shutdown(Duration::from_secs(5)).await;
    let second = engine(bucket, clock).await.expect("the store is good");
    assert_eq!(visit(&second).await.expect("it goes on"), "3");
}
