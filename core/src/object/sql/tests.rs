use serde::Deserialize;

use super::{Sql, SqlCursor};
use crate::change::Value;
use crate::sqlite::{Database, Limits, Mode};
use crate::{Error, ErrorKind, Result};

fn database() -> Database {
    let mut database = Database::new(&Limits {
        database_bytes_max: 1 << 20,
        row_bytes_max: 1 << 16,
        temporary_bytes_max: 8 << 20,
    })
    .expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    database
}

fn exec<'a>(database: &'a mut Database, sql: &str) -> SqlCursor<'a> {
    Sql::new(database).exec(sql, []).expect("the statement runs")
}

fn assert_rows_error(error: &Error, part: &str) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Handler, "UNEXPECTED_ROWS"), "{error:?}");
    assert!(error.message().contains(part), "{error:?}");
}

#[derive(Debug, PartialEq, Deserialize)]
struct Item {
    id: i64,
    name: Option<String>,
    ok: bool,
    #[serde(default)]
    price: f64,
    tags: Vec<String>,
    kind: Kind,
    raw: Vec<u8>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Plain,
    Boxed { size: u8 },
}

#[test]
fn a_row_becomes_a_struct_by_the_names_of_its_columns() {
    let mut database = database();
    let sql = "SELECT 'plain' AS kind, 1 AS id, 'n' AS name, 1 AS ok, 2 AS price, '[\"a\"]' AS tags, x'00ff' AS raw, 9 AS unknown
               UNION ALL SELECT '{\"boxed\":{\"size\":3}}', 2, NULL, 0, 0.5, '[]', x'', NULL";
    let items: Vec<Item> = exec(&mut database, sql).rows().expect("they fit");
    let first = Item {
        id: 1,
        name: Some("n".into()),
        ok: true,
        price: 2.0,
        tags: vec!["a".into()],
        kind: Kind::Plain,
        raw: vec![0, 255],
    };
    let second = Item {
        id: 2,
        name: None,
        ok: false,
        price: 0.5,
        tags: Vec::new(),
        kind: Kind::Boxed { size: 3 },
        raw: Vec::new(),
    };
    assert_eq!(items, [first, second]);
}

#[test]
fn a_row_becomes_a_tuple_or_a_scalar() {
    let mut database = database();
    let pair: (i64, Option<String>) = exec(&mut database, "SELECT 1, NULL").one().expect("it fits");
    assert_eq!(pair, (1, None));
    assert_eq!(exec(&mut database, "SELECT 5").one::<u8>().expect("it fits"), 5);
    assert_eq!(exec(&mut database, "SELECT NULL").one::<Option<i64>>().expect("it fits"), None);
    assert_eq!(exec(&mut database, "SELECT x'0102'").one::<Vec<u8>>().expect("it fits"), [1, 2]);
    assert_eq!(exec(&mut database, "SELECT 1 WHERE 0").first::<i64>().expect("it runs"), None);
    assert_eq!(
        exec(&mut database, "SELECT 7 UNION SELECT 8").first::<i64>().expect("it runs"),
        Some(7)
    );
    assert_rows_error(
        &exec(&mut database, "SELECT 1, 2").one::<i64>().expect_err("two columns"),
        "expected one column, got 2",
    );
    assert_rows_error(
        &exec(&mut database, "SELECT 1, 2").one::<(i64,)>().expect_err("two columns"),
        "expected 1 columns, got 2",
    );
    assert_rows_error(
        &exec(&mut database, "SELECT 300 AS n").one::<(u8,)>().expect_err("too large"),
        "column n",
    );
    assert_rows_error(
        &exec(&mut database, "SELECT 1.5 AS n").one::<(i64,)>().expect_err("no integer"),
        "1.5",
    );
}

#[test]
fn one_says_how_many_rows_there_are() {
    let mut database = database();
    assert_rows_error(
        &exec(&mut database, "SELECT 1 WHERE 0").one::<i64>().expect_err("no row"),
        "expected exactly one row, got 0",
    );
    assert_rows_error(
        &exec(&mut database, "VALUES (1), (2), (3)").one::<i64>().expect_err("three rows"),
        "expected exactly one row, got 3",
    );
}

#[test]
fn parameters_of_every_kind_arrive_unchanged() -> Result<()> {
    let mut database = database();
    let mut sql = Sql::new(&mut database);
    let json = serde_json::json!({ "a": 1 });
    let types = "SELECT typeof(?) || typeof(?) || typeof(?) || typeof(?) || typeof(?) || typeof(?)";
    let params = (1_u32, true, 1.5_f32, "text", vec![1_u8], None::<String>);
    let found: String = sql.reborrow().exec(types, params)?.one()?;
    assert_eq!(found, "integerintegerrealtextblobnull");
    assert_eq!(sql.reborrow().exec("SELECT ? ->> 'a'", [&json])?.one::<i64>()?, 1);
    assert_eq!(sql.reborrow().exec("SELECT ? + ?", vec![1, 2])?.one::<i64>()?, 3);
    assert_eq!(sql.reborrow().exec("SELECT ? + ?", &[1, 2][..])?.one::<i64>()?, 3);
    assert_eq!(
        sql.reborrow().exec("SELECT ?", [Value::Integer(i64::MIN)])?.one::<i64>()?,
        i64::MIN
    );
    let error = sql.reborrow().exec("SELECT ?", [u64::MAX]).err().expect("too large");
    assert!(error.message().contains("18446744073709551615"), "{error:?}");
    let error = sql.reborrow().exec("SELECT ?, ?", [1]).err().expect("one is missing");
    assert!(
        error.message().contains("expected 2 parameters for the statement, got 1"),
        "{error:?}"
    );
    let error = sql.exec("SELECT ?; SELECT ?", [1]).err().expect("the first has no parameters");
    assert!(
        error.message().contains("expected 1 parameters for the statement, got 0"),
        "{error:?}"
    );
    Ok(())
}

#[test]
fn a_statement_has_up_to_32766_parameters() -> Result<()> {
    let mut database = database();
    let mut sql = Sql::new(&mut database);
    let marks = |count: usize| format!("VALUES {}", vec!["(?)"; count].join(","));
    let numbers: Vec<i64> = (0..32_766).collect();
    let found: Vec<i64> = sql.reborrow().exec(&marks(numbers.len()), numbers.clone())?.rows()?;
    assert_eq!(found, numbers);
    let error = sql.exec(&marks(32_767), vec![0; 32_767]).err().expect("one too many");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Handler, "SQL_ERROR"), "{error:?}");
    assert!(error.message().contains("too many SQL variables"), "{error:?}");
    Ok(())
}

#[test]
fn json_is_exact_where_json_can_be() {
    let mut database = database();
    let sql = "SELECT 9223372036854775807 AS i, 9e999 AS inf, -9e999 AS neg, x'ff00' AS b, '{\"x\":1}' AS t, NULL AS n, 0.1 AS r,
                      CAST(x'61ff' AS TEXT) AS broken";
    let rows = exec(&mut database, sql).json().expect("it runs");
    let expected = serde_json::json!([{
        "i": 9_223_372_036_854_775_807_i64, "inf": "Infinity", "neg": "-Infinity", "b": "/wA=", "t": "{\"x\":1}", "n": null, "r": 0.1,
        "broken": "a\u{fffd}"
    }]);
    assert_eq!(serde_json::to_value(rows).expect("it is JSON"), expected);
}

#[test]
fn rows_read_and_written_are_counted() {
    let mut database = database();
    exec(
        &mut database,
        "CREATE TABLE t(a PRIMARY KEY); CREATE TABLE u(a); CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1); END",
    );
    let cursor = exec(&mut database, "INSERT INTO t VALUES (1), (2), (3)");
    assert_eq!((cursor.rows_written(), cursor.database_size()), (6, 4 * 2048));
    drop(cursor);
    let mut cursor = exec(&mut database, "SELECT a FROM t WHERE a + 0 = 2");
    assert_eq!(cursor.column_names(), ["a"]);
    assert_eq!(cursor.rows::<i64>().expect("it runs"), [2]);
    assert_eq!((cursor.rows_read(), cursor.rows_written()), (3, 0));
    drop(cursor);
    let mut cursor = exec(&mut database, "SELECT a FROM t WHERE a = 2");
    assert_eq!(cursor.values().expect("it runs"), [[Value::Integer(2)]]);
    assert_eq!(cursor.rows_read(), 1);
}

#[test]
fn rows_that_are_returned_are_written_even_when_nobody_reads_them() {
    let mut database = database();
    exec(&mut database, "CREATE TABLE t(a)");
    drop(exec(&mut database, "INSERT INTO t VALUES (1), (2) RETURNING a"));
    assert_eq!(exec(&mut database, "SELECT count(*) FROM t").one::<i64>().expect("it runs"), 2);
    assert_eq!(
        exec(&mut database, " ; -- nothing\n /* at all */ ").json().expect("it runs").len(),
        0
    );
}

#[test]
fn a_handler_may_hold_a_cursor_while_it_waits() {
    fn is_send<T: Send>() {}
    is_send::<Sql<'static>>();
    is_send::<SqlCursor<'static>>();
    is_send::<Database>();
}
