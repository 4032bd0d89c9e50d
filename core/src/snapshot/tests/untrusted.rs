//! Descriptions and files that nobody of ours wrote, with checksums that fit.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::*;
use crate::error::{Error, ErrorKind};

fn rig() -> Rig {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, data TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b');
         CREATE TABLE u(a); INSERT INTO u VALUES (1)",
    );
    rig.snapshot();
    rig
}

/// The newest description's body.
fn body(rig: &Rig) -> Json {
    let stored = block_on(rig.bucket.get(&latest_key(&rig.prefix()))).expect("an answer");
    let mut envelope: Json =
        serde_json::from_slice(&stored.expect("a hint").bytes).expect("it is JSON");
    envelope["body"].take()
}

/// What becomes of a description with this body.
fn restore(rig: &Rig, body: &Json) -> Result<Database> {
    let key = latest_key(&rig.prefix());
    let sealed = Document::sealed(&body.to_string()).expect("it is JSON");
    let document = Document::decode(&key, &sealed, &rig.object)?;
    // Whatever it says, this must not overflow.
    let _ = document.bytes();
    rig.restore(document).map(|(database, _)| database)
}

fn refusal(rig: &Rig, change: impl FnOnce(&mut Json)) -> Error {
    let mut body = body(rig);
    restore(rig, &body).expect("as it was written, it is good");
    change(&mut body);
    let error = restore(rig, &body).err().unwrap_or_else(|| panic!("{body} was believed"));
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    error
}

#[test]
fn a_key_that_leads_out_of_the_objects_own_snapshots_is_refused_by_name() {
    let rig = rig();
    let good = body(&rig)["tables"][0]["data"][0]["key"].clone();
    let good = good.as_str().expect("a key").to_owned();
    for foreign in [
        format!("../../../../../other/tenant/do/thing/one/snapshots/{good}"),
        format!("/{good}"),
        format!("file:///etc/{good}"),
        format!("s3://bucket/other/tenant/{good}"),
        good.replacen("/data/", "/../data/", 1),
        good.replacen("/data/", "/data/../", 1),
        good.replacen('/', "\\", 2),
        format!("{good}\0"),
        good.replacen("/data/", "/secrets/", 1),
        good.replacen("/t/", "/../", 1),
        good.replacen("/t/", "//", 1),
        good.replacen("iceberg/", "log/", 1),
        "latest".to_owned(),
        String::new(),
    ] {
        for place in [json!("data"), json!("metadata"), json!("manifest_list")] {
            let error = refusal(&rig, |body| {
                let table = &mut body["tables"][0];
                match place.as_str() {
                    Some("data") => table["data"][0]["key"] = foreign.clone().into(),
                    Some("metadata") => table["metadata"] = foreign.clone().into(),
                    _ => table["versions"][0]["manifest_list"] = foreign.clone().into(),
                }
            });
            assert!(error.message().contains("the key of a snapshot's file"), "{foreign}: {error}");
        }
    }
}

#[test]
fn sizes_that_overflow_or_lie_are_refused_before_anything_is_read() {
    let rig = rig();
    let error = refusal(&rig, |body| {
        body["tables"][0]["data"][0]["bytes"] = u64::MAX.into();
        body["tables"][1]["data"][0]["bytes"] = u64::MAX.into();
    });
    assert!(error.message().contains("parquet"), "{error}");
    let mut huge = body(&rig);
    huge["tables"][0]["data"][0]["bytes"] = (u64::MAX / 2).into();
    huge["tables"][1]["data"][0]["bytes"] = (u64::MAX / 2 + 10).into();
    let sealed = Document::sealed(&huge.to_string()).expect("it is JSON");
    let document = Document::decode(&latest_key(&rig.prefix()), &sealed, &rig.object);
    assert_eq!(document.expect("numbers may be large").bytes(), u64::MAX, "and stay so together");
    // A file that is larger than the description says is not read to find that out.
    let key = rig.keys().into_iter().find(|key| key.ends_with(".parquet")).expect("a file");
    let large = Bytes::from(vec![0; 1 << 20]);
    block_on(rig.bucket.put(&Key::new(key.as_str()), large)).expect("a write");
    let error = restore(&rig, &body(&rig)).err().expect("it is another file");
    assert!(error.message().contains(&key) && error.message().contains("of at most"), "{error}");
}

#[test]
fn numbers_to_which_nothing_can_be_added_are_refused() {
    let rig = rig();
    let table = |change: fn(&mut Json)| move |body: &mut Json| change(&mut body["tables"][0]);
    for change in [
        table(|table| table["last_column_id"] = i32::MAX.into()),
        table(|table| table["schema_id"] = i32::MAX.into()),
        table(|table| table["schema_id"] = (-1).into()),
        table(|table| table["columns"][0]["id"] = 1.into()),
        table(|table| table["columns"][0]["id"] = i32::MIN.into()),
        table(|table| table["columns"][0]["id"] = table["columns"][1]["id"].clone()),
        table(|table| table["versions"][0]["sequence"] = i64::MAX.into()),
        table(|table| table["versions"][0]["time_ms"] = i64::MAX.into()),
        table(|table| table["versions"][0]["schema_id"] = i32::MAX.into()),
    ] {
        let error = refusal(&rig, change);
        assert!(error.message().contains("small numbers"), "{error}");
    }
    for change in [
        (|body: &mut Json| body["sequence"] = u64::MAX.into()) as fn(&mut Json),
        |body| body["base"] = json!({"sequence": u64::MAX, "uuid": Uuid::nil()}),
        |body| body["tables"][0]["data"][0]["rows"] = u64::MAX.into(),
    ] {
        refusal(&rig, change);
    }
}

#[test]
fn tables_that_the_schema_does_not_have_or_has_once_are_refused() {
    let rig = rig();
    let error = refusal(&rig, |body| {
        let again = body["tables"][0].clone();
        body["tables"].as_array_mut().expect("tables").push(again);
    });
    assert!(error.message().contains("named once"), "{error}");
    let error = refusal(&rig, |body| body["tables"][1]["name"] = "other".into());
    assert!(error.message().contains("other"), "{error}");
}

#[test]
fn a_description_that_is_too_large_is_neither_read_nor_written() {
    let rig = rig();
    let key = latest_key(&rig.prefix());
    let large = Bytes::from(vec![b' '; 33 << 20]);
    block_on(rig.bucket.put(&key, large)).expect("a write");
    let prefix = rig.prefix();
    let from = source(&*rig.bucket, &prefix, &rig.object);
    assert!(block_on(from.hint()).expect("a hint is a hint").is_none());
    let reference = rig.tracker.base().expect("a snapshot");
    let document = reference.document_key(&prefix);
    block_on(rig.bucket.put(&document, Bytes::from(vec![b' '; 33 << 20]))).expect("a write");
    let error = block_on(read(from, reference)).expect_err("it is too large");
    assert!(
        error.kind() == ErrorKind::Corrupt && error.message().contains(document.as_str()),
        "{error}"
    );
}

#[test]
fn a_large_description_is_paid_and_read() {
    let rig = rig();
    let (key, prefix) = (latest_key(&rig.prefix()), rig.prefix());
    let mut wide = body(&rig);
    wide["tables"][0]["versions"] = vec![wide["tables"][0]["versions"][0].clone(); 2000].into();
    let sealed = Document::sealed(&wide.to_string()).expect("it is JSON");
    assert!(sealed.len() > 64 << 10);
    block_on(rig.bucket.put(&key, sealed)).expect("a write");
    let from = source(&*rig.bucket, &prefix, &rig.object);
    assert!(block_on(from.hint()).expect("there is memory").is_some());
}
