//! Files of format version 1, written once and kept for good: every later program reads them.
//!
//! `tests/fixtures/v1` holds what [`history`] left behind on the day that the format was frozen,
//! and what the database held then; `tests/fixtures/v1-folders` the same with a folder for each
//! table.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo::engine::OsRandom;
use dotdo_core::testing::{ConstantRandom, ManualClock};
use dotdo_core::{
    App, Bucket, Checkpoint, CheckpointMode, Clock, Components, Engine, Inline, Key, Memory,
    ObjectId, Random,
};
use dotdo_core::{Settings, SharedBucket, StoreConfig, Tenant};
use dotdo_tests::sql_object::{SqlObject, ask, difference, dump_of};
use dotdo_tests::{scratch, unique};
use serde_json::json;
use uuid::Uuid;

/// Set to freeze a version whose folder does not exist yet.
const FREEZE: &str = "DOTDO_TEST_FREEZE";

/// What is written must not depend on how often somebody asks for randomness.
const RANDOM: ConstantRandom = ConstantRandom([7; 16]);

/// The folders of the fixtures; the last is what is written today.
const FROZEN: [&str; 2] = ["v1", "v1-folders"];

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn object() -> ObjectId {
    Tenant::local().object("Sql", "golden/ü 1").expect("these are names")
}

/// Requests whose records and snapshots show everything that the format has; the large ones come
/// last.
fn history() -> Vec<Vec<String>> {
    let requests: &[&[&str]] = &[
        &[
            "CREATE TABLE t(k INTEGER PRIMARY KEY AUTOINCREMENT, i INTEGER, r REAL, x TEXT, b BLOB, n NUMERIC, untyped, g AS (i || x))",
            "INSERT INTO t(i, r, x, b, n, untyped) VALUES (9223372036854775807, -0.0, 'ü', X'00ff', 9007199254740993, NULL)",
            "INSERT INTO t(i, r, x, b, n, untyped) VALUES ('text', -9e999, CAST(X'ff80' AS TEXT), 5, X'61', 1.5)",
            "INSERT INTO t(i, r, x, b, n, untyped) VALUES (-9223372036854775808, 1e-320, '', X'', 2.0, X'01')",
        ],
        &[
            "CREATE TABLE w(k TEXT COLLATE NOCASE, o ANY, PRIMARY KEY(k, o)) STRICT, WITHOUT ROWID",
            "INSERT INTO w VALUES ('a', 1), ('B', X'02')",
        ],
        &[
            "ALTER TABLE w RENAME TO \"from\"",
            "DELETE FROM \"from\" WHERE k = 'A'",
            "PRAGMA user_version = 11",
        ],
        &[
            "ALTER TABLE t ADD COLUMN added TEXT DEFAULT 'new'",
            "CREATE VIEW v AS SELECT k, x FROM t",
            "PRAGMA application_id = 12",
        ],
        &["ALTER TABLE t DROP COLUMN b", "CREATE INDEX by_x ON t(x) WHERE x IS NOT NULL"],
        &[
            "CREATE TRIGGER tr AFTER DELETE ON t BEGIN INSERT INTO \"from\" VALUES (old.k, 'deleted'); END",
            "DELETE FROM t WHERE k = 3",
        ],
        &["CREATE TABLE large(k INTEGER PRIMARY KEY, v)"],
    ];
    let mut requests: Vec<Vec<String>> = requests
        .iter()
        .map(|request| request.iter().map(|sql| (*sql).to_owned()).collect())
        .collect();
    let numbers =
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2050)";
    requests.push(vec![format!("{numbers} INSERT INTO large SELECT i, 'v' FROM n")]);
    requests.push(vec![
        "UPDATE large SET v = k * 0.5 WHERE k % 500 = 3".to_owned(),
        "DELETE FROM large WHERE k % 700 = 5".to_owned(),
    ]);
    requests
}

async fn engine(
    bucket: Arc<dyn Bucket>,
    random: Arc<dyn Random>,
    instance: Uuid,
    mode: CheckpointMode,
) -> Engine {
    let settings = Settings {
        checkpoint: Checkpoint { mode, min_changes: u64::MAX, ..Checkpoint::default() },
        address: Some("http://golden.example:8787".to_owned()),
        ..Settings::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let components = Components {
        buckets: Arc::new(SharedBucket(bucket)),
        clock,
        random,
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance,
    };
    Engine::start(App::new().class("Sql", || SqlObject), settings, components)
        .await
        .expect("the store is good")
}

async fn run(engine: &Engine, statements: &[String]) {
    let body: Vec<_> = statements.iter().map(|sql| json!([sql])).collect();
    ask(engine, &object(), "/", &body.into()).await.expect("the statements are good");
}

/// What this program writes for the history: every key and its bytes, and what the database holds.
async fn written_today() -> (Vec<(String, Bytes)>, Vec<String>) {
    let bucket: Arc<dyn Bucket> = Arc::new(Memory::new(Arc::new(ManualClock::new())));
    let mut content = Vec::new();
    // Snapshots at every record make many files, so some records have none.
    for (mode, part) in [
        (CheckpointMode::EveryRequest, 0..3),
        (CheckpointMode::Auto, 3..7),
        (CheckpointMode::EveryRequest, 7..9),
    ] {
        let engine =
            engine(bucket.clone(), Arc::new(RANDOM), Uuid::from_bytes([9; 16]), mode).await;
        for statements in &history()[part] {
            run(&engine, statements).await;
        }
        content = dump_of(&engine, &object(), None).await.expect("an object");
        engine.shutdown(Duration::from_secs(60)).await;
    }
    let mut files = Vec::new();
    for entry in bucket.list(&Key::new("local"), None, 1000).await.expect("a listing") {
        let stored = bucket.get(&entry.key).await.expect("an answer").expect("a listed key");
        files.push((entry.key.to_string(), stored.bytes));
    }
    (files, content)
}

/// The frozen files, by key.
fn frozen(name: &str) -> Vec<(String, Bytes)> {
    let root = fixtures(name).join("state");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
            let path = entry.expect("a name").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path
                    .strip_prefix(&root)
                    .expect("a path below")
                    .to_str()
                    .expect("keys are ASCII")
                    .to_owned();
                files.push((key, std::fs::read(path).expect("a file").into()));
            }
        }
    }
    files.sort();
    files
}

fn expected(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(fixtures(name).join("content.txt"))
        .expect("the fixtures are there");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_new_version_is_frozen_once() {
    if std::env::var_os(FREEZE).is_none() {
        return;
    }
    let fixtures = fixtures(FROZEN[FROZEN.len() - 1]);
    assert!(!fixtures.exists(), "what was frozen never changes");
    let (files, content) = written_today().await;
    for (key, bytes) in files {
        let path = fixtures.join("state").join(key);
        std::fs::create_dir_all(path.parent().expect("a key has folders")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    std::fs::write(fixtures.join("content.txt"), content.join("\n") + "\n").expect("a file");
}

/// They were written for another place, which does not matter, and the object goes on from them.
#[tokio::test]
async fn version_1_is_restored_wherever_it_lies_and_goes_on() {
    for name in FROZEN {
        goes_on(name).await;
    }
}

async fn goes_on(name: &str) {
    let folder = scratch();
    let config = StoreConfig::Folder { path: folder.path().to_owned() };
    for (key, bytes) in frozen(name) {
        let path = folder.path().join(key);
        std::fs::create_dir_all(path.parent().expect("a key has folders")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    let start = || async {
        let instance = unique();
        let (clock, random) = (Arc::new(ManualClock::new()), Arc::new(OsRandom));
        let bucket = dotdo_core::open(&config, instance, clock, random.clone()).expect("a folder");
        engine(bucket, random, instance, CheckpointMode::Auto).await
    };
    let first = start().await;
    let restored = dump_of(&first, &object(), None).await.expect("version 1 is read");
    assert_eq!(difference(&expected(name), &restored), None);
    run(&first, &["DELETE FROM large WHERE k = 7".to_owned()]).await;
    first.shutdown(Duration::from_secs(60)).await;
    let second = start().await;
    let found = dump_of(&second, &object(), None).await.expect("an object");
    let without: Vec<String> = expected(name)
        .into_iter()
        .filter(|line| line != "integer 7 | integer 7 | text \"v\"")
        .collect();
    assert_eq!(without.len() + 1, expected(name).len());
    assert_eq!(difference(&without, &found), None);
}

/// The newest record leads to the snapshots too, and every record can be gone back to.
#[tokio::test]
async fn version_1_is_restored_without_the_hint_and_at_every_record() {
    for name in FROZEN {
        restored_at_every_record(name).await;
    }
}

async fn restored_at_every_record(name: &str) {
    let bucket: Arc<dyn Bucket> = Arc::new(Memory::new(Arc::new(ManualClock::new())));
    for (key, bytes) in frozen(name).into_iter().filter(|(key, _)| !key.ends_with("/latest")) {
        bucket.put(&Key::new(key), bytes).await.expect("a write");
    }
    let engine = engine(bucket, Arc::new(OsRandom), unique(), CheckpointMode::Auto).await;
    for sequence in 1..=12 {
        let at = Some(dotdo_core::At::Sequence(sequence));
        dump_of(&engine, &object(), at)
            .await
            .unwrap_or_else(|error| panic!("record {sequence}: {error:?}"));
    }
    let restored = dump_of(&engine, &object(), None).await.expect("version 1 is read");
    assert_eq!(difference(&expected(name), &restored), None);
}

/// Only records that no library compresses: another version of it may pack the same bytes in
/// another way.
#[tokio::test]
async fn today_s_records_are_the_same_bytes() {
    let (today, content) = written_today().await;
    let newest = FROZEN[FROZEN.len() - 1];
    assert_eq!(difference(&expected(newest), &content), None);
    let records = |files: Vec<(String, Bytes)>| {
        let mut records: Vec<_> =
            files.into_iter().filter(|(key, _)| key.contains("/log/")).collect();
        records.reverse();
        records.into_iter().take_while(|(_, bytes)| bytes[10] == 0).collect::<Vec<_>>()
    };
    let is_snapshot = |(key, _): &&(String, Bytes)| key.contains("/snapshots/");
    let keys = |files: &[(String, Bytes)]| {
        files.iter().filter(is_snapshot).map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&frozen(newest)), keys(&today), "files have the names that they had");
    let (frozen, today) = (records(frozen(newest)), records(today));
    assert!(frozen.len() > 2, "some records are not compressed: {}", frozen.len());
    for ((key, frozen), (other, today)) in frozen.iter().zip(&today) {
        assert_eq!(key, other);
        assert_eq!(frozen, today, "{key}: a writer of version 1 writes other bytes than it did");
    }
    assert_eq!(frozen.len(), today.len());
}
