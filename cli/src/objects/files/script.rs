//! A database from SQL text: of `dotdo snapshot export`, of SQLite's `.dump`, of D1's export.

use dotdo::commands::SqliteFile;

use crate::failure::{Failure, plain};
use crate::objects::sql::split;

/// The pragmas that are a part of a database. Others are about the connection that runs the text.
const PRAGMAS: [&str; 2] = ["user_version", "application_id"];

/// The SQLite file with what the statements make.
///
/// # Errors
///
/// `Failed` for a statement that can't be run, with its line.
pub(crate) fn database(text: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: dotdo::Error| Failure::Failed(error.message().to_owned());
    let mut file = SqliteFile::new().map_err(failed)?;
    for statement in split(text) {
        if is_about_connection(statement) {
            continue;
        }
        file.execute_dump(statement).map_err(|error| {
            let before = statement.as_ptr().addr() - text.as_ptr().addr();
            let line = text[..before].matches('\n').count() + 1;
            Failure::Failed(format!(
                "line {line} of the SQL text can't be run: {}: {}",
                error.message(),
                plain(statement)
            ))
        })?;
    }
    Ok(file.bytes().map_err(failed)?.to_vec())
}

/// Whether a statement is about a transaction or a setting of the connection that the text was made
/// for: nobody sees a file that is not whole, and foreign keys need not hold before its end.
fn is_about_connection(statement: &str) -> bool {
    let mut words = statement.split(|char: char| !char.is_alphanumeric() && char != '_');
    let first = words.next().unwrap_or_default().to_ascii_lowercase();
    match &*first {
        "begin" | "commit" | "end" => true,
        "pragma" => {
            let name = words.find(|word| !word.is_empty()).unwrap_or_default().to_ascii_lowercase();
            !PRAGMAS.contains(&&*name)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::diff::are_equal;
    use crate::objects::files::dump;

    #[test]
    fn transactions_and_pragmas_of_connections_are_left_out() {
        for left_out in [
            "BEGIN TRANSACTION;",
            "commit;",
            "PRAGMA foreign_keys=OFF;",
            "pragma defer_foreign_keys = TRUE;",
        ] {
            assert!(is_about_connection(left_out), "{left_out}");
        }
        for kept in ["PRAGMA user_version=3;", "INSERT INTO begin VALUES(1);", "CREATE TABLE a(b);"]
        {
            assert!(!is_about_connection(kept), "{kept}");
        }
    }

    #[test]
    fn a_statement_that_can_not_be_run_is_named_with_its_line() {
        let failure = database("CREATE TABLE a(b);\n\nINSERT INTO c VALUES(1);").expect_err("no c");
        assert!(
            failure.message().contains("line 3") && failure.message().contains("INSERT INTO c"),
            "{}",
            failure.message()
        );
    }

    /// As `wrangler d1 export` writes it: rows before those that they refer to, and counters.
    const D1: &str = "PRAGMA defer_foreign_keys=TRUE;
        CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);
        INSERT INTO \"d1_migrations\" VALUES(1,'0001_init.sql','2026-01-31 12:00:00');
        CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
        CREATE TABLE [comment] (id INTEGER PRIMARY KEY, note INTEGER REFERENCES note(id), text TEXT);
        INSERT INTO \"comment\" VALUES(1,7,replace('two\\nlines','\\n',char(10)));
        CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);
        INSERT INTO \"note\" VALUES(7,'a note');
        DELETE FROM sqlite_sequence;
        INSERT INTO \"sqlite_sequence\" VALUES('d1_migrations',4);
        CREATE INDEX by_note ON comment(note);";

    #[test]
    fn an_export_of_d1_is_taken() {
        let made = database(D1).unwrap_or_else(|why| panic!("{}", why.message()));
        let (state, counts) = SqliteFile::open_as_state(made).expect("an object can have it");
        assert_eq!(counts.1, 3, "one row in each of three tables");
        assert_eq!(state.sequences().collect::<Vec<_>>(), [("d1_migrations", 4)]);
        let mut texts = Vec::new();
        let rows = state.rows("comment", |_, values| {
            texts.push(format!("{:?}", values[2].to_owned()));
            Ok(())
        });
        rows.expect("it has rows");
        let expected = dotdo::sql::ValueRef::Text(b"two\nlines").to_owned();
        assert_eq!(texts, [format!("{expected:?}")]);
    }

    /// Schemas and values that are easily lost.
    const ODD: &str = "
        CREATE TABLE odd (a INTEGER PRIMARY KEY AUTOINCREMENT, \"from\", c BLOB DEFAULT x'00', d AS (a + 1) STORED);
        INSERT INTO odd (\"from\", c) VALUES ('it''s; \n', x'00ff'), (9e999, NULL), (-9223372036854775808, 'x');
        DELETE FROM odd WHERE a = 3;
        CREATE TABLE bare (v); INSERT INTO bare (rowid, v) VALUES (5, 1.5), (1000000, CAST(x'fffe' AS TEXT));
        INSERT INTO bare VALUES ('a' || char(0) || 'b'), (0.1), (1e300), (-3.0);
        CREATE TABLE keyed (k TEXT, n, PRIMARY KEY (k, n)) WITHOUT ROWID; INSERT INTO keyed VALUES ('a', 1), ('a', 2);
        CREATE VIRTUAL TABLE words USING fts5(title, body, tokenize = 'porter ascii');
        INSERT INTO words (rowid, title, body) VALUES (7, 'a title', 'running, ''quoted'''), (9, NULL, '');
        CREATE INDEX i ON odd (\"from\") WHERE a > 1; CREATE VIEW w AS SELECT * FROM bare;
        CREATE TRIGGER t AFTER DELETE ON odd BEGIN DELETE FROM bare WHERE v = old.a; END;
        PRAGMA user_version = 7;";

    #[test]
    fn a_database_is_the_same_after_its_way_through_sql_text() {
        let first = database(ODD).unwrap_or_else(|why| panic!("{}", why.message()));
        let mut text = Vec::new();
        dump::write(&SqliteFile::open(first.clone()).expect("it is one"), &mut text)
            .expect("memory can be written");
        let text = String::from_utf8(text).expect("it is text");
        let second = database(&text).unwrap_or_else(|why| panic!("{}: {text}", why.message()));
        assert!(are_equal(&first, &second).expect("both can be read"), "{text}");
        let again = SqliteFile::open(second).expect("it is one");
        assert_eq!(again.user_version(), 7);
        assert_eq!(again.sequences().collect::<Vec<_>>(), [("odd", 3)]);
    }
}
