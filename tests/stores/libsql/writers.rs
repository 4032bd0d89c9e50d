//! Many writers of one database, and what its answers to them mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo::engine::SystemClock;
use dotdo_core::{Bucket, Key, Names, StoreError};
use dotdo_tests::{Asked, Odd, Oddity, Proxy, Sqld, Then, libsql};
use futures_util::future::join_all;

use super::{key, place, read};

/// How many writes come at the same time.
const WRITES: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_come_together_share_requests_and_each_has_its_own_outcome() {
    // No other test's writes keep these waiting.
    let sqld = Sqld::start().await;
    let proxy = Proxy::start(&sqld.url()).await;
    let bucket = libsql(&proxy.endpoint(), &place(), Arc::new(SystemClock::new()));
    bucket.create(&key("log/7"), "taken".into()).await.expect("a fresh key");
    proxy.take_seen();
    let slots: Vec<Key> = (0..WRITES).map(|slot| key(&format!("log/{slot}"))).collect();
    let creates = slots.iter().map(|slot| bucket.create(slot, slot.to_string().into()));
    for (slot, created) in join_all(creates).await.into_iter().enumerate() {
        match created {
            Ok(()) => assert_ne!(slot, 7, "somebody else has it"),
            Err(error) => {
                assert!(slot == 7 && matches!(error, StoreError::Exists { .. }), "{error}");
            }
        }
    }
    let requests = proxy.take_seen().len();
    assert!(requests < WRITES / 4, "{requests} requests for {WRITES} writes");
    for (slot, key) in slots.iter().enumerate().step_by(7) {
        let expected = if slot == 7 { "taken".to_owned() } else { key.to_string() };
        assert_eq!(read(bucket.as_ref(), key.as_str()).await, Some(expected.into()));
    }
}

/// How often a write is repeated that a database full of other writers has not answered in time.
const TRIES: usize = 20;
/// The pause before it is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// Creates what nobody else does, and finds out what became of it where the answer does not say.
async fn create(bucket: &dyn Bucket, key: &Key, bytes: Vec<u8>) {
    let (bytes, mut last) = (Bytes::from(bytes), None);
    for attempt in 0..TRIES {
        match bucket.create(key, bytes.clone()).await {
            Ok(()) => return,
            Err(StoreError::Exists { .. }) if attempt > 0 => return,
            Err(error @ StoreError::Unavailable { .. }) => last = Some(error),
            Err(error) => panic!("{key}: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{key} can't be created: {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_at_the_same_time_lose_nothing() {
    let (sqld, place) = (Sqld::start().await, place());
    let processes: Vec<_> = (0..4).map(|_| sqld.bucket(&place)).collect();
    let write = |process: usize, bucket: Arc<dyn Bucket>| async move {
        for round in 0..40 {
            let slots = (0..4).map(|slot| key(&format!("p{process}/log/{round}-{slot}")));
            let slots: Vec<Key> = slots.collect();
            join_all(slots.iter().map(|key| create(bucket.as_ref(), key, vec![0; 300]))).await;
            let lock = key(&format!("p{process}/lock"));
            let mut tries = 0..TRIES;
            while let Err(error) = bucket.put(&lock, round.to_string().into()).await {
                let is_unclear = matches!(error, StoreError::Unavailable { .. });
                assert!(is_unclear && tries.next().is_some(), "{error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    // An object in several parts, which a transaction writes, has to be alone: who writes beside it
    // may wait for longer than a request does.
    create(processes[0].as_ref(), &key("p0/large"), vec![0; 5 << 20]).await;
    let writes = processes.iter().enumerate();
    join_all(writes.map(|(process, bucket)| write(process, Arc::clone(bucket)))).await;
    for process in 0..processes.len() {
        let folder = key(&format!("p{process}/log"));
        let listed = processes[0].list(&folder, None, 1_000).await.expect("it answers");
        assert_eq!(listed.len(), 160);
    }
    let names = Names { begin: "p", after: Some("p1") };
    let folders = processes[0].list_folders(&key(""), names, 3).await.expect("it answers");
    assert_eq!(folders, ["p2", "p3"]);
}

fn http(results: &str) -> String {
    let body = format!(r#"{{"baton":null,"base_url":null,"results":[{results}]}}"#);
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn error(code: &str) -> String {
    format!(r#"{{"type":"error","error":{{"message":"it says","code":"{code}"}}}}"#)
}

const DONE: &str = r#"{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[],"affected_row_count":1}}}"#;
const TIME: &str = r#"{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[[{"type":"integer","value":"1795956248563"}]],"affected_row_count":0}}}"#;

/// A create is sent again when the answer proves that nothing was written, and never otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_sent_again_only_if_others_kept_it_out() {
    let done = http(&format!("{DONE},{TIME}"));
    let busy = http(&format!("{},{TIME}", error("SQLITE_BUSY")));
    let cases = [
        (vec![busy.clone(), busy.clone(), done.clone()], Some(3), "kept out twice"),
        (vec![busy; 5], None, "kept out all the time"),
        (vec![http(&format!("{DONE},{}", error("SQLITE_BUSY"))), done.clone()], Some(1), "time"),
        (vec![http(&format!("{},{TIME}", error("SQLITE_LOCKED"))), done.clone()], None, "locked"),
        (
            vec![http(&format!("{},{TIME}", error("TRANSACTION_TIMEOUT"))), done.clone()],
            None,
            "late",
        ),
        (vec![http(""), done.clone()], None, "no result"),
        (vec!["HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n".to_owned(), done], None, "away"),
    ];
    for (answers, succeeds_after, case) in cases {
        let odd = Odd::start().await;
        let bucket = libsql(&odd.endpoint(), "s3://t", Arc::new(SystemClock::new()));
        let sent = succeeds_after.unwrap_or(if case == "kept out all the time" { 5 } else { 1 });
        for answer in answers {
            // To it, every POST is a delete.
            let asked = Asked::Delete;
            odd.plan(Oddity { asked, times: 1, is_done: false, answer, then: Then::Next });
        }
        let created = bucket.create(&key("log/1"), Bytes::new()).await;
        assert_eq!(created.is_ok(), succeeds_after.is_some(), "{case}: {created:?}");
        let unclear = matches!(created, Ok(()) | Err(StoreError::Unavailable { .. }));
        assert!(unclear, "{case}: {created:?}");
        assert_eq!(odd.take_seen().len(), sent, "{case}");
    }
}
