//! Tables that come, go and change their names beside the lists, and what must be in them: a
//! database that was never restored tells.
//!
//! What a request does to them follows from the value that it appends and from what is there. So
//! the list, which is the order of all writes, says what the whole database must hold after each of
//! them.

use crate::change::Value;
use crate::error::{ErrorKind, Result};
use crate::object::Sql;
use crate::sqlite::{Database, Limits, Mode};

/// What a value does is its remainder by this.
pub(super) const CODES: i64 = 100;

/// How many tables there are that one script can be about.
const TABLES: i64 = 3;

/// `T` is the table's name, `V` the value. A statement that fails is passed over, as a handler
/// might.
const SCRIPTS: [&[&str]; 22] = [
    &[
        "CREATE TABLE IF NOT EXISTS T (a INTEGER PRIMARY KEY, b TEXT)",
        "INSERT INTO T (b) VALUES ('V')",
    ],
    &["DROP TABLE IF EXISTS T"],
    &["INSERT INTO T (b) VALUES ('V'), ('V more')"],
    &["UPDATE T SET b = b || 'x' WHERE rowid % 2 = 0", "DELETE FROM T WHERE rowid % 3 = 0"],
    &[
        "CREATE TABLE IF NOT EXISTS T_new (a INTEGER PRIMARY KEY, b TEXT, c TEXT)",
        "INSERT OR REPLACE INTO T_new SELECT a, b, 'V' FROM T",
    ],
    &["DROP TABLE T", "ALTER TABLE T_new RENAME TO T"],
    &[
        "DROP TABLE IF EXISTS T",
        "CREATE TABLE T (a INTEGER PRIMARY KEY, b TEXT)",
        "INSERT INTO T VALUES (1, 'V')",
    ],
    &["CREATE UNIQUE INDEX IF NOT EXISTS T_i ON T (b, a)"],
    &["DROP INDEX IF EXISTS T_i"],
    &[
        "CREATE TABLE IF NOT EXISTS heard (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)",
        "CREATE TRIGGER IF NOT EXISTS T_t AFTER INSERT ON T BEGIN INSERT INTO heard (what) VALUES (new.b); END",
        "INSERT INTO T (b) VALUES ('V')",
    ],
    &["DROP TRIGGER IF EXISTS T_t"],
    &[
        "SAVEPOINT s",
        "CREATE TABLE T (a INTEGER PRIMARY KEY, b TEXT)",
        "EXPLAIN ROLLBACK TO s",
        "INSERT INTO T (b) VALUES ('V')",
        "RELEASE s",
    ],
    &[
        "SAVEPOINT s",
        "DROP TABLE IF EXISTS T",
        "CREATE TABLE T (a TEXT PRIMARY KEY, b) WITHOUT ROWID",
        "ROLLBACK TO s",
        "RELEASE s",
    ],
    &[
        "ALTER TABLE T RENAME TO T_old",
        "ALTER TABLE T_new RENAME TO T",
        "ALTER TABLE T_old RENAME TO T_new",
    ],
    &["ALTER TABLE T ADD COLUMN d DEFAULT 'V'"],
    &["CREATE VIEW IF NOT EXISTS T_v AS SELECT b FROM T", "UPDATE T SET b = 'V' WHERE rowid = 1"],
    &["DROP VIEW IF EXISTS T_v"],
    &[
        "CREATE TABLE IF NOT EXISTS T (a TEXT PRIMARY KEY, b) WITHOUT ROWID",
        "INSERT OR REPLACE INTO T (a, b) VALUES ('k', 'V')",
    ],
    &[
        "DROP TABLE IF EXISTS T",
        "CREATE TABLE T (b TEXT, a INTEGER)",
        "INSERT INTO T (b) VALUES ('V')",
    ],
    &[
        "SAVEPOINT s",
        "ALTER TABLE T RENAME TO T_old",
        "ROLLBACK TO s",
        "INSERT INTO T (b) VALUES ('V')",
        "RELEASE s",
        "DROP TABLE IF EXISTS T_new",
    ],
    &["DELETE FROM T", "INSERT INTO T (b) VALUES ('V')"],
    &[
        "CREATE INDEX IF NOT EXISTS T_i ON T (b)",
        "EXPLAIN DROP INDEX T_i",
        "EXPLAIN DROP TABLE T",
        "INSERT OR REPLACE INTO T (rowid, b) VALUES (2, 'V')",
    ],
];

/// The codes that do something; all others do nothing.
pub(super) fn codes() -> std::ops::Range<i64> {
    1..1 + TABLES * i64::try_from(SCRIPTS.len()).expect("some scripts")
}

/// The codes by which one table is made, filled, rebuilt under another name, and replaced by that.
pub(super) fn rebuilds() -> Vec<i64> {
    [0, 2, 4, 5].into_iter().map(|script| 1 + TABLES * script).collect()
}

/// Does to an object's tables what `value` asks for.
///
/// # Errors
///
/// What is not the statements' own fault.
pub(super) fn change(mut sql: Sql<'_>, value: i64) -> Result<()> {
    let code = value % CODES;
    if !codes().contains(&code) {
        return Ok(());
    }
    let (script, table) = ((code - 1) / TABLES, (code - 1) % TABLES);
    let name = format!("t{table}");
    for statement in SCRIPTS[usize::try_from(script).expect("a code that there is")] {
        let text = filled(statement, &name, value);
        let outcome = sql.reborrow().exec(&text, ()).and_then(|mut cursor| cursor.values());
        outcome.map(drop).or_else(|error| {
            if error.kind() == ErrorKind::Handler { Ok(()) } else { Err(error) }
        })?;
    }
    Ok(())
}

/// The statement with the table's name and the value in it.
fn filled(statement: &str, name: &str, value: i64) -> String {
    let mut text = String::new();
    let mut before = ' ';
    for (index, letter) in statement.char_indices() {
        let after = statement[index + 1..].chars().next().unwrap_or(' ');
        let alone = !before.is_ascii_alphanumeric() && !after.is_ascii_alphanumeric();
        match letter {
            'T' if alone => text.push_str(name),
            'V' if alone => text.push_str(&value.to_string()),
            _ => text.push(letter),
        }
        before = letter;
    }
    text
}

/// Everything that a database holds besides the list and what dotdo keeps there itself.
///
/// # Errors
///
/// What reading fails with.
pub(super) fn content(mut sql: Sql<'_>) -> Result<String> {
    let query = r"SELECT type, name, tbl_name, sql FROM sqlite_schema
        WHERE tbl_name NOT LIKE '\_dotdo%' ESCAPE '\' AND tbl_name NOT IN ('list', 'steps', 'pending', 'sqlite_sequence') ORDER BY type, name";
    let schema = sql.reborrow().exec(query, ())?.values()?;
    let mut lines = Vec::new();
    for row in schema {
        lines.push(line(&row));
        let [Value::Text(kind), Value::Text(name), ..] = row.as_slice() else { continue };
        if kind != b"table" {
            continue;
        }
        let name = String::from_utf8_lossy(name);
        let with_rowid = sql
            .reborrow()
            .exec(&format!("SELECT rowid, * FROM \"{name}\""), ())
            .and_then(|mut cursor| cursor.values());
        let rows = match with_rowid {
            Err(error) if error.kind() == ErrorKind::Handler => {
                sql.reborrow().exec(&format!("SELECT * FROM \"{name}\""), ())?.values()?
            }
            rows => rows?,
        };
        let mut rows: Vec<String> = rows.iter().map(|row| line(row)).collect();
        rows.sort();
        lines.append(&mut rows);
    }
    // The table comes with the first counter, which may be one of dotdo's own.
    let counters =
        r"SELECT * FROM sqlite_sequence WHERE name NOT LIKE '\_dotdo%' ESCAPE '\' ORDER BY name";
    if let Ok(rows) = sql.reborrow().exec(counters, ()).and_then(|mut cursor| cursor.values()) {
        lines.extend(rows.iter().map(|row| line(row)));
    }
    Ok(lines.join("\n"))
}

fn line(row: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        other => format!("{other:?}"),
    };
    row.iter().map(text).collect::<Vec<_>>().join(" | ")
}

/// A database that has only ever been in memory.
pub(super) struct Reference(Database);

impl Reference {
    pub(super) fn new() -> Self {
        let limits = Limits {
            database_bytes_max: 64 << 20,
            row_bytes_max: 1 << 20,
            temporary_bytes_max: 64 << 20,
        };
        Self(Database::new(&limits).expect("a database opens"))
    }

    /// Does what appending `value` does.
    pub(super) fn add(&mut self, value: i64) {
        self.0.begin(Mode::ReadWrite).expect("a transaction begins");
        change(Sql::new(&mut self.0), value).expect("statements fail by their own fault only");
        self.0.prepare_commit().expect("what an object has committed can be committed");
        self.0.commit().expect("a transaction ends");
    }

    pub(super) fn content(&mut self) -> String {
        self.0.begin(Mode::ReadOnly).expect("a transaction begins");
        let content = content(Sql::new(&mut self.0)).expect("it can be read");
        self.0.rollback();
        content
    }
}

#[test]
fn every_script_can_do_something() {
    for code in codes() {
        let (mut changed, mut tables) = (Reference::new(), Reference::new());
        for value in [1, 1 + 12, code, code + CODES, code + 2 * CODES] {
            changed.add(value);
            tables.add(if value == code { 0 } else { value });
        }
        let table = (code - 1) % TABLES;
        assert!(!filled("T V _T T_x", &format!("t{table}"), code).contains('V'));
    }
}
