//! What users may not do is refused by name; what they may do works.

use super::super::Mode;
use super::{Rig, assert_kind, refusal, rows};
use crate::ErrorKind;

#[test]
fn statements_that_reach_outside_are_refused_by_name() {
    let mut database = Rig::with("CREATE TABLE t(a)").database;
    for (sql, name) in [
        ("ATTACH ':memory:' AS x", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT fts3_tokenizer('simple')", "fts3_tokenizer"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("END", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("VACUUM", "VACUUM"),
        ("VACUUM INTO '/tmp/x'", "VACUUM"),
        ("CREATE TEMP TABLE x(a)", "temporary object x"),
        ("CREATE TEMP VIEW x AS SELECT 1", "temporary object x"),
        ("CREATE TABLE temp.x(a)", "temporary object x"),
        ("CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", "temporary object x"),
        ("CREATE VIRTUAL TABLE x USING dbstat", "dbstat"),
        ("PRAGMA writable_schema = ON", "writable_schema"),
        ("PRAGMA hard_heap_limit = 1000", "hard_heap_limit"),
        ("PRAGMA journal_mode = OFF", "journal_mode"),
        ("PRAGMA journal_mode", "journal_mode"),
        ("PRAGMA page_size = 512", "page_size"),
        ("PRAGMA foreign_keys = OFF", "foreign_keys"),
        ("PRAGMA schema_version = 3", "schema_version"),
        ("PRAGMA encoding = 'UTF-16'", "encoding"),
        ("UPDATE sqlite_schema SET sql = ''", "may not be modified"),
        ("DELETE FROM sqlite_master", "may not be modified"),
        ("CREATE TABLE sqlite_x(a)", "reserved"),
        ("DROP TABLE sqlite_sequence; SELECT 1", "sqlite_sequence"),
    ] {
        assert_kind(&refusal(&mut database, sql), ErrorKind::Handler, name);
    }
    assert_eq!(refusal(&mut database, "ATTACH ':memory:' AS x").code(), "SQL_REFUSED");
    assert_eq!(refusal(&mut database, "SELEC 1").code(), "SQL_ERROR");
}

#[test]
fn refused_statements_stay_refused_inside_others() {
    let mut database = Rig::with("CREATE TABLE t(a)").database;
    assert_kind(
        &refusal(&mut database, "SELECT 1; ATTACH ':memory:' AS x"),
        ErrorKind::Handler,
        "ATTACH",
    );
    assert_kind(
        &refusal(&mut database, "SELECT * FROM pragma_journal_mode"),
        ErrorKind::Handler,
        "journal_mode",
    );
    assert_kind(
        &refusal(&mut database, "CREATE VIEW v AS SELECT load_extension('x'); SELECT * FROM v"),
        ErrorKind::Handler,
        "load_extension",
    );
}

#[test]
fn pragmas_that_only_answer_are_there() {
    let mut rig = Rig::with(
        "CREATE TABLE p(a PRIMARY KEY); CREATE TABLE t(a REFERENCES p DEFERRABLE); CREATE INDEX i ON t(a)",
    );
    for sql in [
        "PRAGMA table_info(t)",
        "PRAGMA main.table_xinfo('t')",
        "SELECT name FROM pragma_table_info('t')",
        "PRAGMA table_list",
        "PRAGMA index_list(t)",
        "PRAGMA index_xinfo(i)",
        "PRAGMA foreign_key_list(t)",
        "PRAGMA integrity_check",
        "PRAGMA page_size",
        "PRAGMA page_count",
        "PRAGMA function_list",
        "PRAGMA compile_options",
        "SELECT key FROM json_each('[1]')",
        "EXPLAIN QUERY PLAN SELECT * FROM t",
        "SELECT * FROM sqlite_schema",
    ] {
        rig.database.begin(Mode::ReadOnly).expect("a transaction begins");
        let found = rows(&mut rig.database, sql, Vec::new())
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rig.database.rollback();
        assert!(!found.is_empty(), "{sql}");
    }
    rig.commit(
        "PRAGMA defer_foreign_keys = ON; INSERT INTO t VALUES (1); INSERT INTO p VALUES (1)",
    );
}

#[test]
fn a_read_only_transaction_writes_nothing() {
    let mut rig = Rig::with("CREATE TABLE t(a)");
    for sql in [
        "INSERT INTO t VALUES (1)",
        "CREATE TABLE u(a)",
        "PRAGMA user_version = 1",
        "WITH x AS (SELECT 1) DELETE FROM t",
    ] {
        rig.database.begin(Mode::ReadOnly).expect("a transaction begins");
        let error = rows(&mut rig.database, sql, Vec::new()).expect_err(sql);
        assert_kind(&error, ErrorKind::Invalid, "is read-only here");
        rig.database.commit().expect("nothing is to be committed");
    }
    rig.check();
}
