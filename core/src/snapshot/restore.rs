//! Restores a database from a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::deletes;
use super::index::IndexBuilder;
use super::reference::snapshots_key;
use super::store_error;
use super::stored::Document;
use super::table::{DataFile, DeleteFile, FileRef, TableBase};
use super::tracker::Tracker;
use crate::change::TableShape;
use crate::error::{Error, Result};
use crate::iceberg::{inspect, read_deletes, read_rows};
use crate::limits::RESTORE_CONCURRENCY;
use crate::sqlite::{Database, Limits, Loader, Restraint, is_shortage};
use crate::store::{Bucket, Key};

/// A snapshot with the bytes of all its files.
pub(crate) struct Fetched {
    document: Document,
    snapshots: Key,
    files: HashMap<Arc<str>, Bytes>,
}

/// Fetches all files that `document` names, concurrently up to a limit.
///
/// # Errors
///
/// `Corrupt`, naming the key, when a file is missing; `Unavailable` or `StoreRefused` from the
/// bucket.
pub(crate) async fn fetch(
    bucket: &dyn Bucket,
    prefix: &Key,
    document: Document,
) -> Result<Fetched> {
    let snapshots = snapshots_key(prefix);
    let wanted: Vec<FileRef> = document.files().cloned().collect();
    let get = |file: FileRef| {
        let key = snapshots.join(&file.key);
        async move {
            let stored = bucket.get_within(&key, file.bytes).await.map_err(store_error)?;
            let stored = stored.ok_or_else(|| missing(&key, &file))?;
            Ok::<_, Error>((file.key, stored.bytes))
        }
    };
    let files = stream::iter(wanted.into_iter().map(get))
        .buffer_unordered(RESTORE_CONCURRENCY)
        .try_collect()
        .await?;
    Ok(Fetched::new(document, snapshots, files))
}

impl Fetched {
    /// The snapshot of `document` with `files`, by their keys relative to `snapshots`.
    pub(super) fn new(document: Document, snapshots: Key, files: HashMap<Arc<str>, Bytes>) -> Self {
        Self { document, snapshots, files }
    }

    /// The database as it was, and the tracker that continues from there. CPU only; takes about a
    /// third of a second per million rows. `restraint` stays on the database.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key and what was expected, when a file is not exactly what the
    /// snapshot says.
    pub(crate) fn decode(
        mut self,
        limits: &Limits,
        restraint: Option<Restraint>,
    ) -> Result<(Database, Tracker)> {
        let key = self.document_key();
        // SQLite's errors about the header name no key; the header is in `snapshot.json`.
        let named = |error: Error| damaged(&key, error);
        let header = self.document.header.clone();
        let mut loader = Database::load_restrained(limits, header, restraint).map_err(named)?;
        let mut tables = Vec::new();
        for table in std::mem::take(&mut self.document.tables) {
            tables.push(Arc::new(self.load_table(&mut loader, &table)?));
        }
        let database = loader.finish().map_err(named)?;
        check_tables(&key, &tables, database.shapes())?;
        Ok((
            database,
            Tracker::restored(self.document.reference, self.document.location.into(), tables),
        ))
    }

    /// About how much memory the files, their rows in a database, and reading them take, in bytes,
    /// by what their own heads say.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key, when one is no file of this program.
    pub(crate) fn memory_bytes(&self) -> Result<u64> {
        let (mut kept, mut reading) = (0_u64, 0);
        for file in self.document.files() {
            let Some(bytes) = self.files.get(&file.key) else { continue };
            let key = self.snapshots.join(&file.key);
            let inspected = inspect(key.as_str(), bytes)?;
            check_rows(key.as_str(), file, inspected.rows)?;
            kept = kept.saturating_add(file.bytes).saturating_add(inspected.plain_bytes);
            reading = inspected.reading_bytes.max(reading);
        }
        Ok(kept.saturating_add(reading))
    }

    fn document_key(&self) -> Key {
        self.snapshots.join(self.document.reference).join("snapshot.json")
    }

    /// Loads a table's rows into the database, and returns what the tracker needs to know about its
    /// files.
    fn load_table(&mut self, loader: &mut Loader, table: &TableBase) -> Result<TableBase> {
        let mut restored = table.clone();
        restored.deletes = table
            .deletes
            .iter()
            .map(|deletes| self.read_deletes(deletes))
            .collect::<Result<_>>()?;
        let indexed = !restored.is_small();
        if indexed {
            loader.expect_many(&table.shape.name)?;
        }
        let data = table
            .data
            .iter()
            .map(|data| self.load_file(loader, &restored, data, indexed))
            .collect::<Result<_>>()?;
        restored.data = data;
        Ok(restored)
    }

    fn read_deletes(&mut self, deletes: &DeleteFile) -> Result<DeleteFile> {
        let (name, bytes) = self.take(&deletes.file)?;
        let positions =
            deletes::relative(&name, &self.document.location, read_deletes(&name, bytes)?)?;
        let rows = positions.values().map(roaring::RoaringBitmap::len).sum::<u64>();
        check_rows(&name, &deletes.file, rows)?;
        if let Some(of) = &deletes.of
            && positions.keys().any(|key| key != of)
        {
            return Err(Error::corrupt(&name, format!("expected deletes in {of} only")));
        }
        Ok(DeleteFile { positions: Arc::new(positions), ..deletes.clone() })
    }

    fn load_file(
        &mut self,
        loader: &mut Loader,
        table: &TableBase,
        data: &DataFile,
        indexed: bool,
    ) -> Result<DataFile> {
        let (name, bytes) = self.take(&data.file)?;
        let shape = &table.shape;
        let dead = table.dead_rows(&data.file.key);
        let named = |error: Error| damaged(&name, error);
        let mut rows = loader.table(&shape.name).map_err(named)?;
        let mut index = indexed.then(|| IndexBuilder::new(shape));
        let mut count = 0;
        read_rows(&table.layout(), &name, bytes, &mut |position, rowid, values| {
            count += 1;
            if let Some(index) = &mut index
                && !index.push(shape, rowid, values)
            {
                return Err(Error::corrupt(
                    &name,
                    format!(
                        "expected rows in the order of their rowids, got row {position} out of order"
                    ),
                ));
            }
            if !dead.is_empty() && dead.contains(position) {
                Ok(())
            } else {
                rows.row(rowid, values).map_err(named)
            }
        })?;
        check_rows(&name, &data.file, count)?;
        let index = index.map_or_else(|| Arc::clone(&data.index), |index| Arc::new(index.finish()));
        Ok(DataFile { index, ..data.clone() })
    }

    /// The full key and the bytes of a file, after their length and checksum were verified.
    fn take(&mut self, file: &FileRef) -> Result<(String, Bytes)> {
        let key = self.snapshots.join(&file.key);
        let bytes = self
            .files
            .remove(&file.key)
            .ok_or_else(|| Error::corrupt(&key, "expected a file that is named once"))?;
        check_whole(&key, file, &bytes)?;
        Ok((key.to_string(), bytes))
    }
}

/// The error when there is nothing under the key of a file.
pub(super) fn missing(key: &Key, file: &FileRef) -> Error {
    let (bytes, blake3) = (file.bytes, file.blake3);
    let what = format!("expected {bytes} bytes with the checksum {blake3}, found nothing");
    Error::corrupt(key, what)
}

/// Fails unless these are the bytes of the file.
pub(super) fn check_whole(key: &Key, file: &FileRef, bytes: &[u8]) -> Result<()> {
    if bytes.len() as u64 != file.bytes {
        let what = format!("expected {} bytes, found {}", file.bytes, bytes.len());
        return Err(Error::corrupt(key, what));
    }
    let found = blake3::hash(bytes);
    if found != file.blake3 {
        let what = format!("expected the checksum {}, found {found}", file.blake3);
        return Err(Error::corrupt(key, what));
    }
    Ok(())
}

/// Fails unless the tables with files are those of the schema, each once.
fn check_tables(key: &Key, tables: &[Arc<TableBase>], shapes: &[TableShape]) -> Result<()> {
    let known: HashMap<&str, &TableShape> =
        tables.iter().map(|table| (table.shape.name.as_str(), &table.shape)).collect();
    if let Some(shape) = shapes.iter().find(|shape| known.get(shape.name.as_str()) != Some(shape)) {
        let what = format!("expected the rows of the table {:?}, found none", shape.name);
        return Err(Error::corrupt(key, what));
    }
    if tables.len() == shapes.len() {
        return Ok(());
    }
    let what =
        format!("expected the rows of {} tables, found those of {}", shapes.len(), tables.len());
    Err(Error::corrupt(key, what))
}

/// What it means that something of `name` does not go into a database.
fn damaged(name: impl std::fmt::Display, error: Error) -> Error {
    if is_shortage(&error) {
        return error;
    }
    Error::corrupt(name, error.message()).confidential_like(&error).with_source(error)
}

fn check_rows(name: &str, file: &FileRef, found: u64) -> Result<()> {
    if found == file.rows {
        Ok(())
    } else {
        Err(Error::corrupt(name, format!("expected {} rows, found {found}", file.rows)))
    }
}
