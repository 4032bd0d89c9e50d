//! A verification finds each damage by its key, and nothing on what is whole.

use super::*;
use crate::testing::damage::Damage;
use crate::testing::random_sql;

/// A history with snapshots on top of each other, deletes, and records after the last snapshot.
async fn write(engine: &Engine, object: &ObjectId) {
    let schema = "CREATE TABLE t(a, b TEXT); CREATE TABLE k(x PRIMARY KEY) WITHOUT ROWID; CREATE TABLE still(a);
        WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO t SELECT i, hex(i) FROM n;
        INSERT INTO k VALUES('a'), (1); INSERT INTO still VALUES(1)";
    run(engine, object, schema).await;
    run(engine, object, "DELETE FROM t WHERE a < 4; INSERT INTO k VALUES('b')").await;
    run(engine, object, "INSERT INTO t VALUES('x', 'y')").await;
}

/// Whether a damage can be seen. Hints may be missing, and `lock` has no checksum. Which files are
/// gone only a manifest of theirs says, at its end. A record or a
/// snapshot that is missing looks like one that was deleted after the retention, unless it is the
/// newest.
fn is_seen(key: &Key, damage: Damage, newest: &[&Key]) -> bool {
    let (name, is_hint) = (key.as_str(), ["/lock", "/latest"]);
    let is_hint = is_hint.iter().any(|hint| name.ends_with(hint));
    let is_deletable = name.contains("/log/") || name.ends_with("/snapshot.json");
    match damage {
        Damage::Deleted => !is_hint && (!is_deletable || newest.contains(&key)),
        Damage::Flipped(99) => !name.ends_with("/lock") && !name.ends_with("-data.avro"),
        Damage::Flipped(_) => !name.ends_with("/lock"),
        _ => true,
    }
}

#[tokio::test]
async fn each_damage_to_each_key_is_found_by_its_key() {
    let world = World::new();
    let (one, two) = (object("Runs", "one"), object("Runs", "two"));
    let engine = world.server().await;
    write(&engine, &one).await;
    write(&engine, &two).await;
    engine.shutdown(Duration::from_secs(5)).await;
    let inspection = world.inspection().await;
    assert_eq!(verified(&inspection, &one).await.0, Vec::<String>::new());
    let (keys, others) = (world.keys(&one).await, world.keys(&two).await);
    assert_eq!(keys.len(), others.len(), "both have the same history");
    let record = keys.iter().find(|key| key.as_str().contains("/log/")).expect("a record");
    let snapshot = keys.iter().rfind(|key| key.as_str().ends_with("/snapshot.json"));
    let newest = [record, snapshot.expect("a snapshot")];
    let mut missed = Vec::new();
    for (key, other) in keys.iter().zip(&others) {
        let content =
            async |key| world.bucket.get(key).await.expect("memory").expect("a key").bytes;
        let (whole, theirs) = (content(key).await, content(other).await);
        for damage in Damage::ALL {
            if damage == Damage::Exchanged && whole == theirs {
                continue;
            }
            match damage.of(&whole, &theirs) {
                Some(bytes) => world.put(key.as_str(), bytes).await,
                None => world.bucket.delete(std::slice::from_ref(key)).await.expect("memory"),
            }
            let found = match inspection.verify(&one).await {
                Ok(_) => verified(&inspection, &one).await.0,
                Err(error) => panic!("{key} {damage:?}: {error:?}"),
            };
            if is_seen(key, damage, &newest) && !found.contains(&key.to_string()) {
                missed.push(format!("{key} {damage:?}: {found:?}"));
            }
        }
        world.put(key.as_str(), whole).await;
    }
    assert!(missed.is_empty(), "{} damages were not found:\n{}", missed.len(), missed.join("\n"));
    assert_eq!(verified(&inspection, &one).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn a_snapshot_that_differs_from_its_records_is_found() {
    let world = World::new();
    let (one, two) = (object("Runs", "one"), object("Runs", "two"));
    let engine = world.server().await;
    write(&engine, &one).await;
    write(&engine, &two).await;
    engine.shutdown(Duration::from_secs(5)).await;
    let marker = one.prefix().join("snapshots/differs");
    world.put(marker.as_str(), "the snapshot x differs\n").await;
    let inspection = world.inspection().await;
    assert_eq!(verified(&inspection, &one).await.0, [marker.to_string()]);
    assert!(verified(&inspection, &two).await.0.is_empty(), "the other object is whole");
}

#[tokio::test]
async fn nothing_is_found_on_a_thousand_healthy_objects() {
    let world = World::new();
    let engine = world.server().await;
    let mut seed = 7_u32;
    let mut next = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    let mut objects = Vec::new();
    for number in 0..1000 {
        let object = object("Runs", &format!("n{number}"));
        let choices: Vec<u32> = (0..random_sql::CHOICES_MAX / 32).map(|_| next()).collect();
        for transaction in random_sql::script(&choices) {
            // Some of them fail, and are rolled back.
            let request = Request::new(transaction.join(";").into());
            let _may_fail = engine.fetch(&object, None, request).await;
        }
        run(&engine, &object, "CREATE TABLE IF NOT EXISTS last(a); INSERT INTO last VALUES(1)")
            .await;
        objects.push(object);
    }
    engine.shutdown(Duration::from_secs(60)).await;
    let inspection = world.inspection().await;
    for object in objects {
        let (faults, checked) = verified(&inspection, &object).await;
        assert!(faults.is_empty() && checked > 3, "{object}: {faults:?}, {checked} checked");
    }
}
