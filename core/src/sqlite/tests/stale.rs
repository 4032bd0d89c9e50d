//! Statements whose preparation said something else than what they do when they run.
//!
//! `DROP TABLE IF EXISTS` of a table that is not there compiles to nothing; SQLite compiles it
//! again, inside of the step, once there is such a table. `EXPLAIN` asks the authorizer for what it
//! then does not do. What a statement did is asked of the database.

use super::{Rig, integer, query, rows};
use crate::Result;
use crate::change::Value;

use super::super::{Database, Mode};

/// Runs each text in a transaction of its own.
fn each(texts: &[&str]) -> Rig {
    let mut rig = Rig::new();
    for text in texts {
        rig.commit(text);
    }
    rig
}

fn tables(rig: &mut Rig) -> Vec<Vec<Value>> {
    query(&mut rig.replica, "SELECT name FROM sqlite_schema ORDER BY name")
}

#[test]
fn a_drop_that_found_nothing_at_first_is_seen_when_it_drops() {
    let mut rig = each(&[
        "DROP TABLE IF EXISTS secrets",
        "CREATE TABLE secrets(x)",
        "INSERT INTO secrets VALUES (1)",
        "DROP TABLE IF EXISTS secrets",
    ]);
    assert!(tables(&mut rig).is_empty());
}

#[test]
fn an_object_that_was_there_at_first_is_seen_when_it_is_made() {
    let setup = "CREATE TABLE t(a); CREATE UNIQUE INDEX i ON t(a); CREATE VIEW v AS SELECT * FROM t;
                 CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 2; END; CREATE VIRTUAL TABLE f USING fts5(x)";
    for (make, drop) in [
        ("CREATE UNIQUE INDEX IF NOT EXISTS i ON t(a)", "DROP INDEX i"),
        ("CREATE VIEW IF NOT EXISTS v AS SELECT * FROM t", "DROP VIEW v"),
        (
            "CREATE TRIGGER IF NOT EXISTS r AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 2; END",
            "DROP TRIGGER r",
        ),
        ("CREATE TABLE IF NOT EXISTS t(a)", "DROP TABLE t"),
        ("CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(x)", "DROP TABLE f"),
    ] {
        each(&[setup, make, drop, make, make, drop, make]);
    }
}

#[test]
fn an_object_that_was_missing_at_first_is_seen_when_it_is_dropped() {
    for (drop, make) in [
        ("DROP INDEX IF EXISTS i", "CREATE UNIQUE INDEX i ON t(a)"),
        ("DROP VIEW IF EXISTS v", "CREATE VIEW v AS SELECT * FROM t"),
        (
            "DROP TRIGGER IF EXISTS r",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 2; END",
        ),
        ("DROP TABLE IF EXISTS f", "CREATE VIRTUAL TABLE f USING fts5(x)"),
    ] {
        each(&["CREATE TABLE t(a)", drop, make, drop, drop, make, drop]);
    }
}

#[test]
fn a_table_that_is_made_anew_every_day_has_the_rows_of_the_last() {
    let day = |value: i64| format!("INSERT INTO report VALUES ({value})");
    let (drop, create) = ("DROP TABLE IF EXISTS report", "CREATE TABLE report(x)");
    let mut rig = each(&["CREATE TABLE IF NOT EXISTS first(x)", drop, create, &day(1), &day(2)]);
    rig.try_commit(&[drop, create, &day(3)]).expect("the second day commits");
    assert_eq!(query(&mut rig.replica, "SELECT x FROM report"), vec![vec![integer(3)]]);
}

#[test]
fn an_explained_statement_has_done_nothing() {
    let mut rig = Rig::with("CREATE TABLE a(x); INSERT INTO a VALUES (1)");
    for explain in ["EXPLAIN", "EXPLAIN QUERY PLAN"] {
        let back = format!("{explain} ROLLBACK TO s");
        rig.try_commit(&[
            "SAVEPOINT s",
            "CREATE TABLE b(x)",
            "INSERT INTO b VALUES (1)",
            &back,
            "RELEASE s",
        ])
        .expect("it commits");
        let made = format!("{explain} SAVEPOINT s");
        rig.try_commit(&[
            "SAVEPOINT s",
            "DROP TABLE b",
            &made,
            "ROLLBACK TO s",
            "RELEASE s",
            "INSERT INTO b VALUES (2)",
        ])
        .expect("it commits");
        let released = format!("{explain} RELEASE s");
        rig.try_commit(&[
            "SAVEPOINT s",
            "DROP TABLE a",
            &released,
            "ROLLBACK TO s",
            "CREATE TABLE c(x)",
            "RELEASE s",
        ])
        .expect("it commits");
        for sql in [
            "DROP TABLE a",
            "ALTER TABLE a RENAME TO z",
            "CREATE TABLE n(x)",
            "DELETE FROM a",
            "PRAGMA user_version = 7",
        ] {
            assert!(rig.commit(&format!("{explain} {sql}")).is_empty(), "{sql}");
        }
        rig.commit("DROP TABLE b; DROP TABLE c");
    }
}

#[test]
fn a_schema_counter_that_is_used_twice_does_not_hide_a_schema() {
    let mut rig = Rig::with("CREATE TABLE a(x); INSERT INTO a VALUES (1)");
    let twice = [
        "SAVEPOINT s",
        "CREATE TABLE b(x)",
        "ROLLBACK TO s",
        "CREATE TABLE c(x)",
        "INSERT INTO c VALUES (2)",
        "RELEASE s",
    ];
    rig.try_commit(&twice).expect("it commits");
    rig.try_commit(&[
        "SAVEPOINT s",
        "DROP TABLE c",
        "ROLLBACK TO s",
        "DROP TABLE a",
        "CREATE TABLE a(x)",
        "RELEASE s",
    ])
    .expect("it commits");
    assert_eq!(query(&mut rig.replica, "SELECT * FROM c"), vec![vec![integer(2)]]);
    assert!(query(&mut rig.replica, "SELECT * FROM a").is_empty());
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_no_statement_that_knows_its_tables() {
    let mut rig = Rig::with("CREATE TABLE a(x)");
    let make = "CREATE TABLE IF NOT EXISTS b(x)";
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    for sql in ["CREATE TABLE b(x)", make, "DROP TABLE IF EXISTS c"] {
        rig.run(sql).expect(sql);
    }
    rig.database.rollback();
    rig.commit(make);
    rig.commit("CREATE TABLE c(x)");
    rig.commit("DROP TABLE IF EXISTS c");
    assert_eq!(tables(&mut rig).len(), 2);
}

fn read_only(database: &mut Database, sql: &str) -> Result<Vec<Vec<Value>>> {
    database.begin(Mode::ReadOnly).expect("a transaction begins");
    let outcome = rows(database, sql, Vec::new());
    database.rollback();
    outcome
}

#[test]
fn a_statement_that_did_nothing_at_first_writes_nothing_where_only_reading_is_allowed() {
    let mut rig = Rig::new();
    assert!(read_only(&mut rig.database, "REINDEX").expect("there is no index").is_empty());
    rig.commit("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)");
    let error = read_only(&mut rig.database, "REINDEX").expect_err("it would write an index");
    assert!(error.message().contains("is read-only here"), "{error:?}");
    assert_eq!(query(&mut rig.database, "SELECT a FROM t"), vec![vec![integer(1)]]);
    rig.check();
}

#[test]
fn rows_that_nobody_asks_for_change_nothing_of_what_a_statement_did() {
    let mut rig =
        Rig::with("CREATE TABLE t(a PRIMARY KEY, b); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)");
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    for sql in [
        "DELETE FROM t WHERE a < 3 RETURNING a",
        "UPDATE t SET b = 9 RETURNING b",
        "EXPLAIN ROLLBACK TO s",
    ] {
        let mut cursor = rig.database.exec(sql, Vec::new()).expect(sql);
        assert!(cursor.next().expect(sql).is_some());
    }
    let changes = rig.database.prepare_commit().expect("there are changes");
    rig.database.commit().expect("it commits");
    assert_eq!(changes.rows(), 3);
    rig.replica.apply(&changes).expect("they fit");
    rig.check();
}
