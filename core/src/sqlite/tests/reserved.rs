//! Names that begin with `_dotdo_` are dotdo's own: a class may read what bears them, and nothing
//! else.

use super::super::{Database, Mode, Speaker};
use super::{Rig, assert_kind, integer, query, rows};
use crate::ErrorKind;

/// A database where dotdo has made tables of its own, and a class one.
fn rig() -> Rig {
    let mut rig = Rig::with("CREATE TABLE t(a)");
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    own(&mut rig.database, "CREATE TABLE _dotdo_kv(key TEXT PRIMARY KEY, value) WITHOUT ROWID");
    own(
        &mut rig.database,
        "CREATE TABLE _dotdo_outbox(number INTEGER PRIMARY KEY AUTOINCREMENT, body)",
    );
    own(&mut rig.database, "CREATE INDEX _dotdo_outbox_body ON _dotdo_outbox(body)");
    own(
        &mut rig.database,
        "INSERT INTO _dotdo_outbox(body) VALUES (1); INSERT INTO _dotdo_kv VALUES ('k', 1)",
    );
    let changes = rig.database.prepare_commit().expect("it can be taken");
    rig.database.commit().expect("it commits");
    rig.replica.apply(&changes).expect("it fits");
    rig.check();
    rig
}

fn own(database: &mut Database, sql: &str) {
    database.exec_as(Speaker::Dotdo, sql, Vec::new()).expect("dotdo may").next().expect("it runs");
}

#[test]
fn a_reserved_name_is_refused_in_every_statement_that_takes_one() {
    let mut rig = rig();
    for sql in [
        "CREATE TABLE _dotdo_requests(a)",
        "CREATE TABLE IF NOT EXISTS _dotdo_requests(a)",
        "CREATE TABLE \"_DotDo_x\" AS SELECT 1",
        "CREATE TABLE main._dotdo_x(a)",
        "CREATE VIEW _dotdo_x AS SELECT 1",
        "CREATE INDEX _dotdo_x ON t(a)",
        "CREATE INDEX i ON _dotdo_kv(value)",
        "CREATE TRIGGER _dotdo_x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TRIGGER g AFTER INSERT ON _dotdo_kv BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE _dotdo_x USING fts5(a)",
        "CREATE VIRTUAL TABLE _dotdo USING fts5(a)",
        "CREATE VIRTUAL TABLE _dotdo USING rtree(a, b, c)",
        "CREATE TABLE u(a REFERENCES _dotdo_kv(key) ON DELETE RESTRICT)",
        "ALTER TABLE t ADD COLUMN b REFERENCES _DOTDO_kv(key)",
        "ALTER TABLE t RENAME TO _dotdo_x",
        "ALTER TABLE _dotdo_kv RENAME TO mine",
        "ALTER TABLE _dotdo_kv ADD COLUMN more",
        "ALTER TABLE _dotdo_kv DROP COLUMN value",
        "ALTER TABLE _dotdo_kv RENAME COLUMN value TO other",
        "DROP TABLE _dotdo_kv",
        "DROP INDEX _dotdo_outbox_body",
        "CREATE VIRTUAL TABLE f USING fts5(a); ALTER TABLE f RENAME TO _dotdo",
    ] {
        let error = rig.try_commit(&[sql]).map(|_| ()).expect_err(sql);
        assert_kind(&error, ErrorKind::Handler, "_dotdo_");
        assert_eq!(error.code(), "SQL_REFUSED", "{sql}");
    }
    rig.commit("INSERT INTO t VALUES (1)");
}

#[test]
fn what_is_dotdos_own_is_read_and_not_written_by_any_way() {
    let mut rig = rig();
    rig.commit("CREATE VIEW v AS SELECT key, value FROM _dotdo_kv; CREATE TABLE u(a)");
    rig.commit("CREATE TRIGGER g AFTER INSERT ON u BEGIN DELETE FROM _dotdo_kv; END");
    rig.commit("CREATE TRIGGER h INSTEAD OF INSERT ON v BEGIN INSERT INTO _dotdo_kv VALUES (new.key, new.value); END");
    for sql in [
        "INSERT INTO _dotdo_kv VALUES ('x', 2)",
        "INSERT OR REPLACE INTO \"_DOTDO_KV\" VALUES ('k', 2)",
        "UPDATE _dotdo_kv SET value = 2",
        "DELETE FROM main._dotdo_kv",
        "WITH x AS (SELECT 1) DELETE FROM _dotdo_outbox",
        "INSERT INTO u VALUES (1)",
        "INSERT INTO v VALUES ('x', 2)",
        "DELETE FROM sqlite_sequence",
        "UPDATE sqlite_sequence SET seq = 0",
        "SAVEPOINT _dotdo",
        "SAVEPOINT s; ROLLBACK TO _dotdo_request",
        "SAVEPOINT s; RELEASE _Dotdo_request",
    ] {
        let error = rig.try_commit(&[sql]).map(|_| ()).expect_err(sql);
        assert_eq!(error.code(), "SQL_REFUSED", "{sql}: {error:?}");
    }
    assert_eq!(
        query(&mut rig.database, "SELECT count(*) FROM v JOIN _dotdo_outbox"),
        vec![vec![integer(1)]]
    );
    rig.commit("CREATE TABLE copy AS SELECT * FROM _dotdo_kv; CREATE TABLE dotdo(a); CREATE TABLE \"_dotd\"(_dotdo_rowid)");
}

#[test]
fn a_statement_that_dotdo_has_prepared_is_not_a_class_s() {
    let mut rig = rig();
    let sql = "INSERT INTO _dotdo_outbox(body) VALUES (2)";
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    own(&mut rig.database, sql);
    let error = rows(&mut rig.database, sql, Vec::new()).map(|_| ()).expect_err("the same text");
    assert_eq!(error.code(), "SQL_REFUSED");
    own(&mut rig.database, sql);
    assert_eq!(
        rows(&mut rig.database, "SELECT count(*) FROM _dotdo_outbox", Vec::new())
            .expect("it reads"),
        vec![vec![integer(3)]]
    );
    rig.database.rollback();
}
