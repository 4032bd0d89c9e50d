//! Engines skip files that a filter excludes, and find what SQLite finds.

use dotdo_core::{StoreConfig, Value};
use dotdo_tests::sql_object::Database as _;
use dotdo_tests::{Reader, scratch};
use serde_json::{Value as Json, json};

use crate::readers::{tables, write};

/// Values in order, each once: what SQLite can say of them, and how the readers are asked.
fn values() -> Vec<(&'static str, String, Json)> {
    let real = |sql: &str, text: &str| ("r", sql.to_owned(), json!({ "real": text }));
    let integer = |value: i64| ("i", value.to_string(), json!(value));
    let text = |text: &str| ("t", format!("'{text}'"), json!(text));
    let blob = |bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        ("b", format!("X'{hex}'"), json!({ "hex": hex }))
    };
    let long = |begin: &str| format!("{}and more", begin.repeat(20));
    vec![
        real("-9e999", "-inf"),
        real("-0.0", "-0.0"),
        real("0.0", "0.0"),
        real("1e-300", "1e-300"),
        real("9e999", "inf"),
        // No number, which SQLite makes NULL.
        ("r", "9e999 - 9e999".to_owned(), Json::Null),
        integer(i64::MIN + 1),
        integer(-1),
        integer(i64::MAX),
        // Not of the column's type: NULL for engines.
        ("i", "'text'".to_owned(), Json::Null),
        text(""),
        text("a"),
        text(&long("a")),
        text(&long("\u{d7ff}")),
        text(&long("🦀")),
        text("\u{10ffff}"),
        text(&long("\u{10ffff}")),
        blob(b""),
        blob(&[0]),
        blob(&[7; 40]),
        blob(&[0xff; 16]),
        blob(&[0xff; 40]),
    ]
}

/// A large file, and a small one for each value, which is added by a request of its own.
fn history() -> Vec<Vec<String>> {
    let numbers =
        "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 2500)";
    let mut requests = vec![vec![
        "CREATE TABLE odd(k INTEGER PRIMARY KEY, r REAL, i INTEGER, t TEXT, b BLOB)".to_owned(),
        format!(
            "{numbers} INSERT INTO odd SELECT x, x * 0.5, x, 'row ' || x, CAST('row ' || x AS BLOB) FROM n"
        ),
    ]];
    // Few enough that files are not merged.
    let values = values();
    for (group, values) in values.chunks(values.len().div_ceil(3)).enumerate() {
        let insert = |(at, (column, sql, _)): (usize, &(&str, String, Json))| {
            format!("INSERT INTO odd(k, {column}) VALUES ({}, {sql})", (group + 1) * 10_000 + at)
        };
        requests.push(values.iter().enumerate().map(insert).collect());
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_the_same_rows_in_fewer_files() {
    let folder = scratch();
    let config = StoreConfig::Folder { path: folder.path().join("state") };
    let history = history();
    write(&config, &history).await;
    let bucket = dotdo_tests::open(&config).expect("the store is good");
    let tables = tables(bucket.as_ref()).await;
    let odd = tables.iter().filter(|(address, _)| address.contains("/odd/metadata/"));
    let metadata = odd.map(|(address, _)| address).next_back().expect("a table");
    let mut model = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
    history.iter().for_each(|statements| {
        model.execute_batch(&statements.join(";")).expect("the statements are good");
    });
    let keys =
        [5, 2500, 2501, 10_001, 20_001, 30_001].map(|key| ("k", key.to_string(), json!(key)));
    let wanted = values().into_iter().chain(keys).filter(|(_, _, json)| *json != Json::Null);
    let (mut filters, mut expected) = (Vec::new(), Vec::new());
    for (column, sql, json) in wanted {
        for operator in ["=", "<", ">="] {
            let of_type = if column == "i" { " AND typeof(i) = 'integer'" } else { "" };
            let count =
                format!("SELECT count(*) FROM odd WHERE {column} {operator} {sql}{of_type}");
            let (_, rows) = model.query(&count).expect("a count");
            let Value::Integer(count) = rows[0][0] else { panic!("a number") };
            filters.push(json!([column, operator, json]));
            expected.push(count.unsigned_abs());
        }
    }
    for reader in Reader::ALL {
        let found = reader.filter_all(metadata, &filters);
        for ((filter, expected), (count, _)) in filters.iter().zip(&expected).zip(&found) {
            assert_eq!(count, expected, "{reader:?}: {filter}");
        }
        let files: Vec<u64> = found.iter().filter_map(|(_, files)| *files).collect();
        if reader == Reader::PyIceberg {
            let all = *files.iter().max().expect("it tells");
            assert_eq!((files.len(), all), (filters.len(), history.len() as u64), "all files");
            let pruned = files.iter().filter(|files| **files < all).count();
            assert!(pruned * 3 > files.len() * 2, "{pruned} of {}", files.len());
            for (filter, files) in filters.iter().zip(&files) {
                if filter[0] == "k" && filter[1] == "=" {
                    assert!(*files <= 1, "{filter} reads {files} files");
                }
            }
        }
    }
}
