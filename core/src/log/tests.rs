//! The log's promises, one ambiguous answer at a time, and that every record is read back as it was
//! written.

mod proofs;
mod random;
mod untrusted;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::record::Encoded;
use super::*;
use crate::change::{Changes, Row, RowKey, Schema, SchemaKind, SchemaObject, TableChanges, Value};
use crate::clock::{Clock, Instant};
use crate::error::ErrorKind;
use crate::executor::Inline;
use crate::id::Tenant;
use crate::limits::PROOF_AGE_MAX;
use crate::snapshot::SnapshotRef;
use crate::store::Bucket as _;
use crate::testing::{Fault, ManualClock, TestStore};

const DEADLINE: Duration = Duration::from_secs(10);

struct World {
    clock: Arc<ManualClock>,
    bucket: Arc<TestStore>,
    log: Log,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::moved_by_sleep());
    let bucket = Arc::new(TestStore::new(clock.of_store()));
    let object = Tenant::local().object("Counter", "a").expect("a good id");
    let (executor, prefix) = (Arc::new(Inline), Key::new("local/local/do/counter/a"));
    let bucket_of_tenant =
        Arc::new(TenantBucket::new(Tenant::local(), bucket.clone(), clock.clone(), None));
    let log = Log {
        bucket: bucket_of_tenant,
        clock: clock.clone(),
        executor,
        budget: Budget::new(64 << 20, clock.clone()),
        object,
        prefix,
    };
    World { clock, bucket, log }
}

fn record(log: &Log, sequence: u64, nonce: u128) -> Record {
    Record {
        object: log.object.clone(),
        sequence,
        epoch: 1,
        writer: Uuid::from_u128(7),
        nonce: Uuid::from_u128(nonce),
        previous: Hash::NONE,
        time_ms: 5,
        lease_ms: 1000,
        address: None,
        snapshot: None,
        transactions: vec![Changes::default()],
        start: None,
        deleted: false,
    }
}

impl World {
    fn encoded(&self, sequence: u64, nonce: u128) -> Encoded {
        record(&self.log, sequence, nonce).encode().expect("a small record")
    }

    fn now(&self) -> Instant {
        Instant::now(self.clock.as_ref())
    }

    async fn append(&self, sequence: u64, record: &Encoded) -> Result<Appended, Error> {
        append(&self.log, sequence, record, Proof::now(&self.log), DEADLINE).await
    }
}

fn won(result: &Result<Appended, Error>) -> bool {
    matches!(result, Ok(Appended::Won { .. }))
}

#[tokio::test]
async fn an_own_record_is_recognised_whatever_the_store_answered() {
    for fault in [
        Fault::None,
        Fault::LostAnswer,
        Fault::AppliedButExists,
        Fault::NotApplied,
        Fault::ConflictWithoutWinner,
    ] {
        let world = world();
        world.bucket.fail_next_commits([fault]);
        let mine = world.encoded(1, 1);
        assert!(won(&world.append(1, &mine).await), "{fault:?}");
        let stored = world
            .bucket
            .get(&world.log.key(1))
            .await
            .expect("memory answers")
            .expect("the record is there");
        assert_eq!(stored.bytes, mine.bytes, "{fault:?}");
    }
}

#[tokio::test]
async fn a_slot_that_another_filled_is_lost_whatever_the_store_answered() {
    for fault in [Fault::None, Fault::NotApplied, Fault::ConflictWithoutWinner] {
        let world = world();
        assert!(won(&world.append(1, &world.encoded(1, 1)).await));
        world.bucket.fail_next_commits([fault]);
        assert!(
            matches!(world.append(1, &world.encoded(1, 2)).await, Ok(Appended::Lost)),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn without_a_certain_answer_the_outcome_is_unknown() {
    let world = world();
    world.bucket.fail_next_commits([Fault::NotApplied; 100]);
    let error = world.append(1, &world.encoded(1, 1)).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let world = world();
    world.bucket.fail_next_commits([Fault::Refused]);
    let Ok(Appended::Refused(error)) = world.append(1, &world.encoded(1, 1)).await else {
        panic!("nothing was written")
    };
    assert!(error.to_string().contains("no permission"), "{error}");
    assert_eq!(world.bucket.creates_of("/log/"), 1);
}

#[tokio::test]
async fn a_refusal_says_nothing_of_the_request_before_it() {
    let world = world();
    world.bucket.fail_next_commits([Fault::NotApplied, Fault::Refused]);
    let error = world
        .append(1, &world.encoded(1, 1))
        .await
        .expect_err("the first request may still be on its way");
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.message().contains("no permission"), "{error}");
    assert_eq!(world.bucket.creates_of("/log/"), 2);
}

#[tokio::test]
async fn a_lease_counts_from_the_first_request_that_may_have_filled_the_slot() {
    let world = world();
    world.bucket.fail_next_commits([Fault::NotApplied, Fault::NotApplied, Fault::LostAnswer]);
    let before = world.now();
    let Ok(Appended::Won { sent, .. }) = world.append(1, &world.encoded(1, 1)).await else {
        panic!("it lands in the end")
    };
    assert_eq!(sent, before);
    assert!(sent.elapsed_at_most(world.clock.as_ref()) > Duration::ZERO, "the attempts took time");
}

#[tokio::test]
async fn a_writer_that_slept_does_not_take_a_deleted_slot_for_its_own() {
    let world = world();
    assert!(won(&world.append(1, &world.encoded(1, 1)).await));
    let proof = Proof::now(&world.log);
    // Asleep, while others fill slots 2 and 3, fold them into a snapshot and delete slot 2.
    assert!(won(&world.append(2, &world.encoded(2, 20)).await));
    assert!(won(&world.append(3, &world.encoded(3, 30)).await));
    world.bucket.delete(&[world.log.key(2)]).await.expect("memory deletes");
    world.clock.advance(PROOF_AGE_MAX + Duration::from_secs(1));
    let late = append(&world.log, 2, &world.encoded(2, 99), proof, DEADLINE).await;
    assert!(matches!(late, Ok(Appended::Lost)), "{late:?}");
    assert!(
        world.bucket.get(&world.log.key(2)).await.expect("memory answers").is_none(),
        "it did not even put it"
    );
}

#[tokio::test]
async fn a_writer_that_slept_during_its_request_proves_the_head_again() {
    let world = world();
    assert!(won(&world.append(1, &world.encoded(1, 1)).await));
    let proof = Proof::now(&world.log);
    let (bucket, clock) = (world.bucket.clone(), world.clock.clone());
    let (second, third, head) = (world.log.key(2), world.log.key(3), world.encoded(3, 30).bytes);
    let mut slept = false;
    world.bucket.before_commits(move |_| {
        if !std::mem::replace(&mut slept, true) {
            // While the request is in flight: slot 2 was filled and deleted, slot 3 is the head.
            let put = bucket.memory.put(&third, head.clone());
            futures_util::FutureExt::now_or_never(put)
                .expect("memory is immediate")
                .expect("memory puts");
            let delete = bucket.memory.delete(std::slice::from_ref(&second));
            futures_util::FutureExt::now_or_never(delete)
                .expect("memory is immediate")
                .expect("memory deletes");
            clock.advance(PROOF_AGE_MAX + Duration::from_secs(1));
        }
    });
    let late = append(&world.log, 2, &world.encoded(2, 99), proof, DEADLINE).await;
    assert!(matches!(late, Ok(Appended::Lost)), "{late:?}");
}

#[tokio::test]
async fn a_chain_is_read_back_and_a_break_is_named() {
    let world = world();
    let first = world.encoded(1, 1);
    assert!(won(&world.append(1, &first).await));
    let follows = Record { previous: first.hash, ..record(&world.log, 2, 2) };
    let follows = follows.encode().expect("a small record");
    assert!(won(&world.append(2, &follows).await));
    let mut room = world.log.room();
    let records = fetch(&world.log, 1..=2, None, &mut room).await.expect("a chain");
    assert_eq!(records.iter().map(|found| found.record.sequence).collect::<Vec<_>>(), [1, 2]);

    assert!(won(&world.append(3, &world.encoded(3, 3)).await), "it names no predecessor");
    let error = fetch(&world.log, 2..=3, None, &mut room).await.expect_err("the chain is broken");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains(world.log.key(3).as_str()), "{error}");
    let error = fetch(&world.log, 3..=4, None, &mut room).await.expect_err("record 4 is missing");
    assert!(error.message().contains(world.log.key(4).as_str()), "{error}");
}

#[tokio::test]
async fn the_newest_key_is_listed_first() {
    let world = world();
    for sequence in 1..=12 {
        assert!(won(&world.append(sequence, &world.encoded(sequence, sequence.into())).await));
    }
    let listing = list_newest(&world.log, 1).await.expect("memory lists");
    assert_eq!((listing.head, listing.unbroken_from), (12, 1));
    world.bucket.delete(&[world.log.key(9)]).await.expect("memory deletes");
    let listing = list_newest(&world.log, 1).await.expect("memory lists");
    assert_eq!((listing.head, listing.unbroken_from), (12, 10));
}

#[tokio::test]
async fn a_file_that_the_system_left_is_no_record_and_any_other_is_named() {
    let world = world();
    assert!(won(&world.append(1, &world.encoded(1, 1)).await));
    let put = async |name: &str| {
        world.bucket.put(&world.log.folder().join(name), Bytes::from_static(b"x")).await
    };
    put(".DS_Store").await.expect("memory puts");
    assert_eq!(list_newest(&world.log, 1).await.expect("it is passed over").head, 1);
    put("0-notes").await.expect("memory puts");
    let error = list_newest(&world.log, 1).await.expect_err("this is no record");
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("0-notes"), "{error}");
}

#[tokio::test]
async fn only_old_covered_records_are_deleted_and_never_the_head() {
    let world = world();
    let retention = Duration::from_secs(7200);
    for sequence in 1..=4 {
        assert!(won(&world.append(sequence, &world.encoded(sequence, sequence.into())).await));
    }
    let before_ms = || world.clock.wall_ms() - i64::try_from(retention.as_millis()).expect("hours");
    assert_eq!(
        delete_covered(&world.log, 4, 4, before_ms()).await.expect("memory deletes"),
        0,
        "all are young"
    );
    world.clock.advance(retention + Duration::from_secs(60));
    assert!(won(&world.append(5, &world.encoded(5, 5)).await));
    assert_eq!(delete_covered(&world.log, 2, 5, before_ms()).await.expect("memory deletes"), 2);
    assert_eq!(
        delete_covered(&world.log, 5, 5, before_ms()).await.expect("memory deletes"),
        2,
        "3 and 4, not the head"
    );
    assert_eq!(list_newest(&world.log, 1).await.expect("memory lists").head, 5);
}

#[test]
fn every_damaged_byte_of_a_record_is_found() {
    let world = world();
    let good = world.encoded(1, 1).bytes;
    let key = world.log.key(1);
    Record::decode(&key, &good, &Tenant::local()).expect("the undamaged record");
    for at in 0..good.len() {
        let mut bad = good.to_vec();
        bad[at] ^= 0x10;
        let error = Record::decode(&key, &bad, &Tenant::local()).expect_err("a damaged byte");
        assert!(
            error.kind() == ErrorKind::Corrupt && error.message().contains(key.as_str()),
            "byte {at}: {error}"
        );
        let error =
            Record::decode(&key, &good[..at], &Tenant::local()).expect_err("a truncated record");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("SQLite has no NaN", |real| !real.is_nan()).prop_map(Value::Real),
        any::<String>().prop_map(|text| Value::Text(text.into_bytes())),
        any::<Vec<u8>>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Blob),
    ]
}

fn tables() -> impl Strategy<Value = TableChanges> {
    let keys = prop_oneof![
        any::<i64>().prop_map(RowKey::Rowid),
        prop::collection::vec(values(), 1..3).prop_map(RowKey::Primary)
    ];
    let rows = (any::<Option<i64>>(), prop::collection::vec(values(), 0..4))
        .prop_map(|(rowid, values)| Row { rowid, values });
    (
        any::<String>(),
        any::<bool>(),
        prop::collection::vec(keys, 0..4),
        prop::collection::vec(rows, 0..20),
    )
        .prop_map(|(table, rewritten, deletes, upserts)| TableChanges {
            table,
            rewritten,
            deletes,
            upserts,
        })
}

fn schemas() -> impl Strategy<Value = Schema> {
    let kinds = prop_oneof![
        Just(SchemaKind::Table),
        Just(SchemaKind::Index),
        Just(SchemaKind::View),
        Just(SchemaKind::Trigger)
    ];
    let objects = (kinds, any::<String>(), any::<String>(), any::<Option<String>>())
        .prop_map(|(kind, name, table, sql)| SchemaObject { kind, name, table, sql });
    prop::collection::vec(objects, 0..4).prop_map(|objects| Schema { objects })
}

fn changes() -> impl Strategy<Value = Changes> {
    let renames = prop::collection::vec(any::<(String, String)>(), 0..2);
    let sequences =
        prop::option::of(prop::collection::btree_map(any::<String>(), any::<i64>(), 0..3));
    (
        prop::option::of(schemas()),
        renames,
        prop::collection::vec(tables(), 0..3),
        sequences,
        any::<Option<i32>>(),
        any::<Option<i32>>(),
    )
        .prop_map(|(schema, renames, tables, sequences, user_version, application_id)| {
            Changes { schema, renames, tables, sequences, user_version, application_id }
        })
}
