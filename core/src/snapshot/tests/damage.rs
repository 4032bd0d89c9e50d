//! Whatever happens to a file, a restore says so and names it.

use bytes::Bytes;

use super::*;
use crate::error::{Error, ErrorKind};

fn rig() -> Rig {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, data);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t SELECT i, i * i FROM n",
    );
    rig.snapshot();
    rig.commit("DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (5000, 1)");
    rig.snapshot();
    rig
}

fn restore_by_reference(rig: &Rig) -> Result<Database> {
    let base = rig.tracker.base().expect("a snapshot");
    let document = block_on(read(source(&*rig.bucket, &rig.prefix(), &rig.object), base))?;
    rig.restore(document).map(|(database, _)| database)
}

fn assert_corrupt(error: &Error, key: &str) {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.message().contains(key), "{error:?} names {key}");
}

#[test]
fn damaged_missing_and_exchanged_files_are_named() {
    let rig = rig();
    let base = rig.tracker.base().expect("a snapshot").to_string();
    let needed: Vec<String> = rig
        .keys()
        .into_iter()
        .filter(|key| {
            key.ends_with(".parquet") || (key.ends_with("snapshot.json") && key.contains(&base))
        })
        .collect();
    assert_eq!(needed.len(), 4, "{needed:?}");
    for key in &needed {
        let whole = block_on(rig.bucket.get(&Key::new(key.as_str())))
            .expect("an answer")
            .expect("a file")
            .bytes;
        let other = needed.iter().find(|other| *other != key).expect("another file");
        let other = block_on(rig.bucket.get(&Key::new(other.as_str())))
            .expect("an answer")
            .expect("a file")
            .bytes;
        let mut flipped = whole.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for bad in [whole.slice(..whole.len() - 1), whole.slice(..0), Bytes::from(flipped), other] {
            block_on(rig.bucket.put(&Key::new(key.as_str()), bad)).expect("a write");
            assert_corrupt(&restore_by_reference(&rig).err().expect("damaged"), key);
        }
        block_on(rig.bucket.delete(&[Key::new(key.as_str())])).expect("a delete");
        assert_corrupt(&restore_by_reference(&rig).err().expect("missing"), key);
        block_on(rig.bucket.put(&Key::new(key.as_str()), whole)).expect("a write");
    }
    restore_by_reference(&rig).expect("all is well again");
}

#[test]
fn every_flipped_bit_of_a_description_is_found() {
    let rig = rig();
    let key = latest_key(&rig.prefix());
    let good = block_on(rig.bucket.get(&key)).expect("an answer").expect("a hint").bytes;
    for at in 0..good.len() {
        let mut bad = good.to_vec();
        bad[at] ^= 1 << (at % 8);
        if let Ok(document) = Document::decode(&key, &bad, &rig.object) {
            // Only in the hexadecimal digits of the checksum, and there only what is the same
            // digit, could a change go unseen.
            panic!("a change of byte {at} was not found: {document:?}");
        }
    }
}

#[test]
fn another_version_and_another_objects_snapshot_are_refused_by_name() {
    let rig = rig();
    let key = latest_key(&rig.prefix());
    let good = block_on(rig.bucket.get(&key)).expect("an answer").expect("a hint").bytes;
    let newer =
        String::from_utf8(good.to_vec()).expect("JSON").replacen("\"format\":1", "\"format\":2", 1);
    let error = Document::decode(&key, newer.as_bytes(), &rig.object).expect_err("a newer version");
    assert_corrupt(&error, key.as_str());
    assert!(error.message().contains("expected snapshot format 1, got 2"), "{error}");
    let other = Tenant::local().object("Thing", "two").expect("an id");
    let error = Document::decode(&key, &good, &other).expect_err("another's");
    assert!(
        error.message().contains("expected a snapshot of Thing/two, found one of Thing/one"),
        "{error}"
    );
}
