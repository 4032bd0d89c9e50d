//! Records that nobody of ours wrote: what they would take is known, and paid, before they take it.

use bytes::BytesMut;

use super::*;
use crate::error::Error;
use crate::limits::RECORD_STORED_BYTES_MAX;
use crate::log::record::{Envelope, seal};
use crate::store::Bucket;

/// What reading the record under the key of number 1 ends with, where the budget is 64 MiB.
async fn refusal(world: &World, bytes: Bytes) -> Error {
    world.bucket.put(&world.log.key(1), bytes).await.expect("memory takes everything");
    let mut room = world.log.room();
    let error = fetch(&world.log, 1..=1, None, &mut room).await.expect_err("nobody wrote this");
    assert!(room.bytes() < 33 << 20, "{error}: {room:?}");
    error
}

/// A body in the envelope of an ordinary record.
fn sealed(body: &[u8], flags: u16, plain_len: u64) -> Bytes {
    seal(body, Envelope { version: 1, flags, plain_len }).bytes
}

#[tokio::test]
async fn a_program_that_does_not_know_where_a_record_starts_does_not_read_it() {
    let world = world();
    let anew = Record { start: Some(Start::Nothing), ..record(&world.log, 1, 1) };
    let bytes = anew.encode().expect("a small record").bytes;
    assert_eq!(bytes[8..10], 2_u16.to_le_bytes(), "the version that older programs refuse");
    let body = codec::encode(&anew);
    let error = refusal(&world, sealed(&body, 0, body.len() as u64)).await;
    assert!(error.message().contains("version 2"), "the field counts in version 2 only: {error}");
    let ordinary = codec::encode(&record(&world.log, 1, 1));
    let plain_len = ordinary.len() as u64;
    let envelope = Envelope { version: 2, flags: 0, plain_len };
    let error = refusal(&world, seal(&ordinary, envelope).bytes).await;
    assert!(error.message().contains("version 1"), "and is always there: {error}");
}

/// The body of a record with `changes` as its only transaction's encoding.
fn body(world: &World, fill: impl FnOnce(&mut Record)) -> Vec<u8> {
    let mut record = record(&world.log, 1, 1);
    fill(&mut record);
    codec::encode(&record)
}

#[tokio::test]
async fn an_object_under_a_records_key_is_not_read_when_there_is_no_memory_for_it() {
    let world = world();
    let error = refusal(&world, BytesMut::zeroed(40 << 20).freeze()).await;
    assert_eq!(error.code(), "MEMORY_TOO_SMALL", "{error}");
}

#[tokio::test]
async fn a_record_that_grows_when_it_is_uncompressed_is_paid_before() {
    let world = world();
    let plain = vec![0; 48 << 20];
    let packed = zstd::bulk::compress(&plain, 1).expect("zstd compresses");
    assert!(packed.len() < 64 << 10);
    let error = refusal(&world, sealed(&packed, 1, plain.len() as u64)).await;
    assert_eq!(error.code(), "MEMORY_TOO_SMALL", "{error}");
    let error = refusal(&world, sealed(&packed, 1, 1 << 20)).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "it is larger than it says: {error}");
    let error = refusal(&world, sealed(&packed, 1, u64::MAX)).await;
    assert!(error.code() == "MEMORY_TOO_SMALL", "it says that it is huge: {error}");
}

#[tokio::test]
async fn a_record_of_many_small_values_is_paid_for_what_becomes_of_them() {
    let world = world();
    let body = body(&world, |record| {
        let row = Row { rowid: Some(1), values: vec![Value::Null; 1000] };
        record.transactions[0].tables = vec![TableChanges {
            table: "t".to_owned(),
            rewritten: false,
            deletes: Vec::new(),
            upserts: vec![row; 500],
        }];
    });
    assert!(body.len() < 1 << 20, "a byte a value");
    let error = refusal(&world, sealed(&body, 0, body.len() as u64)).await;
    assert_eq!(error.code(), "MEMORY_TOO_SMALL", "{error}");
}

#[tokio::test]
async fn a_record_s_weight_is_at_least_what_it_takes() {
    let world = world();
    let row = Row { rowid: Some(1), values: vec![Value::Text(vec![b'x'; 100]); 20] };
    let body = body(&world, |record| {
        record.transactions[0].tables = vec![TableChanges {
            table: "t".to_owned(),
            rewritten: false,
            deletes: vec![RowKey::Rowid(5); 10],
            upserts: vec![row; 50],
        }];
    });
    let values = 50 * 20 * (size_of::<Value>() + 100) + 50 * size_of::<Row>();
    let weight = codec::weight(&body);
    assert!((values as u64..5 * values as u64).contains(&weight), "{values} bytes weigh {weight}");
}

#[tokio::test]
async fn numbers_to_which_nothing_can_be_added_are_refused() {
    let world = world();
    for fill in [
        (|record: &mut Record| record.epoch = u64::MAX) as fn(&mut Record),
        |record| record.sequence = u64::MAX,
        |record| record.snapshot = Some(SnapshotRef { sequence: u64::MAX, uuid: Uuid::nil() }),
    ] {
        let body = body(&world, fill);
        let error = refusal(&world, sealed(&body, 0, body.len() as u64)).await;
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.message().contains("too large"), "{error}");
    }
    let last = world.log.key(u64::MAX);
    world.bucket.put(&last, Bytes::new()).await.expect("memory takes everything");
    let error = list_newest(&world.log, 1).await.expect_err("no record has this number");
    assert!(error.message().contains(last.as_str()), "{error}");
}

#[tokio::test]
async fn a_slot_with_something_larger_than_our_record_was_lost() {
    let world = world();
    let large = BytesMut::zeroed(1 << 20).freeze();
    world.bucket.put(&world.log.key(1), large).await.expect("memory takes everything");
    let appended = world.append(1, &world.encoded(1, 1)).await;
    assert!(matches!(appended, Ok(Appended::Lost)), "{appended:?}");
    const { assert!(RECORD_STORED_BYTES_MAX < 2 << 30) };
}
