//! Keys and values for objects that need no schema: one table of the object's own database.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::Value;
use crate::error::{Error, Result};
use crate::object::savepoint::savepoint;
use crate::object::sql::Sql;
use crate::object::table;
use crate::sqlite::Database;

/// The table that holds them; it is an ordinary table that SQL and Iceberg readers see.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 2048;

/// Keys and values; values are anything that serde can write as JSON.
pub struct Storage<'a> {
    database: &'a mut Database,
}

/// Which keys [`Storage::list`] returns, in order of their bytes.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Only keys that start so.
    pub prefix: String,
    /// Only keys from here on.
    pub start: Option<String>,
    /// Only keys before this.
    pub end: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Last key first.
    pub reverse: bool,
}

impl<'a> Storage<'a> {
    pub(crate) fn new(database: &'a mut Database) -> Self {
        Self { database }
    }

    /// The value under `key`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// `Invalid` when the value is not of the wanted shape.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        if !self.exists()? {
            return Ok(None);
        }
        let text: Option<String> = self.sql().exec("SELECT value FROM _dotdo_kv WHERE key = ?", (key,))?.first()?;
        text.map(|text| serde_json::from_str(&text).map_err(|cause| mismatch(key, &cause))).transpose()
    }

    /// Puts `value` under `key`, replacing what was there.
    ///
    /// # Errors
    ///
    /// `Invalid` when the key is empty or longer than 2,048 bytes, or the value can't be written as JSON.
    pub fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Error::invalid(format!("a key has 1 to {KEY_BYTES_MAX} bytes, this one has {}", key.len())));
        }
        let text = serde_json::to_string(value)?;
        self.sql().exec(CREATE, ())?;
        self.sql().exec("INSERT INTO _dotdo_kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, text))?;
        Ok(())
    }

    /// Removes `key`; whether there was one.
    ///
    /// # Errors
    ///
    /// What the database fails with.
    pub fn delete(&mut self, key: &str) -> Result<bool> {
        if !self.exists()? {
            return Ok(false);
        }
        let removed: Option<String> = self.sql().exec("DELETE FROM _dotdo_kv WHERE key = ? RETURNING key", (key,))?.first()?;
        Ok(removed.is_some())
    }

    /// Keys and values in the order of the keys' bytes.
    ///
    /// # Errors
    ///
    /// `Invalid` when a value is not of the wanted shape.
    pub fn list<T: DeserializeOwned>(&mut self, options: &ListOptions) -> Result<Vec<(String, T)>> {
        if !self.exists()? {
            return Ok(Vec::new());
        }
        let (filter, params) = list_filter(options);
        let order = if options.reverse { "DESC" } else { "ASC" };
        let limit = options.limit.map_or(-1, i64::from);
        let query = format!("SELECT key, value FROM _dotdo_kv WHERE {filter} ORDER BY key {order} LIMIT {limit}");
        let rows: Vec<(String, String)> = self.sql().exec(&query, params)?.rows()?;
        rows.into_iter()
            .map(|(key, text)| {
                let value = serde_json::from_str(&text).map_err(|cause| mismatch(&key, &cause))?;
                Ok((key, value))
            })
            .collect()
    }

    /// Runs `body`; when it returns an error, what it changed is undone.
    ///
    /// # Errors
    ///
    /// The error of `body`, or of the savepoint around it.
    pub fn transaction<T>(&mut self, body: impl FnOnce(&mut Storage<'_>) -> Result<T>) -> Result<T> {
        savepoint(self, |storage| storage.database, |storage| body(&mut Storage { database: storage.database }))
    }

    fn sql(&mut self) -> Sql<'_> {
        Sql::new(self.database)
    }

    /// Whether anything was ever put; reading makes no table.
    fn exists(&mut self) -> Result<bool> {
        table::exists(self.database, "_dotdo_kv")
    }
}

/// The condition and its parameters for `options`.
fn list_filter(options: &ListOptions) -> (String, Vec<Value>) {
    let text = |text: &str| Value::Text(text.as_bytes().to_vec());
    let mut filter = "substr(key, 1, length(?)) = ?".to_owned();
    let mut params = vec![text(&options.prefix), text(&options.prefix)];
    let bounds = [(">=", Some(&options.prefix)), (">=", options.start.as_ref()), ("<", options.end.as_ref())];
    for (operator, bound) in bounds {
        if let Some(bound) = bound {
            filter.push_str(&format!(" AND key {operator} ?"));
            params.push(text(bound));
        }
    }
    (filter, params)
}

fn mismatch(key: &str, cause: &serde_json::Error) -> Error {
    Error::invalid(format!("the value under {key:?} is not of the wanted shape: {cause}"))
}
