//! A key-value store for objects without a schema: one table in the object's own database.

mod checker;
mod exact;
mod key;
mod range;
mod reader;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::exact::encode;
use self::range::Range;
use self::reader::decode;
use crate::error::{Error, Result};
use crate::object::savepoint::savepoint;
use crate::object::sql::Sql;
use crate::object::table;
use crate::sqlite::Database;

/// The store's table: an ordinary table that SQL and Iceberg readers see.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";

/// The definition of that table, as SQLite keeps it.
pub(crate) fn definition() -> String {
    CREATE.replacen("IF NOT EXISTS ", "", 1)
}

/// Maximum length of a key, in bytes.
const KEY_BYTES_MAX: usize = 2048;

/// A key-value store, with values that serde can write as JSON.
///
/// A value comes back as it was put, or is refused: NaN and infinities, integers of more than 64
/// bits, `Some(None)`, and nesting of more than 127 levels are, with the code `VALUE_NOT_STORABLE`.
/// Bytes are lists of numbers. SQL and engines see the table `_dotdo_kv` with the columns `key` and
/// `value`, which is JSON.
///
/// Everything is synchronous: the values are in memory, and the response of the request waits until
/// the changes are in the bucket. So there is nothing to allow, to confirm or to flush, as options
/// of Cloudflare's storage do.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, Error, ListOptions, Result};
///
/// fn rename(ctx: &mut Context, from: &str, to: &str) -> Result<Vec<String>> {
///     let mut storage = ctx.storage();
///     storage.transaction(|storage| {
///         let note: String =
///             storage.get(from)?.ok_or_else(|| Error::not_found("there is no such note"))?;
///         storage.put(to, &note)?;
///         storage.delete(from)?;
///         Ok(())
///     })?;
///     let notes = storage.list::<String>(&ListOptions::default())?;
///     Ok(notes.into_iter().map(|(key, _)| key).collect())
/// }
/// ```
pub struct Storage<'a> {
    database: &'a mut Database,
}

/// The keys for [`Storage::list`], in the order of their bytes.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, ListOptions, Result};
///
/// fn newest(ctx: &mut Context) -> Result<Vec<(String, String)>> {
///     let options = ListOptions {
///         prefix: "note/".into(),
///         reverse: true,
///         limit: Some(10),
///         ..ListOptions::default()
///     };
///     ctx.storage().list(&options)
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Only keys with this prefix.
    pub prefix: String,
    /// Only keys from this one on.
    pub start: Option<String>,
    /// Only keys after this one, such as the last of the page before.
    pub start_after: Option<String>,
    /// Only keys before this one.
    pub end: Option<String>,
    /// Maximum number of keys.
    pub limit: Option<u32>,
    /// Whether the last key comes first.
    pub reverse: bool,
}

impl<'a> Storage<'a> {
    pub(crate) fn new(database: &'a mut Database) -> Self {
        Self { database }
    }

    /// The value under `key`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// `Invalid` when the value does not have the expected type.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        if !self.exists()? {
            return Ok(None);
        }
        let text: Option<String> =
            self.sql().exec("SELECT value FROM _dotdo_kv WHERE key = ?", (key,))?.first()?;
        text.map(|text| decode(&text).map_err(|cause| mismatch(key, &cause))).transpose()
    }

    /// The values under those of `keys` that exist, in the order of the keys' bytes.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn total(ctx: &mut dotdo::Context, names: &[String]) -> dotdo::Result<u64> {
    ///     Ok(ctx.storage().get_many::<u64>(names)?.into_values().sum())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` when a value does not have the expected type.
    pub fn get_many<T: DeserializeOwned>(
        &mut self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<BTreeMap<String, T>> {
        let mut found = BTreeMap::new();
        for key in keys {
            if let Some(value) = self.get(key.as_ref())? {
                found.insert(key.as_ref().to_owned(), value);
            }
        }
        Ok(found)
    }

    /// Stores `value` under `key`, replacing an existing value.
    ///
    /// # Errors
    ///
    /// `Invalid` when the key is empty or longer than 2,048 bytes, or the value would come back as
    /// another one (`VALUE_NOT_STORABLE`).
    pub fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "expected a key of 1 to {KEY_BYTES_MAX} bytes, got {}",
                key.len()
            )));
        }
        let text = encode(key, value)?;
        self.sql().exec(CREATE, ())?;
        self.sql().exec("INSERT INTO _dotdo_kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, text))?;
        Ok(())
    }

    /// Stores values under their keys, all or none of them.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn seed(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     ctx.storage().put_many([("apples", 3), ("pears", 5)])
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Storage::put`], for any of them.
    pub fn put_many<T: Serialize>(
        &mut self,
        entries: impl IntoIterator<Item = (impl AsRef<str>, T)>,
    ) -> Result<()> {
        self.transaction(|storage| {
            entries.into_iter().try_for_each(|(key, value)| storage.put(key.as_ref(), &value))
        })
    }

    /// Deletes `key`; returns whether it existed.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn delete(&mut self, key: &str) -> Result<bool> {
        if !self.exists()? {
            return Ok(false);
        }
        let removed: Option<String> = self
            .sql()
            .exec("DELETE FROM _dotdo_kv WHERE key = ? RETURNING key", (key,))?
            .first()?;
        Ok(removed.is_some())
    }

    /// Deletes `keys`, all or none of them; returns how many existed.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn delete_many(
        &mut self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<usize> {
        self.transaction(|storage| {
            keys.into_iter()
                .try_fold(0, |count, key| Ok(count + usize::from(storage.delete(key.as_ref())?)))
        })
    }

    /// Deletes all keys; returns how many there were. What the object has in tables of its own
    /// stays.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn delete_all(&mut self) -> Result<u64> {
        if !self.exists()? {
            return Ok(0);
        }
        Ok(self.sql().exec("DELETE FROM _dotdo_kv", ())?.rows_written())
    }

    /// Keys and values in the order of the keys' bytes.
    ///
    /// # Errors
    ///
    /// `Invalid` when a value does not have the expected type, or `options` have both `start` and
    /// `start_after`.
    pub fn list<T: DeserializeOwned>(&mut self, options: &ListOptions) -> Result<Vec<(String, T)>> {
        let Range { filter, params } = Range::of(options)?;
        if !self.exists()? {
            return Ok(Vec::new());
        }
        let order = if options.reverse { "DESC" } else { "ASC" };
        let limit = options.limit.map_or(-1, i64::from);
        let query = format!(
            "SELECT key, value FROM _dotdo_kv WHERE {filter} ORDER BY key {order} LIMIT {limit}"
        );
        let rows: Vec<(String, String)> = self.sql().exec(&query, params)?.rows()?;
        rows.into_iter()
            .map(|(key, text)| {
                let value = decode(&text).map_err(|cause| mismatch(&key, &cause))?;
                Ok((key, value))
            })
            .collect()
    }

    /// Runs `body`; if it returns an error, its changes are rolled back.
    ///
    /// # Errors
    ///
    /// The error of `body`, or of the savepoint around it.
    pub fn transaction<T>(
        &mut self,
        body: impl FnOnce(&mut Storage<'_>) -> Result<T>,
    ) -> Result<T> {
        savepoint(
            self,
            |storage| storage.database,
            |storage| body(&mut Storage { database: storage.database }),
        )
    }

    fn sql(&mut self) -> Sql<'_> {
        Sql::own(self.database)
    }

    /// Whether the table exists, which reading does not create.
    fn exists(&mut self) -> Result<bool> {
        table::exists(self.database, "_dotdo_kv")
    }
}

fn mismatch(key: &str, cause: &serde_json::Error) -> Error {
    Error::invalid(format!("the value under {key:?} does not have the expected type: {cause}"))
        .confidential(
            "a value in the object's storage does not have the type that its class expects",
        )
}
