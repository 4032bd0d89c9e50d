//! Keys of every shape, and values of every storage class, are exact.

use super::super::Mode;
use super::{Rig, integer, rows, text};
use crate::change::{KeyShape, RowKey, Value};

#[test]
fn a_changed_key_is_a_delete_and_an_upsert() {
    let mut rig = Rig::with(
        "CREATE TABLE t(k TEXT, n, PRIMARY KEY(n, k)) WITHOUT ROWID; INSERT INTO t VALUES ('a', 1)",
    );
    let changes = rig.commit("UPDATE t SET k = 'b'");
    assert_eq!(changes.tables[0].deletes, vec![RowKey::Primary(vec![integer(1), text("a")])]);
    assert_eq!(changes.tables[0].upserts[0].values, vec![text("b"), integer(1)]);
    let mut rig =
        Rig::with("CREATE TABLE t(k INTEGER PRIMARY KEY, n); INSERT INTO t VALUES (1, 1), (2, 2)");
    let changes = rig.commit("UPDATE t SET k = k + 10");
    assert_eq!(changes.tables[0].deletes, vec![RowKey::Rowid(1), RowKey::Rowid(2)]);
}

#[test]
fn keys_that_a_collation_takes_for_equal_are_different_keys() {
    let mut rig = Rig::with(
        "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, n) WITHOUT ROWID; INSERT INTO t VALUES ('a', 1)",
    );
    let changes = rig.commit("UPDATE t SET k = 'A'");
    assert_eq!(changes.tables[0].deletes, vec![RowKey::Primary(vec![text("a")])]);
    assert_eq!(changes.tables[0].upserts[0].values[0], text("A"));
    let mut rig =
        Rig::with("CREATE TABLE t(k PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES (1)");
    let changes = rig.commit("UPDATE t SET k = 1.0");
    assert_eq!(changes.tables[0].deletes, vec![RowKey::Primary(vec![integer(1)])]);
    assert_eq!(changes.tables[0].upserts[0].values, vec![Value::Real(1.0)]);
}

#[test]
fn a_key_may_have_another_collation_than_its_column() {
    let mut rig = Rig::with(
        "CREATE TABLE t(k TEXT COLLATE NOCASE, n, PRIMARY KEY(k COLLATE BINARY)) WITHOUT ROWID;
         CREATE TABLE u(k TEXT, n, PRIMARY KEY(k COLLATE NOCASE DESC, n)) WITHOUT ROWID;
         INSERT INTO t VALUES ('a', 1), ('A', 2); INSERT INTO u VALUES ('a', 1), ('B', 2)",
    );
    rig.commit("UPDATE t SET n = 3 WHERE k = 'A'; DELETE FROM t WHERE n = 1; UPDATE u SET k = 'b' WHERE k = 'B'");
    rig.commit("DELETE FROM t");
}

#[test]
fn a_rowid_is_found_under_whatever_name_is_free() {
    let mut rig = Rig::with(
        "CREATE TABLE a(rowid TEXT, b); CREATE TABLE b(\"ROWID\", _rowid_); CREATE TABLE c(rowid, _rowid_, oid INTEGER PRIMARY KEY);
         CREATE TABLE d(x INTEGER PRIMARY KEY DESC); CREATE TABLE e(x INT PRIMARY KEY);
         INSERT INTO a VALUES ('x', 1); INSERT INTO b VALUES (1, 2); INSERT INTO c VALUES (1, 2, 3);
         INSERT INTO d VALUES (5); INSERT INTO e VALUES (6)",
    );
    rig.commit("UPDATE a SET b = 2; UPDATE b SET _rowid_ = 3; DELETE FROM c; UPDATE d SET x = 7; UPDATE e SET x = 'text'");
    let keys: Vec<&KeyShape> = rig.database.shapes().iter().map(|shape| &shape.key).collect();
    let hidden = KeyShape::Rowid { alias: None };
    assert_eq!(keys, vec![&hidden, &hidden, &KeyShape::Rowid { alias: Some(2) }, &hidden, &hidden]);
    let error =
        rig.try_commit(&["CREATE TABLE f(rowid, _rowid_, oid)"]).expect_err("no name is free");
    assert!(error.message().contains("INTEGER PRIMARY KEY"), "{error:?}");
}

#[test]
fn values_are_kept_bit_for_bit() {
    let values = [
        Value::Null,
        integer(i64::MIN),
        integer(i64::MAX),
        integer(0),
        Value::Real(-0.0),
        Value::Real(f64::INFINITY),
        Value::Real(f64::NEG_INFINITY),
        Value::Real(f64::MIN_POSITIVE / 2.0),
        Value::Real(9_007_199_254_740_993.0),
        Value::Real(5.0),
        Value::Text(b"\xff\xfe\x80".to_vec()),
        Value::Text(b"nul\0inside\0".to_vec()),
        text(""),
        text("12"),
        text(" 1e3 "),
        Value::Blob(Vec::new()),
        Value::Blob(vec![0, 255, 0]),
        Value::Blob(b"12".to_vec()),
    ];
    let mut rig = Rig::with(
        "CREATE TABLE any(v); CREATE TABLE i(v INTEGER); CREATE TABLE r(v REAL); CREATE TABLE t(v TEXT); CREATE TABLE b(v BLOB);
         CREATE TABLE n(v NUMERIC); CREATE TABLE s(v ANY) STRICT; CREATE TABLE w(v, u, PRIMARY KEY(u, v)) WITHOUT ROWID",
    );
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    for value in &values {
        for table in ["any", "i", "r", "t", "b", "n", "s"] {
            let sql = format!("INSERT INTO {table} VALUES (?)");
            rows(&mut rig.database, &sql, vec![value.clone()]).expect("a value is taken");
        }
        if *value != Value::Null {
            rows(&mut rig.database, "INSERT INTO w VALUES (?1, typeof(?1))", vec![value.clone()])
                .expect("a key is taken");
        }
    }
    let changes = rig.database.prepare_commit().expect("changes can be taken");
    rig.database.commit().expect("it commits");
    rig.replica.apply(&changes).expect("they apply");
    rig.check();
    rig.commit("UPDATE w SET v = v WHERE u <> 'blob'; DELETE FROM w WHERE u = 'real'");
}
