//! A key-value store for objects without a schema: one table in the object's own database.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::Value;
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
        text.map(|text| serde_json::from_str(&text).map_err(|cause| mismatch(key, &cause)))
            .transpose()
    }

    /// Stores `value` under `key`, replacing an existing value.
    ///
    /// # Errors
    ///
    /// `Invalid` when the key is empty or longer than 2,048 bytes, or the value can't be written as
    /// JSON.
    pub fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "expected a key of 1 to {KEY_BYTES_MAX} bytes, got {}",
                key.len()
            )));
        }
        let text = serde_json::to_string(value)?;
        self.sql().exec(CREATE, ())?;
        self.sql().exec("INSERT INTO _dotdo_kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, text))?;
        Ok(())
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

    /// Keys and values in the order of the keys' bytes.
    ///
    /// # Errors
    ///
    /// `Invalid` when a value does not have the expected type.
    pub fn list<T: DeserializeOwned>(&mut self, options: &ListOptions) -> Result<Vec<(String, T)>> {
        if !self.exists()? {
            return Ok(Vec::new());
        }
        let (filter, params) = list_filter(options);
        let order = if options.reverse { "DESC" } else { "ASC" };
        let limit = options.limit.map_or(-1, i64::from);
        let query = format!(
            "SELECT key, value FROM _dotdo_kv WHERE {filter} ORDER BY key {order} LIMIT {limit}"
        );
        let rows: Vec<(String, String)> = self.sql().exec(&query, params)?.rows()?;
        rows.into_iter()
            .map(|(key, text)| {
                let value = serde_json::from_str(&text).map_err(|cause| mismatch(&key, &cause))?;
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

/// The condition and its parameters for `options`.
fn list_filter(options: &ListOptions) -> (&'static str, Vec<Value>) {
    let text = |text: &[u8]| Value::Text(text.to_vec());
    let from = options
        .start
        .as_ref()
        .map_or(options.prefix.as_bytes(), |start| start.as_bytes().max(options.prefix.as_bytes()));
    let behind = after_prefix(options.prefix.as_bytes());
    let end = options.end.as_ref().map(|end| end.as_bytes().to_vec());
    match behind.into_iter().chain(end).min() {
        Some(end) => ("key >= ? AND key < ?", vec![text(from), Value::Text(end)]),
        None => ("key >= ?", vec![text(from)]),
    }
}

/// The first text, not necessarily UTF-8, after all texts that begin with `prefix`; `None` when
/// there is none.
///
/// Functions such as `length` and `substr` stop at a NUL; comparisons don't.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let (last, before) = prefix.split_last()?;
    // No byte of UTF-8 is 255.
    Some(before.iter().copied().chain([last + 1]).collect())
}

fn mismatch(key: &str, cause: &serde_json::Error) -> Error {
    Error::invalid(format!("the value under {key:?} does not have the expected type: {cause}"))
        .confidential(
            "a value in the object's storage does not have the type that its class expects",
        )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::sqlite::{Limits, Mode};

    fn database() -> Database {
        let mut database = Database::new(&Limits {
            database_bytes_max: 1 << 24,
            row_bytes_max: 1 << 20,
            temporary_bytes_max: 64 << 20,
        })
        .expect("a database opens");
        database.begin(Mode::ReadWrite).expect("a transaction begins");
        database
    }

    fn listed(storage: &mut Storage<'_>, options: &ListOptions) -> Vec<String> {
        storage.list::<u8>(options).expect("it lists").into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_prefix_that_holds_nul_finds_its_keys() {
        let mut database = database();
        let mut storage = Storage::new(&mut database);
        for key in ["a", "a\0", "a\0b", "a\0b\0c", "a\u{1}", "b", "\0", "\u{10ffff}", "\u{10ffff}z"]
        {
            storage.put(key, &1).expect("it is put");
        }
        let with = |prefix: &str| ListOptions { prefix: prefix.into(), ..ListOptions::default() };
        assert_eq!(listed(&mut storage, &with("a\0")), ["a\0", "a\0b", "a\0b\0c"]);
        assert_eq!(listed(&mut storage, &with("\0")), ["\0"]);
        assert_eq!(listed(&mut storage, &with("a\0b\0")), ["a\0b\0c"]);
        assert_eq!(listed(&mut storage, &with("\u{10ffff}")), ["\u{10ffff}", "\u{10ffff}z"]);
        assert_eq!(storage.get::<u8>("a\0b").expect("it reads"), Some(1));
        assert!(storage.delete("a\0b").expect("it deletes"));
        assert_eq!(listed(&mut storage, &with("a\0")), ["a\0", "a\0b\0c"]);
    }

    #[test]
    fn a_prefix_is_a_range_of_the_key_with_two_ends() {
        let mut database = database();
        Storage::new(&mut database).put("k", &1).expect("it is put");
        let (filter, params) =
            list_filter(&ListOptions { prefix: "k".into(), ..ListOptions::default() });
        let query =
            format!("EXPLAIN QUERY PLAN SELECT key FROM _dotdo_kv WHERE {filter} ORDER BY key");
        let plan = format!(
            "{:?}",
            Sql::new(&mut database)
                .exec(&query, params)
                .expect("it is explained")
                .json()
                .expect("rows")
        );
        assert!(plan.contains("SEARCH _dotdo_kv USING PRIMARY KEY (key>? AND key<?)"), "{plan}");
    }

    proptest! {
        #[test]
        fn a_listing_is_what_a_map_answers(
            keys in prop::collection::btree_set("[\\x00ab\u{7f}é\u{10ffff}]{1,4}", 0..20),
            prefix in "[\\x00ab\u{7f}é\u{10ffff}]{0,2}",
            start in prop::option::of("[\\x00ab\u{7f}é]{0,3}"),
            end in prop::option::of("[\\x00ab\u{7f}é]{0,3}"),
            limit in prop::option::of(0_u32..5),
            reverse: bool,
        ) {
            let mut database = database();
            let mut storage = Storage::new(&mut database);
            let map: BTreeMap<&String, ()> = keys.iter().map(|key| (key, ())).collect();
            for key in map.keys() {
                storage.put(key, &1).expect("it is put");
            }
            let fits = |key: &&String| {
                key.starts_with(&prefix) && start.as_ref().is_none_or(|start| *key >= start) && end.as_ref().is_none_or(|end| *key < end)
            };
            let mut wanted: Vec<String> = map.into_keys().filter(fits).cloned().collect();
            if reverse {
                wanted.reverse();
            }
            wanted.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
            prop_assert_eq!(listed(&mut storage, &ListOptions { prefix, start, end, limit, reverse }), wanted);
        }
    }
}
