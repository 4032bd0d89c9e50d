//! Every way in which a row can change is seen, and nothing else is.

use super::super::Mode;
use super::{Rig, assert_kind, integer, query, row, text};
use crate::ErrorKind;
use crate::change::{Changes, RowKey, Value};

#[test]
fn a_transaction_that_only_reads_has_no_changes() {
    let mut rig = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    assert_eq!(rig.commit("SELECT * FROM t"), Changes::default());
    assert_eq!(rig.commit("DELETE FROM t WHERE a = 2"), Changes::default());
}

#[test]
fn inserts_updates_and_deletes_become_upserts_and_deletes() {
    let mut rig = Rig::with(
        "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    );
    let changes = rig.commit("UPDATE t SET b = 'TWO' WHERE a = 2; DELETE FROM t WHERE a = 3; INSERT INTO t VALUES (4, NULL)");
    let [table] = &changes.tables[..] else { panic!("{changes:?}") };
    assert_eq!(
        table.deletes,
        [RowKey::Rowid(3)][..0].to_vec(),
        "rowid 3 was taken again by the new row"
    );
    assert_eq!(
        table.upserts,
        vec![row(2, vec![integer(2), text("TWO")]), row(3, vec![integer(4), Value::Null])]
    );
    assert_eq!(changes.rows(), 2);
}

#[test]
fn a_delete_of_all_rows_is_seen_row_by_row() {
    let mut rig = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)");
    let changes = rig.commit("DELETE FROM t");
    assert_eq!(changes.tables[0].deletes, vec![RowKey::Rowid(1), RowKey::Rowid(2)]);
}

#[test]
fn a_row_that_replace_pushes_out_is_seen() {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
    );
    let changes = rig.commit("REPLACE INTO t VALUES (3, 'x')");
    assert_eq!(changes.tables[0].deletes, vec![RowKey::Rowid(1)]);
    rig.commit("UPDATE OR REPLACE t SET u = 'y' WHERE id = 3");
    assert_eq!(query(&mut rig.database, "SELECT id FROM t"), vec![vec![integer(3)]]);
}

#[test]
fn unique_values_may_change_places() {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
    );
    rig.commit("UPDATE t SET u = 'z' WHERE id = 1; UPDATE t SET u = 'x' WHERE id = 2; UPDATE t SET u = 'y' WHERE id = 1");
}

#[test]
fn cascades_upserts_and_triggers_are_seen_once() {
    let mut rig = Rig::with(
        "CREATE TABLE parent(id INTEGER PRIMARY KEY);
         CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id) ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE log(what);
         CREATE TRIGGER after_child AFTER DELETE ON child BEGIN INSERT INTO log VALUES (old.id); END;
         INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (20, 2)",
    );
    let changes = rig.commit("DELETE FROM parent WHERE id = 1");
    assert_eq!(changes.tables.len(), 3, "parent, child and log");
    rig.commit("UPDATE parent SET id = 3");
    rig.commit("INSERT INTO parent VALUES (3) ON CONFLICT(id) DO UPDATE SET id = 4");
    assert_eq!(query(&mut rig.replica, "SELECT p FROM child"), vec![vec![integer(4)]]);
    assert_eq!(query(&mut rig.replica, "SELECT count(*) FROM log"), vec![vec![integer(1)]]);
}

#[test]
fn a_savepoint_that_is_rolled_back_leaves_nothing() {
    let mut rig = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    rig.commit(
        "SAVEPOINT s; UPDATE t SET a = 2; INSERT INTO t VALUES (3); ROLLBACK TO s; RELEASE s",
    );
    assert_eq!(query(&mut rig.replica, "SELECT a FROM t"), vec![vec![integer(1)]]);
    rig.commit("SAVEPOINT a; SAVEPOINT A; INSERT INTO t VALUES (5); RELEASE a; INSERT INTO t VALUES (6); ROLLBACK TO a; RELEASE A");
}

#[test]
fn rows_copied_from_a_table_of_the_same_shape_are_seen() {
    let mut rig = Rig::with(
        "CREATE TABLE a(x INTEGER PRIMARY KEY, y); CREATE TABLE b(x INTEGER PRIMARY KEY, y);
         CREATE TABLE c(x PRIMARY KEY, y) WITHOUT ROWID; CREATE TABLE d(x PRIMARY KEY, y) WITHOUT ROWID;
         INSERT INTO a VALUES (1, 'x'), (2, 'y'); INSERT INTO c SELECT * FROM a",
    );
    let changes = rig.commit("INSERT INTO b SELECT * FROM a; INSERT INTO d SELECT * FROM c");
    assert_eq!(changes.rows(), 4);
}

#[test]
fn autoincrement_counters_are_kept_even_when_set_by_hand() {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t(a) VALUES (1), (2)",
    );
    rig.commit("DELETE FROM t");
    assert_eq!(rig.replica.header().sequences["t"], 2);
    rig.commit("INSERT INTO t VALUES (9, 9); UPDATE sqlite_sequence SET seq = 2");
    assert_eq!(rig.replica.header().sequences["t"], 2, "applying row 9 must not raise it");
    let error = rig
        .try_commit(&["UPDATE sqlite_sequence SET seq = 'x'", "SELECT 1"])
        .expect_err("no counter");
    assert_kind(&error, ErrorKind::Handler, "sqlite_sequence");
    rig.commit("DROP TABLE t");
    rig.commit("INSERT INTO sqlite_sequence VALUES ('ghost', 7)");
}

#[test]
fn versions_are_part_of_the_state() {
    let mut rig = Rig::new();
    let changes = rig.commit("PRAGMA user_version = 7; PRAGMA application_id = -3");
    assert_eq!((changes.user_version, changes.application_id), (Some(7), Some(-3)));
    assert_eq!(rig.commit("PRAGMA user_version = 7"), Changes::default());
    assert_eq!(rig.commit("PRAGMA user_version"), Changes::default());
}

#[test]
fn a_failed_statement_keeps_what_sqlite_keeps() {
    let mut rig = Rig::with("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (3)");
    let changes = rig
        .try_commit(&["INSERT OR FAIL INTO t VALUES (1), (2), (3), (4)", "SELECT 1"])
        .expect("the rest is committed");
    assert_eq!(changes.rows(), 2);
}

#[test]
fn a_transaction_that_sqlite_rolled_back_can_not_be_committed() {
    let mut rig = Rig::with("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (3)");
    let statements = [
        "INSERT INTO t VALUES (1)",
        "INSERT OR ROLLBACK INTO t VALUES (3)",
        "INSERT INTO t VALUES (4)",
    ];
    assert_kind(
        &rig.try_commit(&statements).expect_err("it is lost"),
        ErrorKind::Handler,
        "UNIQUE",
    );
    assert_eq!(query(&mut rig.database, "SELECT a FROM t"), vec![vec![integer(3)]]);
    rig.commit("INSERT INTO t VALUES (4)");
}

#[test]
fn deferred_foreign_keys_are_checked_before_the_changes_are_taken() {
    let mut rig = Rig::with(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    assert_kind(
        &rig.try_commit(&["INSERT INTO c VALUES (1)", "SELECT 1"]).expect_err("violated"),
        ErrorKind::Handler,
        "FOREIGN KEY",
    );
    rig.commit("INSERT INTO c VALUES (1); INSERT INTO p VALUES (1)");
}

#[test]
fn a_rollback_restores_the_committed_state() {
    let mut rig = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    let header = rig.database.header().clone();
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    rig.run("CREATE TABLE u(b); DROP TABLE t; PRAGMA user_version = 5")
        .expect("the statements run");
    rig.database.prepare_commit().expect("changes can be taken");
    rig.database.rollback();
    assert_eq!(*rig.database.header(), header);
    rig.check();
    rig.commit("INSERT INTO t VALUES (2)");
}

#[test]
fn statements_between_preparing_and_committing_are_not_lost() {
    let mut rig = Rig::with("CREATE TABLE t(a)");
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    rig.run("INSERT INTO t VALUES (1)").expect("the statement runs");
    rig.database.prepare_commit().expect("changes can be taken");
    rig.run("INSERT INTO t VALUES (2)").expect("the statement runs");
    let changes = rig.database.prepare_commit().expect("changes can be taken again");
    rig.database.commit().expect("it commits");
    assert_eq!(changes.rows(), 2);
}
