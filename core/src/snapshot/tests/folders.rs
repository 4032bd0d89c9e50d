//! A table's folder, as engines see it that know nothing of dotdo.

use std::collections::{BTreeMap, BTreeSet};

use super::history::busy;
use super::*;

/// The keys of the tables' metadata in the bucket, in order.
fn metadata(rig: &Rig) -> Vec<String> {
    rig.keys().into_iter().filter(|key| key.ends_with(".metadata.json")).collect()
}

fn json(rig: &Rig, key: &str) -> serde_json::Value {
    let found = block_on(rig.bucket.get(&Key::new(key))).expect("an answer").expect("a file");
    serde_json::from_slice(&found.bytes).expect("JSON")
}

/// The version by which ClickHouse and Trino order metadata files: `N-{uuid}.metadata.json`, where N
/// is a 32-bit number.
fn version(key: &str) -> i32 {
    let name = key.rsplit('/').next().expect("a name");
    let (number, rest) = name.split_once('-').expect("a number and a uuid");
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    let uuid = rest.strip_suffix(".metadata.json").expect("a metadata file");
    Uuid::parse_str(uuid).expect("a uuid");
    number.parse().expect("a 32-bit number")
}

#[test]
fn the_last_metadata_in_a_table_s_folder_is_its_newest_state() {
    let mut rig = busy();
    for round in 0..12 {
        match round {
            4 => rig.commit("DROP TABLE still; CREATE TABLE still(x, y)"),
            7 => rig.commit("ALTER TABLE t RENAME TO u; ALTER TABLE still RENAME TO t"),
            8 => rig.commit("ALTER TABLE t RENAME TO still; ALTER TABLE u RENAME TO t"),
            _ => rig.commit(&format!("INSERT INTO t(data) VALUES ({round})")),
        };
        rig.snapshot();
        let all = metadata(&rig);
        let mut folders: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for key in &all {
            folders.entry(key.split("/metadata/").next().expect("a folder")).or_default().push(key);
        }
        for (folder, keys) in &folders {
            let versions: Vec<i32> = keys.iter().map(|key| version(key)).collect();
            assert!(versions.is_sorted_by(|one, next| one < next), "{folder}: {versions:?}");
        }
        for table in &rig.latest().tables {
            let key = format!("{}/snapshots/{}", rig.prefix(), table.metadata);
            let folder = key.split("/metadata/").next().expect("a folder");
            assert_eq!(folders[folder].last(), Some(&&key), "{}", table.shape.name);
            assert_eq!(json(&rig, &key)["location"], format!("{}/{folder}", rig.location));
        }
    }
}

#[test]
fn a_table_has_new_metadata_only_when_everything_else_is_there() {
    let mut rig = busy();
    let before = metadata(&rig);
    rig.commit("UPDATE t SET data = 'x' WHERE id = 1");
    let plan = rig.plan();
    let bucket = Arc::clone(&rig.bucket);
    block_on(upload(&*bucket, &plan)).expect("an upload");
    assert_eq!(metadata(&rig), before, "the record of the plan may fail yet");
    rig.publish(plan);
    assert_eq!(metadata(&rig).len(), before.len() + 1);
}

#[test]
fn a_snapshot_that_comes_too_late_takes_its_metadata_back() {
    let mut rig = busy();
    rig.commit("UPDATE t SET data = 'x' WHERE id = 1");
    let plan = rig.plan();
    let before = metadata(&rig);
    let begun = Moment::now(Part::Files, &*rig.bucket, &*rig.clock);
    let clock = Arc::clone(&rig.clock);
    rig.bucket.record().observe(move |operation, _| {
        if operation == Operation::Create {
            clock.pass_unnoticed(Duration::from_secs(3600));
        }
    });
    rig.try_publish(plan, begun).expect_err("it was frozen for an hour");
    assert_eq!(metadata(&rig), before);
}

#[test]
fn each_delete_file_is_about_one_data_file() {
    let mut rig = busy();
    let mut most = 0;
    for round in 0..40 {
        rig.commit(&format!(
            "INSERT INTO t(data) SELECT hex(randomblob(2000)) FROM t LIMIT 60; \
             DELETE FROM t WHERE id % 97 = {round}"
        ));
        rig.snapshot();
        let document = rig.latest();
        for table in &document.tables {
            for deletes in &table.deletes {
                let of = deletes.of.as_ref().expect("it is about one file");
                assert!(table.data.iter().any(|data| data.file.key == *of), "{of} is live");
            }
            let of: BTreeSet<_> = table.deletes.iter().map(|deletes| &deletes.of).collect();
            most = most.max(of.len());
        }
    }
    assert!(most > 2, "deletes in {most} files at once");
    rig.restart();
    rig.commit("DELETE FROM t WHERE id % 89 = 1");
    rig.check();
}

/// The requests of a snapshot that changes one table: files of rows and deletes, their manifests
/// and the list, the table's metadata, the description and the hint.
fn puts(rig: &mut Rig) -> usize {
    let plan = rig.plan();
    let puts = plan.files().len() + plan.metadata.len() + 2;
    rig.publish(plan);
    puts
}

#[test]
fn a_snapshot_of_one_changed_table_takes_at_most_eight_puts() {
    let mut rig = busy();
    for round in 0..40 {
        rig.commit(&format!("UPDATE t SET data = 'new' WHERE id = {round} * 90 + 1"));
        assert!(puts(&mut rig) <= 8, "one row in round {round}");
    }
    for round in 0..10 {
        rig.commit(&format!("UPDATE t SET data = 'newer' WHERE id % 90 = 1 AND id > {round} * 9"));
        assert!(puts(&mut rig) <= 8, "rows in many files in round {round}");
    }
}
