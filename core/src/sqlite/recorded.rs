//! What the schema of a recorded state may hold, checked before anything of it is run or written
//! into `sqlite_schema`. Whoever can write to the bucket can write any schema.

use super::catalog::{SEQUENCES, STATISTICS};
use super::error::corrupt;
use super::guard::is_module;
use crate::Result;
use crate::change::{Schema, SchemaKind, SchemaObject};
use crate::limits::SCHEMA_OBJECTS_MAX;

/// The definition that SQLite gives to the table of counters.
const SEQUENCES_SQL: &str = "CREATE TABLE sqlite_sequence(name,seq)";

/// Fails for a schema that no object of this program has.
pub(super) fn check_recorded(schema: &Schema) -> Result<()> {
    if schema.objects.len() > SCHEMA_OBJECTS_MAX {
        return Err(corrupt(format!(
            "expected a schema of at most {SCHEMA_OBJECTS_MAX} tables, indexes, views and triggers, got {}",
            schema.objects.len()
        )));
    }
    schema.objects.iter().try_for_each(check)
}

fn check(object: &SchemaObject) -> Result<()> {
    let Some(sql) = object.sql.as_deref() else {
        return expect(object.kind == SchemaKind::Index, object, "a definition");
    };
    if object.name == SEQUENCES {
        return expect(sql == SEQUENCES_SQL, object, SEQUENCES_SQL);
    }
    if let Some((_, definition)) = STATISTICS.iter().find(|(name, _)| *name == object.name) {
        return expect(sql == *definition, object, definition);
    }
    // SQLite writes these words itself, whatever was in the statement.
    let begins: &[&str] = match object.kind {
        SchemaKind::Table => &["CREATE TABLE ", "CREATE VIRTUAL TABLE "],
        SchemaKind::Index => &["CREATE INDEX ", "CREATE UNIQUE INDEX "],
        SchemaKind::View => &["CREATE VIEW "],
        SchemaKind::Trigger => &["CREATE TRIGGER "],
    };
    expect(begins.iter().any(|begin| sql.starts_with(begin)), object, begins[0])?;
    if !object.is_virtual_table() {
        return Ok(());
    }
    let module = module_of(sql).unwrap_or_default();
    expect(is_module(&module), object, "a virtual table of a module that objects may use")
}

fn expect(is_met: bool, object: &SchemaObject, what: &str) -> Result<()> {
    if is_met {
        return Ok(());
    }
    Err(corrupt(format!(
        "expected {what} for {:?} in the schema, got {:?}",
        object.name, object.sql
    )))
}

/// The module in the definition of a virtual table: the word behind `USING`, which follows the
/// table's name.
fn module_of(sql: &str) -> Option<String> {
    let mut rest = skip_blanks(sql.strip_prefix("CREATE VIRTUAL TABLE")?);
    (_, rest) = word(rest)?;
    let (using, rest) = word(skip_blanks(rest))?;
    if !using.eq_ignore_ascii_case("using") {
        return None;
    }
    Some(word(skip_blanks(rest))?.0)
}

/// The name at the beginning of `sql`, in any of SQLite's quotation marks, and what follows.
fn word(sql: &str) -> Option<(String, &str)> {
    let close = match sql.chars().next()? {
        mark @ ('"' | '\'' | '`') => mark,
        '[' => ']',
        _ => {
            let is_end =
                |letter: char| letter.is_ascii_whitespace() || "(,;.'\"`[".contains(letter);
            let (name, rest) = sql.split_at(sql.find(is_end).unwrap_or(sql.len()));
            return (!name.is_empty()).then(|| (name.to_owned(), rest));
        }
    };
    let mut name = String::new();
    let mut rest = &sql[1..];
    loop {
        let at = rest.find(close)?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        // A mark that is doubled is part of the name; `]` can't be.
        match rest.strip_prefix(close).filter(|_| close != ']') {
            Some(more) => (name.push(close), rest = more).0,
            None => return Some((name, rest)),
        }
    }
}

fn skip_blanks(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|letter: char| letter.is_ascii_whitespace());
        sql = if let Some(comment) = sql.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = sql.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return sql;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_word_behind_using() {
        for (sql, module) in [
            ("CREATE VIRTUAL TABLE ft USING fts5(body)", Some("fts5")),
            ("CREATE VIRTUAL TABLE \"a USING b\" uSiNg fts5 (x)", Some("fts5")),
            ("CREATE VIRTUAL TABLE [ x ]/* USING fts5 */USING\n\"dbstat\"", Some("dbstat")),
            ("CREATE VIRTUAL TABLE 'it''s' -- USING fts5\n USING 'fts3'(a)", Some("fts3")),
            ("CREATE VIRTUAL TABLE main.x USING fts5", None),
            ("CREATE VIRTUAL TABLE x", None),
            ("CREATE VIRTUAL TABLE \"x USING fts5", None),
        ] {
            assert_eq!(module_of(sql).as_deref(), module, "{sql}");
        }
    }
}
