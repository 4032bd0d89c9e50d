//! Rows by their keys, without a restore.

use std::collections::BTreeSet;

use super::super::lookup::{partial, rows};
use super::super::query::answer;
use super::super::state::state;
use super::*;
use crate::RowQuery;
use crate::change::Value;
use crate::error::ErrorKind;
use crate::testing::{Operation, RecordingBucket};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A server that makes a snapshot only when it is told to, after the first.
async fn server(world: &World) -> Engine {
    let app = App::new().class("Runs", || Runs);
    let started = Engine::start(app, Settings::default(), world.components(1)).await;
    started.expect("memory passes the probe")
}

/// Tables of all kinds of keys, each with a file that is not read as a whole.
const TABLES: [(&str, &str, &[&str]); 6] = [
    ("named", "(id TEXT COLLATE NOCASE PRIMARY KEY, v, n REAL)", &["id"]),
    ("numbered", "(k INTEGER PRIMARY KEY, v, n)", &["k"]),
    ("paired", "(a TEXT, v, b INT, n, PRIMARY KEY(b, a)) WITHOUT ROWID", &["b", "a"]),
    ("rowed", "(v, n)", &["rowid"]),
    ("versioned", "(id TEXT, branch TEXT, v, n)", &["id", "branch"]),
    ("loose", "(k UNIQUE, v, n)", &["k"]),
];

const NUMBERS: &str =
    "WITH RECURSIVE x(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM x WHERE i < 3000) INSERT INTO";

fn creation() -> String {
    let tables: Vec<String> =
        TABLES.iter().map(|(name, columns, _)| format!("CREATE TABLE {name}{columns};")).collect();
    let noise = "hex(randomblob(20))";
    format!(
        "{} CREATE INDEX by_branch ON versioned(id, branch); CREATE INDEX by_value ON versioned(v); \
         {NUMBERS} named SELECT 'Key-' || i, {noise}, i FROM x; \
         {NUMBERS} numbered SELECT i * 3 - 50, {noise}, i FROM x; \
         {NUMBERS} paired SELECT 'key ' || (i % 7), {noise}, i / 7, i FROM x; \
         {NUMBERS} rowed SELECT {noise}, i FROM x; \
         {NUMBERS} versioned SELECT 'id ' || (i % 1000), iif(i % 2, 'main', 'other'), {noise}, i FROM x; \
         {NUMBERS} loose SELECT CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i + 0.5 WHEN 2 THEN 'k' || i ELSE CAST('k' || i AS BLOB) END, {noise}, i FROM x",
        tables.concat()
    )
}

/// What may happen to the tables, with numbers that a seed chooses.
fn change(step: u64, table: &str) -> String {
    let set = "n = CASE n % 5 WHEN 0 THEN 'no number' WHEN 1 THEN -0.0 WHEN 2 THEN 9e999 WHEN 3 THEN X'00ff' END";
    match step % 7 {
        0 => format!("DELETE FROM {table} WHERE n % 13 = {}", step % 13),
        1 => format!("UPDATE {table} SET {set} WHERE n % 29 = {}", step % 29),
        2 => format!("UPDATE {table} SET v = 'changed by {step}' WHERE n = {}", step % 3000),
        3 => format!(
            "INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE n % 101 = {}",
            step % 101
        ),
        4 => format!(
            "UPDATE OR REPLACE {table} SET {0} = {0} || 'x' WHERE n = {1}",
            "v",
            step % 3000
        ),
        5 => format!("DELETE FROM {table} WHERE n BETWEEN {0} AND {0} + 40", step % 2900),
        _ => format!("UPDATE {table} SET n = n + 0.5 WHERE n > {}", 2980 + step % 20),
    }
}

/// Looks up some keys of each table, and one that is not there. Returns how many needed no restore.
async fn compare(inspection: &Inspection, object: &ObjectId, seed: u64) -> usize {
    let (runtime, log) = (inspection.runtime(), inspection.runtime().log(object).expect("a log"));
    let mut whole = state(runtime, &log, None).await.expect("the object can be restored");
    whole.begin(runtime, object).await.expect("there is memory");
    let mut all = |sql: String| {
        let cursor = whole.ask(&sql, Vec::new()).expect("a good statement");
        answer(cursor, 100_000).expect("the rows can be read")
    };
    let mut found_in_files = 0;
    for (name, _, key) in TABLES {
        let names =
            all(format!("SELECT name FROM sqlite_schema WHERE name IN ('{name}', 'new_{name}')"));
        let Value::Text(table) = &names.rows[0][0] else { panic!("a name") };
        let table = String::from_utf8_lossy(table).into_owned();
        let state = all(format!("SELECT {}, * FROM {table}", key.join(", ")));
        let columns = &state.columns[key.len()..];
        let step = 1 + state.rows.len() / 3;
        let chosen = state.rows.iter().skip(seed as usize % step).step_by(step);
        let mut keys: Vec<Vec<Value>> = chosen.map(|row| row[..key.len()].to_vec()).collect();
        keys.push(vec![Value::Integer(3_000_002); key.len()]);
        for (number, key) in keys.into_iter().enumerate() {
            let query = RowQuery { table: table.clone(), key: key.clone() };
            if number == 0 {
                let found = partial(runtime, &log, &query, 0).await.expect("the bucket answers");
                found_in_files += usize::from(found.is_some());
            }
            let answer = rows(runtime, &log, &query, 0).await.expect("the bucket answers");
            let same = |row: &&Vec<Value>| row[..key.len()] == key;
            let own = state.rows.iter().filter(same).map(|row| format!("{:?}", &row[key.len()..]));
            let expected: BTreeSet<String> = own.collect();
            let rows: BTreeSet<String> = answer.rows.iter().map(|row| format!("{row:?}")).collect();
            assert_eq!(rows, expected, "{table} {key:?}, seed {seed}");
            assert_eq!(&answer.columns[..], columns);
        }
    }
    found_in_files
}

#[tokio::test]
async fn a_lookup_finds_what_a_restore_finds() {
    let world = World::new();
    let one = object("Runs", "one");
    let engine = server(&world).await;
    run(&engine, &one, &creation()).await;
    let inspection = world.inspection().await;
    let tables = TABLES.len();
    engine.administration().snapshot_now(&one).await.expect("a snapshot");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..2 {
        for (name, ..) in TABLES {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            run(&engine, &one, &change(random >> 33, name)).await;
        }
        let found = compare(&inspection, &one, random >> 40).await;
        assert_eq!(found, tables, "in files, and in the records after them");
        if round == 0 {
            engine.administration().snapshot_now(&one).await.expect("a snapshot");
        }
    }
    let schema = "ALTER TABLE named RENAME TO new_named; ALTER TABLE rowed ADD COLUMN more DEFAULT 7; \
                  ALTER TABLE versioned DROP COLUMN n; ALTER TABLE numbered RENAME COLUMN v TO w";
    run(&engine, &one, schema).await;
    assert_eq!(compare(&inspection, &one, random).await, 0, "the schema has changed");
    engine.administration().snapshot_now(&one).await.expect("a snapshot");
    assert_eq!(compare(&inspection, &one, random).await, tables, "in files again");
}

#[tokio::test]
async fn keys_are_compared_as_sqlite_compares_them() {
    let world = World::new();
    let one = object("Runs", "one");
    let engine = server(&world).await;
    run(&engine, &one, &creation()).await;
    engine.administration().snapshot_now(&one).await.expect("a snapshot");
    let inspection = world.inspection().await;
    let (runtime, log) = (inspection.runtime(), inspection.runtime().log(&one).expect("a log"));
    for (table, key, count) in [
        ("named", vec![text("kEY-17")], 1),
        ("named", vec![text("Key-17 ")], 0),
        ("named", vec![Value::Null], 0),
        ("numbered", vec![text("10")], 1),
        ("numbered", vec![Value::Real(10.0)], 1),
        ("numbered", vec![text("1e1")], 1),
        ("numbered", vec![text("ten")], 0),
        ("paired", vec![text("2"), text("key 1")], 1),
        ("versioned", vec![text("id 7"), text("main")], 3),
        ("loose", vec![Value::Integer(8)], 1),
        ("loose", vec![Value::Real(8.0)], 1),
        ("loose", vec![text("8")], 0),
        ("loose", vec![Value::Blob("k3".into())], 1),
        ("loose", vec![text("k3")], 0),
    ] {
        let query = RowQuery { table: table.to_owned(), key };
        let answer = rows(runtime, &log, &query, 0).await.expect("an answer");
        assert_eq!(answer.rows.len(), count, "{query:?}");
    }
    for (table, key, expected) in [
        ("none", vec![text("a")], "no such table: none"),
        ("paired", vec![text("a")], "for each of b, a, the key"),
        ("named", vec![], "for each of id, the key"),
    ] {
        let query = RowQuery { table: table.to_owned(), key };
        let error = inspection.rows(&one, query).await.expect_err("no such key");
        assert!(error.message().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let query = RowQuery { table: "named".to_owned(), key: vec![text("a")] };
    let error = inspection.rows(&object("Runs", "never"), query).await.expect_err("no object");
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NO_SUCH_OBJECT"));
}

/// A damaged byte is found where it is read, and never gives another row.
#[tokio::test]
async fn damaged_files_are_errors() {
    let world = World::new();
    let one = object("Runs", "one");
    let engine = server(&world).await;
    run(&engine, &one, &creation()).await;
    engine.administration().snapshot_now(&one).await.expect("a snapshot");
    let inspection = world.inspection().await;
    let (runtime, log) = (inspection.runtime(), inspection.runtime().log(&one).expect("a log"));
    let query = RowQuery { table: "named".to_owned(), key: vec![text("Key-1717")] };
    let expected = rows(runtime, &log, &query, 0).await.expect("an answer");
    assert_eq!(expected.rows.len(), 1);
    let is_data = |key: &&Key| key.as_str().contains("/named/data/");
    let keys = world.keys(&one).await;
    let key = keys.iter().find(is_data).expect("a data file");
    let whole = world.bucket.get(key).await.expect("memory").expect("it is listed").bytes;
    let mut refused = 0;
    for at in (0..whole.len()).step_by(whole.len() / 16) {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 0x10;
        world.put(key.as_str(), damaged).await;
        match rows(runtime, &log, &query, 0).await {
            Ok(answer) => assert_eq!(answer.rows, expected.rows, "byte {at}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 2, "{refused} damaged bytes were read");
    for short in [whole.slice(..whole.len() - 1), whole.slice(..100), whole.slice(..0)] {
        world.put(key.as_str(), short).await;
        let error = rows(runtime, &log, &query, 0).await.expect_err("it is cut");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

/// The listing and the hint, the end of the file and the record, the index, the pages.
#[tokio::test]
async fn a_lookup_is_few_requests() {
    let world = World::new();
    let one = object("Runs", "one");
    let engine = server(&world).await;
    run(&engine, &one, &creation()).await;
    engine.administration().snapshot_now(&one).await.expect("a snapshot");
    run(&engine, &one, "UPDATE named SET v = 'new' WHERE id = 'Key-6'").await;
    let recording = Arc::new(RecordingBucket::around(world.bucket.clone()));
    let components = Components::of_test(recording.clone(), world.clock.clone(), 2);
    let settings = Settings { upkeep: Upkeep::OnDemand, ..Settings::default() };
    let passive = Engine::start(App::new(), settings, components).await;
    let inspection = passive.expect("memory passes the probe").inspection();
    let (runtime, log) = (inspection.runtime(), inspection.runtime().log(&one).expect("a log"));
    for (table, key, data) in
        [("named", text("Key-5"), 2..12), ("numbered", Value::Integer(10), 2..11)]
    {
        recording.take_recorded();
        let query = RowQuery { table: table.to_owned(), key: vec![key] };
        assert_eq!(rows(runtime, &log, &query, 0).await.expect("an answer").rows.len(), 1);
        let recorded = recording.take_recorded();
        let of = |part: &str| recorded.iter().filter(|one| one.key.as_str().contains(part)).count();
        assert_eq!((of("/log"), of("/snapshots/latest")), (2, 1), "{recorded:?}");
        assert!(data.contains(&of(&format!("/{table}/data/"))), "{recorded:?}");
        assert_eq!(of("/data/"), of(&format!("/{table}/data/")), "no other table");
        assert!(
            recorded.iter().all(|one| [Operation::Get, Operation::List].contains(&one.operation))
        );
    }
}
