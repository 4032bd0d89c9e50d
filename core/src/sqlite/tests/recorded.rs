//! A recorded schema comes from a bucket: its statements define tables and indexes, whatever else
//! is written there.

use super::{LIMITS, assert_kind};
use crate::ErrorKind;
use crate::change::{Changes, Header, Schema, SchemaKind, SchemaObject, ValueRef};
use crate::sqlite::{Database, Memory, Reservation, Restraint};
use crate::{Error, Result};

fn schema(kind: SchemaKind, sql: &str) -> Schema {
    Schema {
        objects: vec![SchemaObject {
            kind,
            name: "t".to_owned(),
            table: "t".to_owned(),
            sql: Some(sql.to_owned()),
        }],
    }
}

#[test]
fn a_recorded_statement_that_is_no_definition_is_not_run() {
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n";
    let statements = [
        format!("CREATE TABLE t AS {endless}"),
        endless.to_owned(),
        "CREATE TABLE t(x); CREATE TABLE u(x)".to_owned(),
        "ATTACH '/tmp/dotdo-never' AS other".to_owned(),
        "VACUUM INTO '/tmp/dotdo-never'".to_owned(),
        "PRAGMA writable_schema=ON".to_owned(),
        "COMMIT".to_owned(),
        "CREATE TEMP TABLE t(x)".to_owned(),
        "CREATE VIEW t AS SELECT 1".to_owned(),
        "DELETE FROM sqlite_schema".to_owned(),
        String::new(),
    ];
    for sql in &statements {
        let changes =
            Changes { schema: Some(schema(SchemaKind::Table, sql)), ..Changes::default() };
        let mut database = Database::new(&LIMITS).expect("a database opens");
        let error = database.apply(&changes).expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{sql}: {error}");
        let header = Header { schema: schema(SchemaKind::Table, sql), ..Header::default() };
        let error =
            Database::load(&LIMITS, header).err().unwrap_or_else(|| panic!("{sql} was run"));
        assert_kind(&error, ErrorKind::Corrupt, "");
    }
}

fn load(kind: SchemaKind, sql: &str) -> Error {
    let header = Header { schema: schema(kind, sql), ..Header::default() };
    let loaded = Database::load(&LIMITS, header).and_then(crate::sqlite::Loader::finish);
    loaded.err().unwrap_or_else(|| panic!("{sql} was believed"))
}

/// They are written into the schema and never run, so the authorizer does not see them.
#[test]
fn what_is_not_run_is_checked_too() {
    for (kind, sql) in [
        (SchemaKind::Table, "CREATE VIRTUAL TABLE t USING fts3(a)"),
        (SchemaKind::Table, "CREATE VIRTUAL TABLE t USING fts4(a, tokenize=simple)"),
        (SchemaKind::Table, "CREATE VIRTUAL TABLE t USING dbstat"),
        (SchemaKind::Table, "CREATE VIRTUAL TABLE t/*USING fts5*/USING \"dbstat\""),
        (SchemaKind::Table, "CREATE VIRTUAL TABLE t USING sqlite_dbpage"),
        (SchemaKind::View, "CREATE TABLE t(a)"),
        (SchemaKind::View, "CREATE TEMP VIEW t AS SELECT 1"),
        (SchemaKind::View, "SELECT 1"),
        (SchemaKind::Trigger, "CREATE VIEW t AS SELECT 1"),
        (SchemaKind::Trigger, "DROP TABLE t"),
        (SchemaKind::Index, "CREATE TABLE t(a)"),
        (SchemaKind::Table, "CREATE TABLE t(a CHECK (load_extension(a)))"),
        (SchemaKind::Table, "CREATE TABLE t(a, b AS (fts3_tokenizer(a)))"),
    ] {
        let error = load(kind, sql);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{sql}: {error}");
        let changes = Changes { schema: Some(schema(kind, sql)), ..Changes::default() };
        let mut database = Database::new(&LIMITS).expect("a database opens");
        let error = database.apply(&changes).expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{sql}: {error}");
    }
    let mut own = schema(SchemaKind::Table, "CREATE TABLE sqlite_sequence(name, seq, more)");
    own.objects[0].name = "sqlite_sequence".to_owned();
    let header = Header { schema: own, ..Header::default() };
    let error = Database::load(&LIMITS, header).err().expect("that is not SQLite's own");
    assert_kind(&error, ErrorKind::Corrupt, "sqlite_sequence");
}

#[test]
fn a_schema_of_too_many_objects_is_refused_before_any_is_made() {
    let object = schema(SchemaKind::View, "CREATE VIEW t AS SELECT 1").objects.remove(0);
    let schema = Schema { objects: vec![object; 20_000] };
    let header = Header { schema, ..Header::default() };
    let error = Database::load(&LIMITS, header).err().expect("too many");
    assert_kind(&error, ErrorKind::Corrupt, "got 20000");
}

/// Gives what it has, and no more.
struct Purse(u64);

impl Reservation for Purse {
    fn temporary_bytes(&self) -> u64 {
        256 << 10
    }

    fn page_bytes(&self) -> u64 {
        64 << 10
    }

    fn try_grow(&mut self, _: Memory, bytes: u64) -> Result<u64> {
        match self.0.checked_sub(bytes) {
            Some(left) => self.0 = left,
            None => return Err(Error::new(ErrorKind::Busy, "the purse is empty")),
        }
        Ok(bytes)
    }
}

fn restraint(bytes: u64, is_over: bool) -> Restraint {
    Restraint { reservation: Box::new(Purse(bytes)), interrupt: Box::new(move || is_over) }
}

/// Puts a row into the table `t`, whose schema is `sql`, and completes it.
fn put(restraint: Restraint, sql: &[&str]) -> Result<Database> {
    let object = |sql: &&str| {
        let is_table = sql.starts_with("CREATE TABLE");
        SchemaObject {
            kind: if is_table { SchemaKind::Table } else { SchemaKind::Index },
            name: if is_table { "t" } else { "i" }.to_owned(),
            table: "t".to_owned(),
            sql: Some((*sql).to_owned()),
        }
    };
    let schema = Schema { objects: sql.iter().map(object).collect() };
    let header = Header { schema, ..Header::default() };
    let mut loader = Database::load_restrained(&LIMITS, header, Some(restraint))?;
    let mut table = loader.table("t")?;
    for rowid in 0..200 {
        table.row(Some(rowid), &[ValueRef::Integer(7)])?;
    }
    let mut database = loader.finish()?;
    database.unrestrain();
    Ok(database)
}

#[test]
fn definitions_that_explode_take_no_more_than_is_reserved() {
    put(restraint(1 << 20, false), &["CREATE TABLE t(a)", "CREATE INDEX i ON t(a)"])
        .expect("ordinary rows fit");
    for sql in [
        &["CREATE TABLE t(a, b AS (zeroblob(50000000)) STORED)"][..],
        &["CREATE TABLE t(a, b AS (hex(hex(hex(zeroblob(10000000))))) STORED)"],
        &["CREATE TABLE t(a)", "CREATE INDEX i ON t(hex(zeroblob(100000)), a)"],
        &["CREATE TABLE t(a)", "CREATE INDEX i ON t(a) WHERE length(hex(zeroblob(900000000))) > 5"],
    ] {
        let error = put(restraint(4 << 20, false), sql).err().expect(sql[0]);
        assert_eq!(error.kind(), ErrorKind::Busy, "{sql:?}: it is not damaged: {error:?}");
    }
}

#[test]
fn definitions_that_compute_for_long_are_stopped() {
    let sql = [
        "CREATE TABLE t(a)",
        "CREATE INDEX i ON t(length(replace(hex(zeroblob(300000)), '0', '00')))",
    ];
    let error = put(restraint(64 << 20, true), &sql).err().expect("the time is over");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
}
