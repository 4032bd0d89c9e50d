//! Random records.

use super::*;

proptest! {
    #[test]
    fn every_record_comes_back_as_it_was(
        transactions in prop::collection::vec(changes(), 0..4),
        numbers in (0..=SEQUENCE_MAX, 0..=SEQUENCE_MAX, any::<u128>(), any::<u128>(), any::<i64>(), any::<u64>()),
        address in any::<Option<String>>(),
        snapshot in prop::option::of((0..=SEQUENCE_MAX, any::<u128>())),
        start in prop::option::of(prop::option::of(prop::collection::vec(any::<u8>(), 0..50))),
        deleted in any::<bool>(),
    ) {
        let start = start.map(|bytes| match bytes {
            Some(bytes) => Start::Snapshot(bytes.into()),
            None => Start::Nothing,
        });
        let transactions =
            if matches!(start, Some(Start::Snapshot(_))) { Vec::new() } else { transactions };
        let (sequence, epoch, writer, nonce, time_ms, lease_ms) = numbers;
        let record = Record {
            object: Tenant::local().object("Thing", "ü/..").expect("a good id"),
            sequence,
            epoch,
            writer: Uuid::from_u128(writer),
            nonce: Uuid::from_u128(nonce),
            previous: Hash([9; 32]),
            time_ms,
            lease_ms,
            address,
            snapshot: snapshot.map(|(sequence, uuid)| SnapshotRef { sequence, uuid: Uuid::from_u128(uuid) }),
            transactions,
            start,
            deleted,
        };
        let encoded = record.encode().expect("a small record");
        let (back, hash) = Record::decode(&Key::new("log/x"), &encoded.bytes, &Tenant::local()).expect("its own bytes");
        prop_assert_eq!(hash, encoded.hash);
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", record), "also the sign of zero");
    }
}
