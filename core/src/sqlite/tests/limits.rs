//! Limits end a statement with an error that says which, and a rollback makes everything good
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::{Database, Limits, Mode};
use super::{Rig, assert_kind, integer, query, refusal, rows};
use crate::ErrorKind;
use crate::change::Value;

const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn a_full_database_says_so_and_goes_on_after_a_rollback() {
    let limits = Limits {
        database_bytes_max: 64 << 10,
        row_bytes_max: 32 << 10,
        temporary_bytes_max: 8 << 20,
    };
    let mut database = Database::new(&limits).expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut database, "CREATE TABLE t(a)", Vec::new()).expect("there is room");
    database.commit().expect("it commits");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    let fill = "INSERT INTO t VALUES (zeroblob(30000))";
    let error =
        (0..10).find_map(|_| rows(&mut database, fill, Vec::new()).err()).expect("it becomes full");
    assert_kind(&error, ErrorKind::Full, "size limit");
    assert_eq!(error.code(), "OBJECT_FULL");
    database.rollback();
    assert_eq!(query(&mut database, "SELECT count(*) FROM t"), vec![vec![integer(0)]]);
    assert!(database.page_bytes() <= limits.database_bytes_max);
}

#[test]
fn a_transaction_that_became_full_can_not_be_committed_by_halves() {
    let limits = Limits {
        database_bytes_max: 64 << 10,
        row_bytes_max: 32 << 10,
        temporary_bytes_max: 8 << 20,
    };
    let mut database = Database::new(&limits).expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut database, "CREATE TABLE t(a); INSERT INTO t VALUES (1)", Vec::new())
        .expect("there is room");
    let _full = (0..10).find_map(|_| {
        rows(&mut database, "INSERT INTO t VALUES (zeroblob(30000))", Vec::new()).err()
    });
    match database.prepare_commit() {
        Ok(changes) => assert!(changes.rows() > 0, "SQLite undid the statement alone"),
        Err(error) => assert_kind(&error, ErrorKind::Full, "size limit"),
    }
    database.rollback();
    assert_eq!(query(&mut database, "SELECT count(*) FROM sqlite_schema"), vec![vec![integer(0)]]);
}

#[test]
fn a_value_over_the_limit_is_too_large_and_one_within_is_not() {
    let limits =
        Limits { database_bytes_max: 1 << 24, row_bytes_max: 1000, temporary_bytes_max: 8 << 20 };
    let mut database = Database::new(&limits).expect("a database opens");
    for sql in ["SELECT zeroblob(1001)", "SELECT hex(zeroblob(600))"] {
        assert_kind(&refusal(&mut database, sql), ErrorKind::TooLarge, "larger");
    }
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut database, "CREATE TABLE t(a, b)", Vec::new()).expect("it runs");
    let value = Value::Blob(vec![1; 600]);
    let error = rows(&mut database, "INSERT INTO t VALUES (?1, ?1)", vec![value.clone()])
        .expect_err("the row is too large");
    assert_kind(&error, ErrorKind::TooLarge, "row");
    let error = rows(&mut database, "SELECT ?", vec![Value::Blob(vec![1; 1001])])
        .expect_err("the parameter is too large");
    assert_kind(&error, ErrorKind::TooLarge, "value");
    rows(&mut database, "INSERT INTO t VALUES (?, 2)", vec![value]).expect("it fits");
    assert_eq!(database.prepare_commit().expect("changes can be taken").rows(), 1);
}

#[test]
fn what_was_stored_under_larger_limits_is_restored_and_read() {
    let mut rig = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(900000))");
    let small =
        Limits { database_bytes_max: 8192, row_bytes_max: 1000, temporary_bytes_max: 8 << 20 };
    let mut loader = Database::load(&small, rig.database.header().clone()).expect("loading begins");
    let mut table = loader.table("t").expect("there is t");
    rig.database.scan("t", &mut |rowid, values| table.row(rowid, values)).expect("the rows go in");
    let mut loaded = loader.finish().expect("loading ends");
    let mut count = 0;
    loaded
        .scan("t", &mut |_, _| {
            count += 1;
            Ok(())
        })
        .expect("it can be read");
    assert_eq!(count, 1);
    let changes = rig.commit("INSERT INTO t VALUES (zeroblob(900001))");
    loaded.apply(&changes).expect("records apply too");
    assert_kind(
        &refusal(
            &mut loaded,
            "INSERT INTO t VALUES (zeroblob(900)), (zeroblob(900)), (zeroblob(900)), (zeroblob(900)), (zeroblob(900))",
        ),
        ErrorKind::Full,
        "",
    );
}

#[test]
fn a_statement_without_an_end_is_stopped() {
    let mut rig = Rig::with("CREATE TABLE t(a)");
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&polls);
    rig.database
        .set_interrupt(Some(Box::new(move || counter.fetch_add(1, Ordering::Relaxed) >= 100)));
    assert_kind(&refusal(&mut rig.database, ENDLESS), ErrorKind::TimedOut, "stopped");
    let error = rig
        .try_commit(&["INSERT INTO t VALUES (1)", &format!("INSERT INTO t {ENDLESS}"), "SELECT 1"])
        .expect_err("it is lost");
    assert_kind(&error, ErrorKind::TimedOut, "stopped");
    assert_eq!(polls.load(Ordering::Relaxed), 102);
    rig.database.set_interrupt(Some(Box::new(|| panic!("a panic must not pass through SQLite"))));
    assert_kind(&refusal(&mut rig.database, ENDLESS), ErrorKind::TimedOut, "stopped");
    rig.database.set_interrupt(None);
    rig.commit("INSERT INTO t VALUES (1)");
}

#[test]
fn statements_made_to_hurt_are_errors() {
    let mut database = Rig::new().database;
    for sql in [
        format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("SELECT {}1", "-".repeat(5000).replace('-', "- ")),
        format!("SELECT '{}'", "x".repeat(2 << 20)),
        "SELECT 'a\0b'".to_owned(),
        format!(
            "CREATE TABLE t({})",
            (0..3000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",")
        ),
        "SELECT 'a' LIKE replace(hex(zeroblob(1000)), '0', '%')".to_owned(),
    ] {
        let error = refusal(&mut database, &sql);
        assert!(matches!(error.kind(), ErrorKind::Handler | ErrorKind::TooLarge), "{error:?}");
    }
}
