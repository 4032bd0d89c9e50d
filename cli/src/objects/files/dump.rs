//! A database as SQL text that SQLite's own shell runs.
//!
//! Promises: the statements make the same tables, rows, rowids and counters again.

use std::io::{self, Write};

use dotdo::commands::{SqliteFile, SqliteTable};
use dotdo::sql::ValueRef;

use crate::failure::Failure;

/// What full-text search keeps beside each of its tables.
const SHADOWS: [&str; 5] = ["config", "content", "data", "docsize", "idx"];

/// Writes a database.
///
/// # Errors
///
/// `Failed` when `out` can't be written, or the database has a table whose content is not in it.
pub(crate) fn write(file: &SqliteFile, out: &mut dyn Write) -> Result<(), Failure> {
    let dump = Dump { file, virtuals: virtual_tables(file) };
    dump.write(out).map_err(|cause| Failure::of("cannot write the SQL text", cause))
}

/// A table of full-text search.
struct Virtual {
    name: String,
    arguments: Vec<String>,
}

struct Dump<'a> {
    file: &'a SqliteFile,
    virtuals: Vec<Virtual>,
}

impl Dump<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;")?;
        let schema = self.file.schema();
        let of_kind = |kind: &'static str| {
            schema.iter().filter(move |object| object.kind == kind && !is_internal(&object.name))
        };
        let tables = self.file.tables();
        for object in of_kind("table").filter(|object| !self.is_shadow(&object.name)) {
            let Some(sql) = &object.sql else { continue };
            writeln!(out, "{sql};")?;
            if let Some(table) = tables.iter().find(|table| table.name == object.name) {
                self.write_rows(table, out)?;
            } else if let Some(found) = self.virtuals.iter().find(|found| found.name == object.name)
            {
                self.write_virtual(found, &tables, out)?;
            }
        }
        self.write_counters(out)?;
        for kind in ["index", "view", "trigger"] {
            for sql in of_kind(kind).filter_map(|object| object.sql.as_ref()) {
                writeln!(out, "{sql};")?;
            }
        }
        for (name, value) in [
            ("user_version", self.file.user_version()),
            ("application_id", self.file.application_id()),
        ] {
            if value != 0 {
                writeln!(out, "PRAGMA {name}={value};")?;
            }
        }
        writeln!(out, "COMMIT;")
    }

    /// The counters of AUTOINCREMENT, which the rows alone do not tell.
    fn write_counters(&self, out: &mut dyn Write) -> io::Result<()> {
        let counters: Vec<(&str, i64)> = self.file.sequences().collect();
        if !counters.is_empty() {
            writeln!(out, "DELETE FROM sqlite_sequence;")?;
        }
        for (table, counter) in counters {
            writeln!(
                out,
                "INSERT INTO sqlite_sequence VALUES({},{counter});",
                text(table.as_bytes())
            )?;
        }
        Ok(())
    }

    fn write_rows(&self, table: &SqliteTable, out: &mut dyn Write) -> io::Result<()> {
        let rowid = table.has_hidden_rowid.then(|| rowid_name(table));
        let names = rowid.map(str::to_owned).into_iter();
        let names = names.chain(table.columns.iter().map(|column| name(&column.name)));
        let names = names.collect::<Vec<_>>().join(",");
        let head = format!("INSERT INTO {}({names}) VALUES(", name(&table.name));
        scan(self.file, &table.name, |row, values| {
            let row = row.filter(|_| rowid.is_some()).map(|row| row.to_string());
            let values = row.into_iter().chain(values.iter().map(literal));
            writeln!(out, "{head}{});", values.collect::<Vec<_>>().join(","))
        })
    }

    /// Writes what full-text search has found words in; its index is made of it again.
    fn write_virtual(
        &self,
        found: &Virtual,
        tables: &[SqliteTable],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let option = |wanted: &str| {
            found.arguments.iter().find_map(|argument| {
                let (key, value) = argument.split_once('=')?;
                (key.trim().eq_ignore_ascii_case(wanted))
                    .then(|| value.trim().trim_matches(['\'', '"']))
            })
        };
        match option("content") {
            Some("") => Err(io::Error::other(format!(
                "the table {} keeps no content, only an index of it; use another format",
                found.name
            ))),
            Some(_) => {
                let table = name(&found.name);
                writeln!(out, "INSERT INTO {table}({table}) VALUES('rebuild');")
            }
            None => {
                let content = format!("{}_content", found.name);
                if !tables.iter().any(|table| table.name == content) {
                    return Ok(());
                }
                let columns = found.arguments.iter().filter(|argument| !argument.contains('='));
                let columns = columns.map(|column| {
                    name(
                        column
                            .split_whitespace()
                            .next()
                            .unwrap_or(column)
                            .trim_matches(['"', '\'', '`', '[', ']']),
                    )
                });
                let names = ["rowid".to_owned()].into_iter().chain(columns).collect::<Vec<_>>();
                let head =
                    format!("INSERT INTO {}({}) VALUES(", name(&found.name), names.join(","));
                scan(self.file, &content, |_, values| {
                    let values = values.iter().take(names.len()).map(literal).collect::<Vec<_>>();
                    writeln!(out, "{head}{});", values.join(","))
                })
            }
        }
    }

    /// Whether a table belongs to one of full-text search, which makes it.
    fn is_shadow(&self, table: &str) -> bool {
        self.virtuals.iter().any(|found| {
            let rest = table.strip_prefix(&*found.name).and_then(|rest| rest.strip_prefix('_'));
            rest.is_some_and(|rest| SHADOWS.contains(&rest))
        })
    }
}

/// Calls `each` with every row. An error of `each` stays one of reading or writing.
fn scan(
    file: &SqliteFile,
    table: &str,
    mut each: impl FnMut(Option<i64>, &[ValueRef<'_>]) -> io::Result<()>,
) -> io::Result<()> {
    let mut failure = None;
    let scanned = file.rows(table, |rowid, values| {
        each(rowid, values).map_err(|cause| {
            failure = Some(cause);
            dotdo::Error::internal("the output can't be written")
        })
    });
    match failure {
        Some(cause) => Err(cause),
        None => scanned.map_err(|error| io::Error::other(error.message().to_owned())),
    }
}

/// The tables of full-text search.
fn virtual_tables(file: &SqliteFile) -> Vec<Virtual> {
    let schema = file.schema();
    let found = schema.iter().filter_map(|object| {
        let sql = object.sql.as_deref()?;
        let head = sql.get(.."CREATE VIRTUAL TABLE".len())?;
        if !head.eq_ignore_ascii_case("CREATE VIRTUAL TABLE") {
            return None;
        }
        let (open, close) = (sql.find('(')?, sql.rfind(')')?);
        let arguments = arguments(sql.get(open + 1..close)?);
        Some(Virtual { name: object.name.clone(), arguments })
    });
    found.collect()
}

/// The arguments of a virtual table: what commas outside of quotes separate.
fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut quote) = (vec![String::new()], None);
    for char in text.chars() {
        match (char, quote) {
            (',', None) => found.push(String::new()),
            ('\'' | '"' | '`', None) => {
                quote = Some(char);
                found.last_mut().expect("there is one").push(char);
            }
            _ => {
                if quote == Some(char) {
                    quote = None;
                }
                found.last_mut().expect("there is one").push(char);
            }
        }
    }
    found
        .into_iter()
        .map(|argument| argument.trim().to_owned())
        .filter(|argument| !argument.is_empty())
        .collect()
}

/// Whether SQLite makes this table or index by itself.
fn is_internal(name: &str) -> bool {
    name.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("sqlite_"))
}

/// The name of the rowid that no column has.
fn rowid_name(table: &SqliteTable) -> &'static str {
    let is_free =
        |name: &&str| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(is_free).unwrap_or("rowid")
}

/// A name as it is written in SQL.
fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A value as it is written in SQL.
fn literal(value: &ValueRef<'_>) -> String {
    match *value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => real(number),
        ValueRef::Text(bytes) => text(bytes),
        ValueRef::Blob(bytes) => blob(bytes),
    }
}

/// A number that SQLite reads back to the bit.
fn real(number: f64) -> String {
    match number {
        f64::INFINITY => "9e999".to_owned(),
        f64::NEG_INFINITY => "-9e999".to_owned(),
        // The shortest digits that give the number back, with an exponent so that it is a real.
        number => format!("{number:e}"),
    }
}

/// Text, also such as a string of SQL can't have: with NUL, or not UTF-8.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => format!("'{}'", text.replace('\'', "''")),
        _ => format!("CAST({} AS TEXT)", blob(bytes)),
    }
}

fn blob(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X'{digits}'")
}
