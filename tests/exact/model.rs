//! The same statements in a SQLite of its own: what must come back.

use dotdo_core::Value;
use dotdo_tests::sql_object::{Database, dump};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

/// A database that nobody stores.
pub(crate) struct Model(Connection);

impl Model {
    pub(crate) fn new() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens a database in memory");
        let on = |config, is_on| {
            connection.set_db_config(config, is_on).expect("SQLite has this switch")
        };
        on(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true);
        on(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true);
        on(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false);
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 100),
            (Limit::SQLITE_LIMIT_LENGTH, 16 << 20),
            (Limit::SQLITE_LIMIT_COLUMN, 1999),
        ] {
            connection.set_limit(limit, value).expect("SQLite has this limit");
        }
        Self(connection)
    }

    pub(crate) fn begin(&self) {
        self.0.execute_batch("BEGIN").expect("a transaction begins");
    }

    /// Runs one statement; nothing happens any more once SQLite has rolled the transaction back by
    /// itself.
    pub(crate) fn run(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        if self.0.is_autocommit() {
            return Err("the transaction is gone".to_owned());
        }
        self.0.query(sql).map(|(_, rows)| rows)
    }

    pub(crate) fn commit(&self) -> Result<(), String> {
        if self.0.is_autocommit() {
            return Err("the transaction is gone".to_owned());
        }
        self.0.execute_batch("COMMIT").map_err(|error| error.to_string())
    }

    pub(crate) fn rollback(&self) {
        if !self.0.is_autocommit() {
            self.0.execute_batch("ROLLBACK").expect("a transaction can be rolled back");
        }
    }

    /// Whether a row has the largest rowid in a table where SQLite would choose the next one at
    /// random.
    pub(crate) fn is_unpredictable(&mut self) -> bool {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' AND sql NOT LIKE '%AUTOINCREMENT%'";
        let Ok((_, names)) = self.0.query(tables) else { return true };
        names.iter().flatten().any(|name| {
            let Value::Text(name) = name else { return false };
            let name = String::from_utf8_lossy(name).replace('"', "\"\"");
            ["rowid", "_rowid_", "oid"].iter().any(|alias| {
                // A table without rowid has no such column, and text in a column of this name is
                // not equal to a number.
                let found = self.0.query(&format!(
                    "SELECT 1 FROM \"{name}\" WHERE [{alias}] = 9223372036854775807 LIMIT 1"
                ));
                found.is_ok_and(|(_, rows)| !rows.is_empty())
            })
        })
    }

    pub(crate) fn dump(&mut self) -> Vec<String> {
        dump(&mut self.0)
    }
}
