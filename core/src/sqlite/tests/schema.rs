//! Schema changes of every kind, alone and mixed with rows, come out the same to the letter.

use super::{Rig, assert_kind, integer, query};
use crate::ErrorKind;
use crate::change::Changes;

fn rewritten(changes: &Changes) -> Vec<&str> {
    changes
        .tables
        .iter()
        .filter(|table| table.rewritten)
        .map(|table| table.table.as_str())
        .collect()
}

#[test]
fn every_kind_of_object_is_recreated() {
    let mut rig = Rig::with(
        "CREATE TABLE \"from\"(\"order\" TEXT, \"a b\" INTEGER, \"q\"\"q\" CHECK (\"q\"\"q\" <> 'no'), v AS (\"a b\" * 2), s AS (upper(\"order\")) STORED);
         CREATE TABLE w(a, b, PRIMARY KEY(b, a)) WITHOUT ROWID; CREATE TABLE st(a INT, b ANY) STRICT;
         CREATE INDEX \"i x\" ON \"from\"(\"order\" COLLATE NOCASE, \"a b\" DESC) WHERE v > 2; CREATE UNIQUE INDEX e ON \"from\"(\"a b\" + 1);
         CREATE VIEW vw AS SELECT * FROM \"from\"; CREATE TRIGGER tr INSTEAD OF INSERT ON vw BEGIN INSERT INTO w VALUES (1, new.v); END;
         CREATE TRIGGER t2 AFTER INSERT ON \"from\" BEGIN UPDATE st SET a = a + 1; END;
         CREATE TRIGGER t1 AFTER INSERT ON \"from\" BEGIN UPDATE st SET a = a * 2; END;
         INSERT INTO st VALUES (1, 'x'); INSERT INTO \"from\" VALUES ('o', 3, 'q'), ('p', 4, NULL)",
    );
    rig.commit("INSERT INTO vw(v) VALUES (9); INSERT INTO \"from\" VALUES ('z', 5, 1.5)");
    rig.commit("DROP TRIGGER t2; DROP VIEW vw; DROP INDEX e; CREATE INDEX e ON w(a)");
}

#[test]
fn a_rename_records_no_rows_but_those_that_changed() {
    let mut rig = Rig::with(
        "CREATE TABLE a(x UNIQUE, y); CREATE INDEX i ON a(y); INSERT INTO a VALUES (1, 1), (2, 2), (3, 3)",
    );
    let changes = rig.commit(
        "UPDATE a SET y = 9 WHERE x = 1; ALTER TABLE a RENAME TO b; UPDATE b SET y = 8 WHERE x = 2",
    );
    assert_eq!(changes.renames, vec![("a".to_owned(), "b".to_owned())]);
    assert_eq!((changes.tables[0].table.as_str(), changes.rows()), ("b", 2));
}

#[test]
fn tables_may_change_names() {
    let mut rig = Rig::with(
        "CREATE TABLE a(x); CREATE TABLE b(x); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)",
    );
    let changes = rig.commit("ALTER TABLE a RENAME TO t; ALTER TABLE b RENAME TO a; ALTER TABLE t RENAME TO b; INSERT INTO a VALUES (3)");
    assert_eq!((changes.renames.len(), changes.rows()), (3, 1));
    rig.commit(
        "DROP TABLE b; ALTER TABLE a RENAME TO b; CREATE TABLE a(x); INSERT INTO a VALUES (7)",
    );
    rig.commit(
        "DROP TABLE a; ALTER TABLE b RENAME TO a; CREATE TABLE b(x); INSERT INTO b VALUES (1)",
    );
}

#[test]
fn added_and_renamed_columns_leave_the_rows_alone() {
    let mut rig = Rig::with(
        "CREATE TABLE t(a, b UNIQUE); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1, 2), (3, 4)",
    );
    let changes =
        rig.commit("ALTER TABLE t ADD COLUMN c DEFAULT 5.0; ALTER TABLE t ADD COLUMN d AS (a + c)");
    assert_eq!(changes.rows(), 0);
    let changes = rig.commit("ALTER TABLE t RENAME COLUMN a TO z; UPDATE t SET c = 6 WHERE z = 1");
    assert_eq!(changes.rows(), 1);
    let changes = rig.commit(
        "ALTER TABLE t RENAME z TO y; ALTER TABLE t RENAME b TO z; ALTER TABLE t RENAME y TO b; DROP INDEX i; CREATE INDEX i ON t(z)",
    );
    assert_eq!(changes.rows(), 0);
    rig.commit("ALTER TABLE t ALTER COLUMN c SET NOT NULL; ALTER TABLE t ADD CONSTRAINT positive CHECK (c > 0)");
    rig.commit("ALTER TABLE t DROP CONSTRAINT positive; INSERT INTO t(b, z, c) VALUES (5, 6, -1)");
}

#[test]
fn whatever_rewrites_a_table_records_it_whole() {
    let mut rig = Rig::with("CREATE TABLE t(a, b, c); INSERT INTO t VALUES (1, 2, 3), (4, 5, 6)");
    assert_eq!(rewritten(&rig.commit("ALTER TABLE t DROP COLUMN b")), ["t"]);
    assert_eq!(rewritten(&rig.commit("CREATE TABLE u AS SELECT * FROM t")), ["u"]);
    assert_eq!(
        rewritten(&rig.commit("DROP TABLE t; CREATE TABLE t(a, c)")),
        ["t"],
        "the same definition, and no rows"
    );
    let copied = rig.commit("CREATE TABLE n(a PRIMARY KEY, c); INSERT INTO n SELECT * FROM u; DROP TABLE u; ALTER TABLE n RENAME TO u");
    assert_eq!((rewritten(&copied), copied.renames.len()), (vec!["u"], 0));
}

#[test]
fn a_page_that_is_used_again_is_not_the_same_table() {
    let mut rig = Rig::with("CREATE TABLE a(x); INSERT INTO a VALUES (1), (2)");
    let changes = rig.commit("DROP TABLE a; CREATE TABLE b(x); INSERT INTO b VALUES (3)");
    assert_eq!((rewritten(&changes), changes.renames.len()), (vec!["b"], 0));
    rig.commit("DROP TABLE b; CREATE TABLE c(x); ALTER TABLE c RENAME TO b");
    assert_eq!(query(&mut rig.replica, "SELECT count(*) FROM b"), vec![vec![integer(0)]]);
}

#[test]
fn definitions_that_are_rolled_back_keep_the_keys_from_before() {
    let mut rig = Rig::with("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)");
    let changes = rig.commit(
        "UPDATE t SET b = 7 WHERE a = 1; SAVEPOINT s; UPDATE t SET b = 8 WHERE a = 2; ALTER TABLE t DROP COLUMN b; DROP TABLE t;
         CREATE TABLE t(x); ROLLBACK TO s; ALTER TABLE t RENAME TO u; ROLLBACK TO s; UPDATE t SET b = 9 WHERE a = 3; RELEASE s",
    );
    assert_eq!(
        (
            changes.schema,
            rewritten(&Changes { tables: changes.tables.clone(), ..Changes::default() }).len()
        ),
        (None, 0)
    );
    assert_eq!(
        query(&mut rig.replica, "SELECT b FROM t"),
        vec![vec![integer(7)], vec![integer(2)], vec![integer(9)]]
    );
}

#[test]
fn a_definition_that_fails_changes_nothing() {
    let mut rig = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1), (1)");
    let statements = [
        "CREATE TABLE t(b)",
        "CREATE UNIQUE INDEX u ON t(a)",
        "ALTER TABLE t ADD COLUMN b NOT NULL",
        "INSERT INTO t VALUES (2)",
    ];
    assert_eq!(rig.try_commit(&statements).expect("the insert stands").rows(), 1);
}

#[test]
fn changes_for_another_state_are_refused_and_leave_it_as_it_was() {
    let mut rig = Rig::with("CREATE TABLE t(a PRIMARY KEY, b); INSERT INTO t VALUES (1, 2)");
    let mut other = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1); CREATE TABLE u(b)");
    let changes = other.commit("INSERT INTO t VALUES (2); INSERT INTO u VALUES (1)");
    assert_kind(&rig.replica.apply(&changes).expect_err("it can't fit"), ErrorKind::Corrupt, "t");
    rig.check();
    let changes = other.commit("CREATE TABLE v(c)");
    assert_kind(
        &rig.replica.apply(&changes).expect_err("it can't fit"),
        ErrorKind::Corrupt,
        "schema",
    );
    rig.check();
    let mut fresh = Rig::with("CREATE TABLE t(a PRIMARY KEY, b); INSERT INTO t VALUES (1, 2)");
    let mut changes = fresh.commit("CREATE TABLE v(c); INSERT INTO v VALUES (1)");
    changes.tables[0].upserts[0].values.clear();
    assert_kind(
        &rig.replica.apply(&changes).expect_err("a row is too short"),
        ErrorKind::Corrupt,
        "table v",
    );
    rig.check();
    rig.commit("CREATE TABLE v(c); INSERT INTO v VALUES (1); INSERT INTO t VALUES (5, 6)");
}
