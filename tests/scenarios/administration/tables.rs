//! Tables that the command line takes out as Parquet, as the engines of others read them.

use dotdo_tests::{Cli, Reader};
use serde_json::json;

/// Values that fit the types of their columns, and one that does not.
const SQL: &str = "CREATE TABLE kinds(i INTEGER, r REAL, t TEXT, b BLOB);
    INSERT INTO kinds VALUES (1, 1.5, 'text', X'00ff'), ('no number', NULL, 'ü', NULL);
    CREATE TABLE \"a/b\"(k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
    INSERT INTO \"a/b\" VALUES ('z', 9223372036854775807), ('a', NULL);
    CREATE TABLE empty(a)";

#[tokio::test(flavor = "multi_thread")]
async fn tables_in_parquet_are_read_by_the_engines_of_others() {
    let cli = Cli::new();
    cli.run(&["sql", "Kinds/one", "--write", SQL]).await.ok();
    cli.run(&["snapshot", "export", "Kinds/one", "-o", "one.parquet"]).await.ok();
    let path = |name: &str| cli.home().join("one.parquet").join(name).display().to_string();
    for reader in Reader::ALL {
        let kinds = reader.read(&path("kinds.parquet"), None, &[]);
        let names = json!(["i", "r", "t", "b", "_dotdo_rowid", "_dotdo_exact"]);
        assert_eq!(kinds["columns"], names, "{reader:?}");
        let exact = r#"{"3":{"text":"no number"}}"#;
        let rows = json!([
            [1, { "real": "1.5" }, "text", { "hex": "00ff" }, 1, null],
            [null, null, "ü", null, 2, exact],
        ]);
        assert_eq!(kinds["rows"], rows, "{reader:?}");
        let keyed = reader.read(&path("a%2Fb.parquet"), None, &[]);
        let rows = json!([["a", null, null], ["z", i64::MAX, null]]);
        assert_eq!(keyed["rows"], rows, "{reader:?}");
        assert_eq!(reader.read(&path("empty.parquet"), None, &[])["rows"], json!([]));
    }
}
