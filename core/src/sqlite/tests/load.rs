//! Loading checks what it is given.

use super::super::Database;
use super::{LIMITS, Rig, assert_kind, integer, query, refusal, reload};
use crate::ErrorKind;
use crate::change::{Header, RowKey, Value, ValueRef};

fn header(sql: &str) -> Header {
    Rig::with(sql).database.header().clone()
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let header = header("CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE h(a)");
    let mut loader = Database::load(&LIMITS, header).expect("loading begins");
    assert_kind(&loader.table("x").err().expect("no such table"), ErrorKind::Corrupt, "x");
    let mut table = loader.table("t").expect("there is t");
    table.row(Some(1), &[ValueRef::Integer(1), ValueRef::Null]).expect("it fits");
    assert_kind(
        &table.row(Some(1), &[ValueRef::Integer(1), ValueRef::Null]).expect_err("twice"),
        ErrorKind::Corrupt,
        "UNIQUE",
    );
    assert_kind(
        &table.row(Some(1), &[ValueRef::Null]).expect_err("too short"),
        ErrorKind::Corrupt,
        "t",
    );
    assert_kind(
        &loader.table("h").expect("there is h").row(None, &[ValueRef::Null]).expect_err("no rowid"),
        ErrorKind::Corrupt,
        "h",
    );
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    let good =
        header("CREATE TABLE t(a UNIQUE); CREATE INDEX i ON t(a); CREATE VIEW v AS SELECT 1");
    let finish =
        |header: Header| Database::load(&LIMITS, header).and_then(super::super::Loader::finish);
    finish(good.clone()).expect("it is good");
    let mut broken = good.clone();
    broken.schema.objects[0].sql = Some("CREATE TABLE t(".to_owned());
    assert_kind(&finish(broken).err().expect("no statement"), ErrorKind::Corrupt, "t");
    let mut broken = good.clone();
    broken.schema.objects.remove(1);
    assert_kind(&finish(broken).err().expect("an index is missing"), ErrorKind::Corrupt, "schema");
    let mut broken = good.clone();
    broken.schema.objects[0].sql = Some("CREATE TABLE t(a)".to_owned());
    assert_kind(
        &finish(broken).err().expect("an index is too many"),
        ErrorKind::Corrupt,
        "sqlite_autoindex_t_1",
    );
    let mut broken = good;
    broken.sequences.insert("t".to_owned(), 5);
    assert_kind(&finish(broken).err().expect("nothing counts"), ErrorKind::Corrupt, "counters");
}

#[test]
fn unique_indexes_are_checked_against_the_rows() {
    let mut loader =
        Database::load(&LIMITS, header("CREATE TABLE t(a); CREATE UNIQUE INDEX u ON t(a)"))
            .expect("loading begins");
    let mut table = loader.table("t").expect("there is t");
    table.row(Some(1), &[ValueRef::Integer(1)]).expect("it fits");
    table.row(Some(2), &[ValueRef::Integer(1)]).expect("it fits");
    assert_kind(&loader.finish().err().expect("not unique"), ErrorKind::Corrupt, "UNIQUE");
}

#[test]
fn constraints_that_come_after_the_rows_are_checked_and_kept() {
    let sql = "CREATE TABLE \"t t\"(\"from\" TEXT PRIMARY KEY COLLATE NOCASE, n REAL, id ANY UNIQUE, UNIQUE (n DESC, id)) STRICT";
    let load = |second: &[u8]| {
        let mut loader = Database::load(&LIMITS, header(sql)).expect("loading begins");
        loader.expect_many("t t").expect("it can wait for its indexes");
        let mut table = loader.table("t t").expect("there is the table");
        table
            .row(Some(7), &[ValueRef::Text(b"a"), ValueRef::Real(5.0), ValueRef::Text(b"1")])
            .expect("it fits");
        table
            .row(Some(3), &[ValueRef::Text(second), ValueRef::Real(-0.5), ValueRef::Integer(1)])
            .expect("it fits");
        loader.finish()
    };
    assert_kind(&load(b"A").err().expect("equal without case"), ErrorKind::Corrupt, "t t");
    let mut database = load(b"b").expect("they are different");
    assert_eq!(database.header(), &header(sql));
    assert_eq!(
        query(&mut database, "PRAGMA integrity_check"),
        vec![vec![Value::Text(b"ok".to_vec())]]
    );
    let found = query(
        &mut database,
        "SELECT rowid, typeof(n), typeof(id) FROM \"t t\" WHERE \"from\" = 'A'",
    );
    assert_eq!(
        found,
        vec![vec![integer(7), Value::Text(b"real".to_vec()), Value::Text(b"text".to_vec())]]
    );
    assert_kind(
        &refusal(&mut database, "INSERT INTO \"t t\" VALUES ('B', 1.0, 9)"),
        ErrorKind::Handler,
        "UNIQUE",
    );
}

#[test]
fn a_loaded_database_goes_on_where_the_other_was() {
    let mut rig = Rig::with(
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a CHECK (a <> 'no')); CREATE TABLE l(x);
         CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO l VALUES (new.id); END;
         INSERT INTO t(a) VALUES (1), (2); DELETE FROM t WHERE id = 2; PRAGMA user_version = 9",
    );
    rig.database = reload(&rig.database).expect("it loads");
    rig.replica = reload(&rig.database).expect("it loads again");
    rig.commit("INSERT INTO t(a) VALUES (3)");
    assert_eq!(
        query(&mut rig.database, "SELECT id FROM t"),
        vec![vec![integer(1)], vec![integer(3)]]
    );
    assert_eq!(query(&mut rig.database, "SELECT count(*) FROM l"), vec![vec![integer(3)]]);
    assert_kind(
        &rig.try_commit(&["INSERT INTO t(a) VALUES ('no')"]).expect_err("checks are on"),
        ErrorKind::Handler,
        "CHECK",
    );
}

#[test]
fn rows_are_found_by_their_keys() {
    let rig = Rig::with(
        "CREATE TABLE t(a, b, PRIMARY KEY(b)) WITHOUT ROWID; INSERT INTO t VALUES (1, 2); CREATE TABLE u(a); INSERT INTO u VALUES (3)",
    );
    let key = RowKey::Primary(vec![integer(2)]);
    assert_eq!(
        rig.database.row("t", &key).expect("it is read").expect("it is there").values,
        vec![integer(1), integer(2)]
    );
    assert_eq!(
        rig.database.row("u", &RowKey::Rowid(1)).expect("it is read").expect("it is there").rowid,
        Some(1)
    );
    assert_eq!(rig.database.row("u", &RowKey::Rowid(2)).expect("it is read"), None);
    assert_kind(&rig.database.row("u", &key).expect_err("another shape"), ErrorKind::Invalid, "u");
    assert_kind(&rig.database.row("x", &key).expect_err("no such table"), ErrorKind::NotFound, "x");
}
