//! What other people's engines read from the tables' files, now and as they were, is what SQLite
//! has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotdo_core::testing::{CountingRandom, ManualClock};
use dotdo_core::{
    App, Bucket, Checkpoint, CheckpointMode, Clock, Components, Engine, Inline, Key, Settings,
    StoreConfig,
};
use dotdo_core::{SharedBucket, Tenant, Value};
use dotdo_tests::sql_object::{Database, SqlObject, ask};
use dotdo_tests::{Reader, Seaweed, scratch, unique};
use serde_json::{Value as Json, json};

/// Rows as texts, each with its columns in order; the rows are sorted.
type Rows = Vec<String>;
/// A table's rows as column names and values.
type Named = Vec<BTreeMap<String, Value>>;

#[tokio::test(flavor = "multi_thread")]
async fn engines_read_a_folder_as_sqlite_does() {
    let folder = scratch();
    compare(StoreConfig::Folder { path: folder.path().join("state") }, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_read_s3_as_sqlite_does() {
    let seaweed = Seaweed::shared();
    compare(seaweed.config(&format!("readers-{}", unique().simple())), &seaweed.environment())
        .await;
}

/// A request each. Columns with NUMERIC affinity have names that begin with `num`; `gen` is
/// generated.
fn history() -> Vec<Vec<String>> {
    let numbers =
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2500)";
    let every = "(1, 9223372036854775807, 1.5, 'text', X'00ff', 12, 1.25, 'date', 1, 'any', 'none'), \
        (2, -9223372036854775808, -0.0, '', X'', 9007199254740993, 9e999, 5, 'yes', 7, X'61'), \
        (3, 'no number', 'no real', CAST(X'ff80' AS TEXT), 'no blob', X'01', 'x', 2.5, NULL, NULL, 1e300), \
        (4, 1.5, 9007199254740993, 'ü\"''', 5, -9e999, 3.0, NULL, 0, 2.5, -1), (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";
    let mut requests = vec![
        vec![
            "CREATE TABLE kinds(k INTEGER PRIMARY KEY, i BIGINT, r DOUBLE, x VARCHAR(9), b BLOB, num1 NUMERIC, num2 DECIMAL(9,2), \
             num3 DATETIME, num4 BOOLEAN, a ANY, u, gen AS (k * 2) STORED)"
                .to_owned(),
            format!("INSERT INTO kinds(k, i, r, x, b, num1, num2, num3, num4, a, u) VALUES {every}"),
            "CREATE TABLE \"order\"(\"from\" TEXT, \"to\" INTEGER)".to_owned(),
            "INSERT INTO \"order\" VALUES ('here', 1), ('there', 'far')".to_owned(),
            "CREATE TABLE w(k TEXT, o INT, v REAL, PRIMARY KEY(k, o)) STRICT, WITHOUT ROWID".to_owned(),
            "INSERT INTO w VALUES ('a', 1, 1), ('b', 2, -0.0)".to_owned(),
            "CREATE TABLE large(k INTEGER PRIMARY KEY, v TEXT, n)".to_owned(),
            format!("{numbers} INSERT INTO large SELECT i, 'row ' || i, i FROM n"),
            "CREATE TABLE empty(a, b)".to_owned(),
            "CREATE TABLE reserved(\"_file\" TEXT, _POS INT, _row_id INT, _partition TEXT, _last_updated_sequence_number INT)".to_owned(),
            "INSERT INTO reserved VALUES ('mine', 2, 3, 'mine too', NULL)".to_owned(),
            "CREATE VIRTUAL TABLE ft USING fts5(body)".to_owned(),
            "INSERT INTO ft VALUES ('words to find')".to_owned(),
        ],
        vec![
            "UPDATE large SET v = X'0102', n = k * 0.5 WHERE k % 300 = 7".to_owned(),
            "DELETE FROM large WHERE k BETWEEN 100 AND 120".to_owned(),
            "UPDATE kinds SET i = 'changed', num1 = 1e15 WHERE k = 1".to_owned(),
            "UPDATE \"order\" SET rowid = 77 WHERE \"to\" = 1".to_owned(),
        ],
        vec![
            "ALTER TABLE large ADD COLUMN more REAL".to_owned(),
            "UPDATE large SET more = 1.25 WHERE k < 9".to_owned(),
            "ALTER TABLE w ADD COLUMN \"new one\" TEXT DEFAULT 'filled'".to_owned(),
            "INSERT INTO w VALUES ('c', 3, 9e999, NULL)".to_owned(),
        ],
        vec!["ALTER TABLE large RENAME COLUMN v TO renamed".to_owned(), "DELETE FROM kinds WHERE k = 2".to_owned()],
    ];
    // Small files pile up until they are merged.
    for round in 0..14 {
        requests.push(vec![
            format!("INSERT INTO large(k, renamed, n) SELECT 10000 + {round} * 100 + k, 'round {round}', NULL FROM large WHERE k < 40"),
            format!("UPDATE large SET n = {round} WHERE k % 97 = {round}"),
        ]);
    }
    requests.push(vec!["DELETE FROM large WHERE k % 3 > 0".to_owned(), "DELETE FROM w".to_owned()]);
    requests
}

/// Runs the history on an engine and on a SQLite of its own, and compares what the readers see of
/// each table at each of its snapshots.
async fn compare(config: StoreConfig, environment: &[(&str, String)]) {
    let bucket = dotdo_tests::open(&config).expect("the store is good");
    let states = write(&config, &history()).await;
    let tables = tables(bucket.as_ref()).await;
    let mut wanted = Vec::new();
    for (address, metadata) in &tables {
        let versions = metadata["snapshots"].as_array().expect("a list");
        wanted.push((address, metadata, versions.last().expect("a snapshot"), None));
        let is_newest = tables
            .range(address.clone()..)
            .skip(1)
            .all(|(_, other)| other["table-uuid"] != metadata["table-uuid"]);
        let older = if is_newest { &versions[..versions.len() - 1] } else { &[] };
        wanted.extend(
            older
                .iter()
                .map(|version| (address, metadata, version, version["snapshot-id"].as_i64())),
        );
    }
    assert!(
        wanted.len() >= tables.len() + 9 && tables.len() > 30,
        "{} tables, {} to read",
        tables.len(),
        wanted.len()
    );
    let batch: Vec<(String, Option<i64>)> =
        wanted.iter().map(|(address, _, _, snapshot)| ((*address).clone(), *snapshot)).collect();
    for reader in Reader::ALL {
        let answers = reader.read_all(&batch, environment);
        assert_eq!(answers.len(), wanted.len());
        for ((_, metadata, version, snapshot), answer) in wanted.iter().zip(&answers) {
            let name = metadata["properties"]["dotdo.table"].as_str().expect("a name");
            let at = version["summary"]["dotdo.sequence"]
                .as_str()
                .and_then(|text| text.parse::<usize>().ok())
                .expect("a number");
            let expected = &states[at - 1][name];
            let (columns, found) = seen(answer, metadata, version);
            assert_eq!(
                rows(expected, &columns),
                rows(&found, &columns),
                "{reader:?}: {name} at {snapshot:?}, record {at}"
            );
        }
    }
}

/// Every request makes a record and a snapshot; what each table held after each of them.
pub(super) async fn write(
    config: &StoreConfig,
    history: &[Vec<String>],
) -> Vec<BTreeMap<String, Named>> {
    let clock = Arc::new(ManualClock::new());
    let (instance, random) = (unique(), Arc::new(CountingRandom::starting_at(1)));
    let bucket = dotdo_core::open(config, instance, clock.clone(), random.clone())
        .expect("the store is good");
    let settings = Settings {
        checkpoint: Checkpoint { mode: CheckpointMode::EveryRequest, ..Checkpoint::default() },
        ..Settings::default()
    };
    let components = Components {
        buckets: Arc::new(SharedBucket(bucket)),
        clock: clock.clone() as Arc<dyn Clock>,
        random,
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance,
    };
    let engine = Engine::start(App::new().class("Sql", || SqlObject), settings, components)
        .await
        .expect("the store is good");
    let object = Tenant::local().object("Sql", "read by others").expect("these are names");
    let mut model =
        rusqlite::Connection::open_in_memory().expect("SQLite opens a database in memory");
    let mut states = Vec::new();
    for statements in history {
        let body: Vec<Json> = statements.iter().map(|sql| json!([sql])).collect();
        ask(&engine, &object, "/", &body.into()).await.expect("the statements are good");
        model.execute_batch(&statements.join(";")).expect("the statements are good");
        states.push(state(&mut model));
        clock.advance(Duration::from_secs(1));
    }
    engine.shutdown(Duration::from_secs(60)).await;
    states
}

fn state(model: &mut rusqlite::Connection) -> BTreeMap<String, Named> {
    let (_, names) =
        model.query("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("a schema");
    let mut state = BTreeMap::new();
    for name in names.iter().flatten() {
        let Value::Text(name) = name else { panic!("names are text") };
        let name = String::from_utf8_lossy(name).into_owned();
        let with_rowid = model.query(&format!("SELECT rowid AS _dotdo_rowid, * FROM \"{name}\""));
        let (columns, rows) = with_rowid
            .or_else(|_| model.query(&format!("SELECT * FROM \"{name}\"")))
            .expect("a table");
        let columns = columns.iter().map(|name| match &*name.to_lowercase() {
            "_file" | "_pos" | "_row_id" | "_partition" | "_last_updated_sequence_number" => {
                format!("{name}_2")
            }
            _ => name.clone(),
        });
        let columns: Vec<String> = columns.collect();
        let named = rows.into_iter().map(|row| columns.iter().cloned().zip(row).collect());
        state.insert(name, named.collect());
    }
    state
}

/// Every metadata file: its address and what it says. Those of later snapshots sort behind those of
/// earlier ones.
pub(super) async fn tables(bucket: &dyn Bucket) -> BTreeMap<String, Json> {
    let entries = bucket.list(&Key::new("local"), None, 10_000).await.expect("a listing");
    let mut tables = BTreeMap::new();
    for key in entries
        .iter()
        .map(|entry| &entry.key)
        .filter(|key| key.as_str().ends_with(".metadata.json"))
    {
        let stored = bucket.get(key).await.expect("an answer").expect("a listed key");
        tables.insert(
            format!("{}/{key}", bucket.location()),
            serde_json::from_slice(&stored.bytes).expect("JSON"),
        );
    }
    tables
}

/// The columns and rows that a reader saw, with the exact values put in their places.
fn seen(answer: &Json, metadata: &Json, version: &Json) -> (Vec<String>, Named) {
    let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
    let schema = list(&metadata["schemas"])
        .into_iter()
        .find(|schema| schema["schema-id"] == version["schema-id"])
        .expect("its schema");
    let names: BTreeMap<String, String> = list(&schema["fields"])
        .iter()
        .map(|field| {
            (field["id"].to_string(), field["name"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    let columns: Vec<String> = list(&answer["columns"])
        .iter()
        .map(|name| name.as_str().unwrap_or_default().to_owned())
        .collect();
    let rows = list(&answer["rows"]);
    let rows = rows.iter().map(|row| {
        let mut named: BTreeMap<String, Value> =
            columns.iter().cloned().zip(list(row).iter().map(value)).collect();
        let exact = named.remove("_dotdo_exact").expect("the column of exact values");
        for (_, value) in named.iter_mut().filter(|(column, _)| column.starts_with("num")) {
            normalize(value);
        }
        if let Value::Text(text) = exact {
            let exact: BTreeMap<String, Json> =
                serde_json::from_slice(&text).expect("exact values are JSON");
            named.extend(
                exact.iter().map(|(field, value)| (names[field].clone(), exact_value(value))),
            );
        }
        named
    });
    let rows = rows.collect();
    (columns.into_iter().filter(|column| column != "_dotdo_exact").collect(), rows)
}

/// A whole double in a NUMERIC column stands for the integer that SQLite keeps there.
fn normalize(value: &mut Value) {
    if let Value::Real(real) = *value
        && real.fract() == 0.0
        && real.abs() <= 9_007_199_254_740_992.0
    {
        *value = Value::Integer(format!("{real:.0}").parse().expect("it is whole and not large"));
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Number(number) => Value::Integer(number.as_i64().expect("a 64-bit integer")),
        Json::String(text) => Value::Text(text.clone().into_bytes()),
        Json::Object(object) => match (object.get("real"), object.get("hex")) {
            (Some(Json::String(real)), _) => Value::Real(real.parse().expect("a number")),
            (_, Some(Json::String(hex))) => {
                let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
                Value::Blob((0..hex.len()).step_by(2).map(byte).collect())
            }
            _ => panic!("{json} is no value"),
        },
        other => panic!("{other} is no value"),
    }
}

fn exact_value(json: &Json) -> Value {
    let (class, value) =
        json.as_object().and_then(|object| object.iter().next()).expect("a class and a value");
    let text = value.as_str().expect("a text");
    let base64 = || STANDARD.decode(text).expect("base64");
    match class.as_str() {
        "integer" => Value::Integer(text.parse().expect("digits")),
        "real" => Value::Real(text.parse().expect("a number")),
        "text" => Value::Text(text.as_bytes().to_vec()),
        "text_base64" => Value::Text(base64()),
        "blob_base64" => Value::Blob(base64()),
        other => panic!("{other} is no class of values"),
    }
}

fn rows(named: &Named, columns: &[String]) -> Rows {
    let mut rows: Rows = named
        .iter()
        .map(|row| {
            let values = columns.iter().map(|column| {
                row.get(column).unwrap_or_else(|| panic!("{column} is in {:?}", row.keys()))
            });
            values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" | ")
        })
        .collect();
    rows.sort();
    rows
}
