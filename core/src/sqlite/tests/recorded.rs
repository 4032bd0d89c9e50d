//! A recorded schema comes from a bucket: its statements define tables and indexes, whatever else
//! is written there.

use super::{LIMITS, assert_kind};
use crate::ErrorKind;
use crate::change::{Changes, Header, Schema, SchemaKind, SchemaObject};
use crate::sqlite::Database;

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
        assert_kind(&error, ErrorKind::Corrupt, "fails");
    }
}
