//! Finds rows in the files of a snapshot.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::{try_join, try_join_all};
use roaring::RoaringBitmap;

use super::files::End;
use super::index::{Place, PointIndex, rows_in_bucket};
use super::key::Key;
use crate::change::{KeyShape, Row, ValueRef};
use crate::error::{Error, Result};
use crate::iceberg::{
    LARGE_FILE_BYTES, Layout, Pages, Parts, ROWID_FIELD, read_deletes, read_rows,
};
use crate::snapshot::list::Source;
use crate::snapshot::reference::snapshots_key;
use crate::snapshot::restore::{check_whole, missing};
use crate::snapshot::store_error;
use crate::snapshot::stored::Document;
use crate::snapshot::table::{DataFile, FileRef, TableBase};
use crate::store;

/// The most that one search reads, in bytes: about four times what a row of a million needs.
pub(crate) const POINT_BYTES_MAX: u64 = 4 << 20;

/// The most rows of a file that an index by a key may name: each may have pages of its own.
const POINT_ROWS_MAX: usize = 64;

/// The rows of the table `name` that may have `key`, and are not deleted; `None` when they can't be
/// found by reading little: a file has no index by this key, or too many rows may be meant.
///
/// At most three dependent round trips: the ends of files and all small ones, the index, the pages.
///
/// # Errors
///
/// `Corrupt`, naming the key of a file that is not what the snapshot says; `Unavailable` or
/// `StoreRefused` from the bucket.
pub(crate) async fn find(
    from: Source<'_>,
    document: &Document,
    name: &str,
    key: &Key,
) -> Result<Option<Vec<Row>>> {
    let Some(table) = document.tables.iter().find(|table| table.shape.name == name) else {
        return Ok(Some(Vec::new()));
    };
    let search = Search {
        from,
        location: &document.location,
        table,
        layout: table.layout(),
        fields: key.columns.iter().filter_map(|at| table.ids.get(*at).copied()).collect(),
        key,
        left: AtomicU64::new(POINT_BYTES_MAX),
    };
    let found = try_join_all(table.data.iter().map(|data| search.in_file(data))).await?;
    let found: Option<Vec<Vec<Row>>> = found.into_iter().collect();
    Ok(found.map(|rows| rows.concat()))
}

/// A search for the rows of a table with a key.
struct Search<'a> {
    from: Source<'a>,
    location: &'a str,
    table: &'a TableBase,
    layout: Layout,
    /// The field ids of the key's columns.
    fields: Vec<i32>,
    key: &'a Key,
    /// How many bytes may still be read.
    left: AtomicU64,
}

/// Rows and their positions in a file.
type Positioned = Vec<(u32, Row)>;

impl Search<'_> {
    async fn in_file(&self, data: &DataFile) -> Result<Option<Vec<Row>>> {
        if self.is_excluded(data) {
            return Ok(Some(Vec::new()));
        }
        let (rows, dead) = try_join(self.rows(data), self.dead(&data.file.key)).await?;
        let (Some(rows), Some(dead)) = (rows, dead) else { return Ok(None) };
        let live = rows.into_iter().filter(|(position, _)| !dead.contains(*position));
        Ok(Some(live.map(|(_, row)| row).collect()))
    }

    /// Whether the bounds of its rowids say that the file does not have the key.
    fn is_excluded(&self, data: &DataFile) -> bool {
        let field = match &self.table.shape.key {
            _ if !self.fields.is_empty() => return false,
            KeyShape::Rowid { alias: Some(at) } => self.table.ids.get(*at).copied(),
            _ => Some(ROWID_FIELD),
        };
        let columns = data.metrics.iter().flat_map(|metrics| &metrics.columns);
        let Some(column) = columns.into_iter().find(|column| Some(column.field) == field) else {
            return false;
        };
        let number = |bound: &Option<Vec<u8>>| {
            Some(i64::from_le_bytes(*bound.as_ref()?.first_chunk::<8>()?))
        };
        number(&column.lower).is_some_and(|lower| self.key.rowid < lower)
            || number(&column.upper).is_some_and(|upper| self.key.rowid > upper)
    }

    /// The deleted rows of a file.
    async fn dead(&self, key: &str) -> Result<Option<RoaringBitmap>> {
        let files = self.table.deletes.iter();
        if files.clone().any(|deletes| deletes.of.is_none()) {
            return Ok(None);
        }
        let own = files.filter(|deletes| deletes.of.as_deref() == Some(key));
        let read = try_join_all(own.map(|deletes| self.whole(&deletes.file))).await?;
        let mut dead = RoaringBitmap::new();
        for read in read {
            let Some((name, bytes)) = read else { return Ok(None) };
            let deletes = read_deletes(&name, bytes)?;
            let uri = format!("{}/{key}", self.location);
            deletes.get(&uri).into_iter().for_each(|positions| dead |= positions);
        }
        Ok(Some(dead))
    }

    /// The rows of a file that may have the key, deleted ones too.
    async fn rows(&self, data: &DataFile) -> Result<Option<Positioned>> {
        if data.file.bytes < LARGE_FILE_BYTES as u64 {
            let Some((name, bytes)) = self.whole(&data.file).await? else { return Ok(None) };
            let mut found = Positioned::new();
            read_rows(&self.layout, &name, bytes, &mut |position, rowid, values| {
                self.take(&mut found, position, rowid, values);
                Ok(())
            })?;
            return Ok(Some(found));
        }
        match &data.point {
            Some(index) if index.fields == self.fields => self.by_index(&data.file, index).await,
            _ => Ok(None),
        }
    }

    fn take(
        &self,
        found: &mut Positioned,
        position: u32,
        rowid: Option<i64>,
        values: &[ValueRef<'_>],
    ) {
        if self.key.may_be_of(rowid, values) {
            let values = values.iter().copied().map(ValueRef::to_owned).collect();
            found.push((position, Row { rowid, values }));
        }
    }

    async fn by_index(&self, file: &FileRef, index: &PointIndex) -> Result<Option<Positioned>> {
        let key = snapshots_key(self.from.prefix).join(&file.key);
        let damaged = || Error::corrupt(&key, "expected a file with an index of its keys");
        if index.at > file.bytes {
            return Err(damaged());
        }
        let Some(bytes) = self.part(file, index.at..file.bytes).await? else { return Ok(None) };
        if blake3::hash(&bytes) != index.blake3 {
            let what = format!("expected an end with the checksum {}", index.blake3);
            return Err(Error::corrupt(&key, what));
        }
        let end = End::read(index, &bytes).ok_or_else(damaged)?;
        let place = index.place(end.directory(), self.key, file.rows).ok_or_else(damaged)?;
        let positions = match place {
            Place::Rows(positions) => positions,
            Place::Bucket(range) => {
                let Some(bucket) = self.genuine(file, &end, vec![range.clone()]).await? else {
                    return Ok(None);
                };
                let bucket = Parts::new(file.bytes, bucket).get(&range).ok_or_else(damaged)?;
                let rows = rows_in_bucket(&bucket, self.key, file.rows).ok_or_else(damaged)?;
                if rows.len() > POINT_ROWS_MAX {
                    return Ok(None);
                }
                rows
            }
        };
        if positions.is_empty() {
            return Ok(Some(Positioned::new()));
        }
        let tail = Parts::new(file.bytes, BTreeMap::from([(index.at, bytes.clone())]));
        let pages = Pages::read(key.as_str(), &tail)?;
        let ranges = pages.ranges(key.as_str(), &positions)?;
        let Some(mut parts) = self.genuine(file, &end, ranges).await? else { return Ok(None) };
        parts.insert(index.at, bytes.clone());
        let (parts, mut found) = (Parts::new(file.bytes, parts), Positioned::new());
        pages.rows(
            &self.layout,
            (key.as_str(), &parts),
            &positions,
            &mut |position, rowid, values| {
                self.take(&mut found, position, rowid, values);
                Ok(())
            },
        )?;
        Ok(Some(found))
    }

    /// The parts of a file that have these ranges, after their hashes were verified.
    async fn genuine(
        &self,
        file: &FileRef,
        end: &End<'_>,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<BTreeMap<u64, Bytes>>> {
        let key = snapshots_key(self.from.prefix).join(&file.key);
        let blocks: Option<Vec<Range<u64>>> =
            ranges.iter().map(|range| end.blocks(range)).collect();
        let blocks =
            blocks.ok_or_else(|| Error::corrupt(&key, "expected an index of what is before it"))?;
        let key = &key;
        let reads = merged(blocks).into_iter().map(|range| async move {
            let Some(bytes) = self.part(file, range.clone()).await? else { return Ok(None) };
            if !end.is_genuine(&range, &bytes) {
                let what =
                    format!("expected the bytes from {} on to have their hashes", range.start);
                return Err(Error::corrupt(key, what));
            }
            Ok(Some((range.start, bytes)))
        });
        Ok(try_join_all(reads).await?.into_iter().collect())
    }

    /// A part of a file; `None` when too much was read already.
    async fn part(&self, file: &FileRef, range: Range<u64>) -> Result<Option<Bytes>> {
        if !self.may_read(range.end.saturating_sub(range.start)) {
            return Ok(None);
        }
        let key = snapshots_key(self.from.prefix).join(&file.key);
        let found = self.from.bucket.get_range(&key, range).await.map_err(store_error)?;
        found.map(Some).ok_or_else(|| missing(&key, file))
    }

    /// The name and the bytes of a whole file; `None` when too much was read already.
    async fn whole(&self, file: &FileRef) -> Result<Option<(String, Bytes)>> {
        if !self.may_read(file.bytes) {
            return Ok(None);
        }
        let key: store::Key = snapshots_key(self.from.prefix).join(&file.key);
        let found = self.from.bucket.get_within(&key, file.bytes).await.map_err(store_error)?;
        let bytes = found.ok_or_else(|| missing(&key, file))?.bytes;
        check_whole(&key, file, &bytes)?;
        Ok(Some((key.to_string(), bytes)))
    }

    fn may_read(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// The ranges in order, those that touch as one.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => merged.push(range),
        }
    }
    merged
}
