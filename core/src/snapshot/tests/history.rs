//! Older snapshots: listing them, going back to them, letting them go.

use std::collections::BTreeMap;

use super::super::sweep::Swept;
use super::*;
use crate::millis;

pub(super) fn sweep_now(rig: &Rig) -> Swept {
    let prefix = rig.prefix();
    let sweeper =
        block_on(Sweeper::look(source(&*rig.bucket, &prefix, &rig.object))).expect("a listing");
    block_on(sweeper.remove(RETENTION, rig.clock.wall_ms(), Unfinished::Remove)).expect("a sweep")
}

pub(super) fn busy() -> Rig {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, data); CREATE TABLE still(x); INSERT INTO still VALUES (1);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t SELECT i, hex(randomblob(9)) FROM n",
    );
    rig.snapshot();
    rig
}

#[test]
fn every_snapshot_of_the_retention_can_be_restored_after_a_sweep() {
    let mut rig = busy();
    let mut states = Vec::new();
    for day in 0..10 {
        for hour in 0..3 {
            rig.commit(&format!(
                "UPDATE t SET data = 'day {day}' WHERE id = {day} * 10 + {hour}; DELETE FROM t WHERE id = 4000 - {day} * 3 - {hour}"
            ));
            rig.pass(Duration::from_secs(8 * 3600));
            let at = rig.clock.wall_ms();
            states.push((rig.snapshot(), at, dump(&mut rig.database)));
        }
        sweep_now(&rig);
    }
    let listed =
        block_on(list(source(&*rig.bucket, &rig.prefix(), &rig.object))).expect("a listing");
    assert_eq!(listed[0].reference, states.last().expect("states").0);
    let since = rig.clock.wall_ms() - i64::try_from(RETENTION.as_millis()).expect("days");
    let mut kept = 0;
    for (reference, at, expected) in &states {
        if listed.iter().any(|entry| entry.reference == *reference) {
            let document =
                block_on(read(source(&*rig.bucket, &rig.prefix(), &rig.object), *reference))
                    .expect("a description");
            let (mut then, _) = rig.restore(document).expect("a kept snapshot");
            assert_same(expected, &dump(&mut then));
            kept += 1;
        } else {
            assert!(*at < since, "a snapshot of the retention is gone");
        }
    }
    assert!((9..=20).contains(&kept), "{kept} of 30 are kept");
    rig.restart();
}

#[test]
fn a_snapshot_that_was_the_newest_for_long_is_kept_for_the_retention_after_it() {
    let mut rig = busy();
    let first = rig.tracker.base().expect("a snapshot");
    rig.pass(RETENTION * 10);
    rig.commit("DELETE FROM t WHERE id = 1");
    rig.snapshot();
    assert_eq!(sweep_now(&rig), Swept::default());
    block_on(read(source(&*rig.bucket, &rig.prefix(), &rig.object), first)).expect("still there");
    rig.pass(RETENTION * 2);
    rig.commit("DELETE FROM t WHERE id = 2");
    rig.snapshot();
    sweep_now(&rig);
    rig.restart();
}

#[test]
fn what_engines_reach_through_a_tables_history_stays() {
    let mut rig = busy();
    for id in 0..6 {
        rig.commit(&format!("UPDATE t SET data = 'x' WHERE id = {id}"));
        rig.pass(RETENTION / 4);
        rig.snapshot();
        sweep_now(&rig);
    }
    rig.pass(RETENTION * 3);
    rig.commit("INSERT INTO still VALUES (2)");
    rig.snapshot();
    rig.pass(RETENTION * 2);
    sweep_now(&rig);
    let document = rig.latest();
    let table = document.tables.iter().find(|table| table.shape.name == "t").expect("the table");
    assert!(table.versions.len() > 2);
    let keys = rig.keys();
    for version in &table.versions {
        for name in files_of(&rig, &version.manifest_list) {
            assert!(keys.contains(&name), "{name} is named by a manifest");
        }
    }
    rig.restart();
}

/// The newest metadata of the table `t`.
fn metadata(rig: &Rig) -> iceberg::spec::TableMetadata {
    let is_metadata = |key: &String| key.contains("/iceberg/t/") && key.ends_with(".metadata.json");
    let key = rig.keys().into_iter().filter(is_metadata).max().expect("the table has metadata");
    let stored =
        block_on(rig.bucket.get(&Key::new(key))).expect("an answer").expect("a listed key");
    serde_json::from_slice(&stored.bytes).expect("the iceberg crate reads it")
}

#[test]
fn engines_find_the_last_state_of_each_hour_and_day_by_a_tag() {
    let mut rig = busy();
    let (mut hours, mut days) = (BTreeMap::new(), BTreeMap::new());
    // Four days, in steps that do not divide an hour.
    for step in 0..230 {
        rig.pass(Duration::from_mins(25));
        rig.commit(&format!("UPDATE t SET data = 'step {step}' WHERE id = {step}"));
        rig.snapshot();
        let now_ms = rig.clock.wall_ms();
        let tag = |format| {
            let now = jiff::Timestamp::from_millisecond(now_ms).expect("a time of today");
            now.strftime(format).to_string()
        };
        hours.insert(tag("hour-%Y-%m-%dT%H"), (now_ms, rig.sequence));
        days.insert(tag("day-%Y-%m-%d"), (now_ms, rig.sequence));
    }
    sweep_now(&rig);
    let metadata = metadata(&rig);
    assert!(metadata.snapshots().len() <= 8 + 24 + 4, "{}", metadata.snapshots().len());
    let sequence = |tag: &str| {
        let snapshot = metadata.snapshot_for_ref(tag)?;
        snapshot.summary().additional_properties["dotdo.sequence"].parse().ok()
    };
    let now_ms = rig.clock.wall_ms();
    let within = |tags: BTreeMap<String, (i64, u64)>, time: Duration| {
        let since_ms = now_ms - millis::signed(time);
        tags.into_iter().filter(move |(_, (last_ms, _))| *last_ms > since_ms)
    };
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for (tag, (_, last)) in within(hours, Duration::from_hours(24)).chain(within(days, RETENTION)) {
        found.push((tag.clone(), sequence(&tag)));
        expected.push((tag, Some(last)));
    }
    assert!(expected.len() >= 24 + 3, "{expected:?}");
    assert_eq!(found, expected);
    assert_eq!(sequence("main"), Some(rig.sequence));
    // The table is at rest for longer than the retention, and keeps its history.
    rig.pass(RETENTION * 3);
    rig.commit("INSERT INTO still VALUES (2)");
    rig.snapshot();
    rig.pass(RETENTION * 2);
    sweep_now(&rig);
    let (document, keys) = (rig.latest(), rig.keys());
    let table = document.tables.iter().find(|table| table.shape.name == "t").expect("the table");
    for version in &table.versions {
        for name in files_of(&rig, &version.manifest_list) {
            assert!(keys.contains(&name), "{name} is named by a manifest");
        }
    }
    rig.commit("UPDATE t SET data = 'small' WHERE id = 4000");
    let (states, bytes) = (table.versions.len(), rig.plan().bytes());
    assert!(bytes < 64 << 10, "a changed row in a table with {states} states: {bytes} bytes");
}

/// The manifests that a manifest list names, and the data and delete files that they name.
pub(super) fn files_of(rig: &Rig, manifest_list: &str) -> Vec<String> {
    use iceberg::spec::{FormatVersion, Manifest, ManifestList};
    let get = |key: &str| {
        block_on(rig.bucket.get(&Key::new(key)))
            .expect("an answer")
            .unwrap_or_else(|| panic!("{key} is there"))
            .bytes
    };
    let relative = |uri: &str| {
        uri.strip_prefix(&format!("{}/", rig.location)).expect("an absolute URI").to_owned()
    };
    let list = format!("{}/snapshots/{manifest_list}", rig.prefix());
    let mut names = vec![list.clone()];
    for line in
        ManifestList::parse_with_version(&get(&list), FormatVersion::V2).expect("a list").entries()
    {
        let manifest = relative(&line.manifest_path);
        let entries = Manifest::parse_avro(&get(&manifest)).expect("a manifest");
        names.push(manifest);
        names.extend(
            entries
                .entries()
                .iter()
                .filter(|entry| entry.is_alive())
                .map(|entry| relative(entry.file_path())),
        );
    }
    names
}

#[test]
fn manifests_name_exactly_the_files_that_the_description_names() {
    let mut rig = busy();
    for id in 0..12 {
        rig.commit(&format!("UPDATE t SET data = 'x' WHERE id % 500 = {id}"));
        rig.snapshot();
        for table in &rig.latest().tables {
            let mut described: Vec<String> = table
                .files()
                .map(|file| format!("{}/snapshots/{}", rig.prefix(), file.key))
                .collect();
            let mut named: Vec<String> = files_of(&rig, &table.version().manifest_list)
                .into_iter()
                .filter(|name| name.ends_with(".parquet"))
                .collect();
            described.sort();
            named.sort();
            assert_eq!(described, named);
        }
    }
}

#[test]
fn leftovers_of_failed_uploads_go_after_an_hour() {
    let mut rig = busy();
    rig.commit("INSERT INTO still VALUES (2)");
    let plan = rig.plan();
    let bucket = Arc::clone(&rig.bucket);
    block_on(upload(&*bucket, &plan)).expect("an upload");
    let left = plan.files().len();
    rig.tracker.abandon(plan);
    rig.pass(Duration::from_secs(1800));
    assert_eq!(sweep_now(&rig), Swept::default());
    rig.pass(Duration::from_secs(1801));
    assert_eq!(sweep_now(&rig), Swept { snapshots: 0, files: left });
    rig.check();
}

#[test]
fn a_plan_that_took_too_long_is_not_published() {
    let mut rig = busy();
    let begun = Moment::now(Part::Files, &*rig.bucket, &*rig.clock);
    rig.pass(Duration::from_secs(3600));
    let plan = rig.plan();
    assert!(rig.try_publish(plan, begun).is_err());
}
