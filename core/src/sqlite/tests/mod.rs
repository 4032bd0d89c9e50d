//! A database, its replica, and a third one loaded from a scan: after every transaction all three
//! are the same.

mod capture;
mod commit;
mod documented;
mod functions;
mod grown;
mod keys;
mod limits;
mod load;
mod memory;
mod random;
mod recorded;
mod refused;
mod reserved;
mod schema;
mod stale;
mod surface;
mod virtual_tables;

use super::{Database, Limits, Mode};
use crate::change::{Changes, Row, Value, ValueRef};
use crate::{Error, ErrorKind, Result};

const LIMITS: Limits =
    Limits { database_bytes_max: 64 << 20, row_bytes_max: 1 << 20, temporary_bytes_max: 64 << 20 };

/// A database whose committed changes are applied to a replica.
struct Rig {
    database: Database,
    replica: Database,
}

impl Rig {
    fn new() -> Self {
        Self {
            database: Database::new(&LIMITS).expect("a database opens"),
            replica: Database::new(&LIMITS).expect("a database opens"),
        }
    }

    /// A rig after one committed transaction.
    fn with(sql: &str) -> Self {
        let mut rig = Self::new();
        rig.commit(sql);
        rig
    }

    /// Runs statements in one transaction, commits, and checks the replica and a loaded copy.
    fn commit(&mut self, sql: &str) -> Changes {
        self.try_commit(&[sql]).expect("the statements run")
    }

    /// The same for statements of which some may fail: their errors are ignored as a handler might.
    fn try_commit(&mut self, statements: &[&str]) -> Result<Changes> {
        self.database.begin(Mode::ReadWrite).expect("a transaction begins");
        let outcome = self.run_all(statements);
        if outcome.is_err() {
            self.database.rollback();
        }
        if let Ok(changes) = &outcome
            && let Err(error) = self.replica.apply(changes)
        {
            panic!("{error:?} for {changes:#?}");
        }
        self.check();
        outcome
    }

    fn run_all(&mut self, statements: &[&str]) -> Result<Changes> {
        for sql in statements {
            let outcome = self.run(sql);
            if statements.len() == 1 {
                outcome?;
            }
        }
        let changes = self.database.prepare_commit()?;
        self.database.commit()?;
        Ok(changes)
    }

    /// Runs statements in the open transaction and returns the rows of the last.
    fn run(&mut self, sql: &str) -> Result<Vec<Vec<Value>>> {
        rows(&mut self.database, sql, Vec::new())
    }

    /// Compares the three databases.
    fn check(&mut self) {
        let expected = dump(&mut self.database);
        assert_same(&expected, &dump(&mut self.replica), "the replica");
        let mut loaded = reload(&self.database).expect("a scan can be loaded");
        assert_same(&expected, &dump(&mut loaded), "the loaded copy");
        let mut loaded =
            reload_expecting(&self.database, |_| true).expect("a large scan can be loaded");
        assert_same(
            &expected,
            &dump(&mut loaded),
            "the copy loaded with its constraints at the end",
        );
    }
}

/// Loads a new database from a scan of another.
fn reload(database: &Database) -> Result<Database> {
    reload_expecting(database, |_| false)
}

/// Loads a new database from a scan of another, whose tables with many rows are announced.
fn reload_expecting(database: &Database, is_large: impl Fn(&str) -> bool) -> Result<Database> {
    let mut loader = Database::load(&LIMITS, database.header().clone())?;
    for shape in database.shapes() {
        if is_large(&shape.name) {
            loader.expect_many(&shape.name)?;
        }
        let mut table = loader.table(&shape.name)?;
        database.scan(&shape.name, &mut |rowid, values| table.row(rowid, values))?;
    }
    loader.finish()
}

fn rows(database: &mut Database, sql: &str, params: Vec<Value>) -> Result<Vec<Vec<Value>>> {
    let mut cursor = database.exec(sql, params)?;
    let mut rows = Vec::new();
    while let Some(row) = cursor.next()? {
        rows.push((0..row.len()).map(|index| row.value(index).to_owned()).collect());
    }
    Ok(rows)
}

/// The rows that a read-only transaction sees.
fn query(database: &mut Database, sql: &str) -> Vec<Vec<Value>> {
    database.begin(Mode::ReadOnly).expect("a transaction begins");
    let found = rows(database, sql, Vec::new());
    database.rollback();
    found.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

/// Everything there is, as text with one line a fact.
fn dump(database: &mut Database) -> Vec<String> {
    let mut lines = vec![format!("{:?}", database.header())];
    for row in query(database, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid")
    {
        lines.push(row.iter().map(show).collect::<Vec<_>>().join(" | "));
    }
    for shape in database.shapes() {
        lines.push(format!("{shape:?}"));
        let mut add = |rowid: Option<i64>, values: &[ValueRef<'_>]| {
            let values: Vec<String> =
                values.iter().map(|value| show(&(*value).to_owned())).collect();
            lines.push(format!("{} {rowid:?} {}", shape.name, values.join(" | ")));
            Ok(())
        };
        database.scan(&shape.name, &mut add).expect("a table can be read");
    }
    let tables: Vec<String> =
        database.shapes().iter().map(|shape| super::value::quote(&shape.name)).collect();
    for table in tables {
        // Generated columns are not in the shape; here they are.
        for row in query(database, &format!("SELECT * FROM {table}")) {
            lines.push(format!(
                "{table} * {}",
                row.iter().map(show).collect::<Vec<_>>().join(" | ")
            ));
        }
    }
    for row in query(database, "PRAGMA integrity_check") {
        lines.push(row.iter().map(show).collect());
    }
    lines.push(format!("{:?}", query(database, "PRAGMA user_version")));
    lines
}

fn show(value: &Value) -> String {
    match value {
        Value::Real(real) => format!("Real({:x} {real})", real.to_bits()),
        Value::Text(bytes) => format!("Text({})", bytes.escape_ascii()),
        other => format!("{other:?}"),
    }
}

fn assert_same(expected: &[String], found: &[String], what: &str) {
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found, "{what} differs");
    }
    assert_eq!(expected.len(), found.len(), "{what} has another number of facts");
}

fn integer(value: i64) -> Value {
    Value::Integer(value)
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn row(rowid: i64, values: Vec<Value>) -> Row {
    Row { rowid: Some(rowid), values }
}

/// The error that a statement gives in a transaction of its own.
fn refusal(database: &mut Database, sql: &str) -> Error {
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    let outcome = rows(database, sql, Vec::new());
    database.rollback();
    outcome.expect_err(sql)
}

fn assert_kind(error: &Error, kind: ErrorKind, part: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.message().contains(part), "{error:?} does not name {part}");
}
