//! Chooses the rows of a table's new files, and the old files to keep.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use roaring::{RoaringBitmap, RoaringTreemap};

use super::keys::{KeyBytes, KeyHash, KeySet, bits_to_rowid, decode, key_of_row};
use super::sink::{FILE_BYTES_TARGET, NewFile, RowSink};
use super::table::TableBase;
use super::tiers::{Candidate, DATA_FILES_MAX, choose, spare_deletes};
use crate::change::{Row, RowKey, TableShape, Value, ValueRef};
use crate::error::{Error, Result};
use crate::iceberg::Layout;
use crate::sqlite::Database;

/// The data files of a table's new state.
pub(super) struct Content {
    /// For each of the base's files, whether it stays.
    pub(super) keep: Vec<bool>,
    /// New files.
    pub(super) added: Vec<NewFile>,
    /// Newly deleted rows in kept files, by the file's key.
    pub(super) gone: BTreeMap<Arc<str>, RoaringBitmap>,
}

/// Every row in new files; none of the `files` of the base stays.
pub(super) fn everything(
    db: &Database,
    shape: &TableShape,
    layout: Layout,
    files: usize,
) -> Result<Content> {
    let mut sink = RowSink::new(shape, layout, db.key_columns(&shape.name)?);
    db.scan(&shape.name, &mut |rowid, values| sink.push(rowid, values))?;
    Ok(Content { keep: vec![false; files], added: sink.finish()?, gone: BTreeMap::new() })
}

/// Whether some row that is not in `keys` has a value in a column from `added_from` on.
///
/// Iceberg V2 has no default for a column that old files lack: it is NULL there. A column with
/// another default requires all rows to be rewritten.
pub(super) fn fills_new_columns(
    db: &Database,
    shape: &TableShape,
    keys: &KeySet,
    added_from: usize,
) -> Result<bool> {
    if added_from == shape.columns.len() {
        return Ok(false);
    }
    let mut fills = None;
    // A default is the same in all old rows, so the first one decides; the error only ends the
    // scan.
    let ended = db.scan(&shape.name, &mut |rowid, values| {
        if keys.contains_row(shape, rowid, values) {
            return Ok(());
        }
        fills = Some(values[added_from..].iter().any(|value| *value != ValueRef::Null));
        Err(Error::internal("one row is enough"))
    });
    match fills {
        Some(fills) => Ok(fills),
        None => ended.map(|()| false),
    }
}

/// The content that differs from the base only in the rows with `keys`; `None` if a full rewrite is
/// required or cheaper.
pub(super) fn changed(
    db: &Database,
    base: &TableBase,
    shape: &TableShape,
    layout: &Layout,
    keys: &KeySet,
) -> Result<Option<Content>> {
    let Some(files) = Files::locate(base, keys) else { return Ok(None) };
    let merged = files.choose(base, keys);
    let keep: Vec<bool> = files
        .dead
        .iter()
        .zip(&base.data)
        .zip(&merged)
        .map(|((dead, data), merged)| !merged && dead.len() < data.file.rows)
        .collect();
    if !keep.is_empty() && !keep.contains(&true) {
        return Ok(None);
    }
    let mut sink = RowSink::new(shape, layout.clone(), db.key_columns(&shape.name)?);
    let complete = match keys {
        KeySet::Rowids(rowids) => {
            push_rowids(db, shape, &mut sink, rowids, &files.live_rowids(base, &merged))?
        }
        KeySet::Primary(keys) => {
            push_primary(db, shape, &mut sink, keys, &files.live_keys(base, &merged))?
        }
    };
    if !complete {
        return Ok(None);
    }
    let gone = base
        .data
        .iter()
        .zip(files.gone)
        .zip(&keep)
        .filter(|((_, gone), keep)| **keep && !gone.is_empty());
    let gone = gone.map(|((data, gone), _)| (Arc::clone(&data.file.key), gone)).collect();
    Ok(Some(Content { keep, added: sink.finish()?, gone }))
}

/// The base's data files, and which of their rows have changed.
struct Files {
    /// The rows of each file that are gone, now or before.
    dead: Vec<RoaringBitmap>,
    /// The rows of each file that are gone since the base.
    gone: Vec<RoaringBitmap>,
}

/// The rows of merged files.
enum LiveKeys {
    /// Their keys.
    Known(BTreeSet<KeyBytes>),
    /// Hashes of their keys.
    Hashed(HashSet<KeyHash>),
}

impl Files {
    /// Finds the former versions of the rows with `keys`. `None` when it is not certain which they
    /// are.
    fn locate(base: &TableBase, keys: &KeySet) -> Option<Self> {
        let dead: Vec<RoaringBitmap> =
            base.data.iter().map(|data| base.dead_rows(&data.file.key)).collect();
        let mut files = Self { gone: vec![RoaringBitmap::new(); dead.len()], dead };
        match keys {
            KeySet::Rowids(rowids) => {
                for bits in rowids {
                    files.mark(
                        base.data
                            .iter()
                            .enumerate()
                            .filter_map(|(at, data)| Some((at, data.index.find_rowid(bits)?))),
                    );
                }
            }
            KeySet::Primary(keys) => files.locate_primary(base, keys)?,
        }
        for (dead, gone) in files.dead.iter_mut().zip(&files.gone) {
            *dead |= gone;
        }
        Some(files)
    }

    /// SQLite may treat keys with different bytes as equal (NOCASE, 1 and 1.0). A row under such a
    /// related key is replaced if its own key is also among the changed ones; otherwise it is
    /// unknown, and `None` causes a full rewrite.
    fn locate_primary(&mut self, base: &TableBase, keys: &BTreeSet<KeyBytes>) -> Option<()> {
        let mut related = Vec::new();
        for key in keys {
            let hash = KeyHash::new(key);
            for (at, data) in base.data.iter().enumerate() {
                let found = data.index.find_key(hash);
                self.mark(found.exact.map(|position| (at, position)));
                related.extend(found.related.into_iter().map(|position| (at, position)));
            }
        }
        let is_settled = |(at, position): &(usize, u32)| {
            self.dead[*at].contains(*position) || self.gone[*at].contains(*position)
        };
        related.iter().all(is_settled).then_some(())
    }

    fn mark(&mut self, found: impl IntoIterator<Item = (usize, u32)>) {
        for (at, position) in found {
            if !self.dead[at].contains(position) {
                self.gone[at].insert(position);
            }
        }
    }

    /// The files to merge into the new one.
    fn choose(&self, base: &TableBase, keys: &KeySet) -> Vec<bool> {
        let candidate = |(data, dead): (&super::table::DataFile, &RoaringBitmap)| Candidate {
            bytes: data.file.bytes,
            rows: data.file.rows,
            dead: dead.len(),
        };
        let candidates: Vec<Candidate> = base.data.iter().zip(&self.dead).map(candidate).collect();
        let (bytes, rows) = candidates
            .iter()
            .fold((0, 0), |(bytes, rows), file| (bytes + file.bytes, rows + file.rows));
        let incoming = keys.len() * (bytes / rows.max(1)).max(1);
        let mut chosen = choose(&candidates, incoming, DATA_FILES_MAX, FILE_BYTES_TARGET as u64);
        let touched: Vec<bool> = self.gone.iter().map(|gone| !gone.is_empty()).collect();
        spare_deletes(&candidates, &touched, &mut chosen);
        chosen
    }

    fn merged<'a>(
        &'a self,
        base: &'a TableBase,
        merged: &'a [bool],
    ) -> impl Iterator<Item = (&'a super::index::RowIndex, &'a RoaringBitmap)> {
        base.data
            .iter()
            .zip(&self.dead)
            .zip(merged)
            .filter(|(_, merged)| **merged)
            .map(|((data, dead), _)| (&*data.index, dead))
    }

    fn live_rowids(&self, base: &TableBase, merged: &[bool]) -> RoaringTreemap {
        self.merged(base, merged).flat_map(|(index, dead)| index.live_rowids(dead)).collect()
    }

    fn live_keys(&self, base: &TableBase, merged: &[bool]) -> LiveKeys {
        let mut known = BTreeSet::new();
        for (index, dead) in self.merged(base, merged) {
            match index.live_keys(dead) {
                Some(keys) => known.extend(keys.cloned()),
                None => {
                    return LiveKeys::Hashed(
                        self.merged(base, merged)
                            .flat_map(|(index, dead)| index.live_hashes(dead))
                            .collect(),
                    );
                }
            }
        }
        LiveKeys::Known(known)
    }
}

/// Writes the changed rows and the unchanged ones of merged files. Returns `false` when an
/// unchanged row is missing.
fn push_rowids(
    db: &Database,
    shape: &TableShape,
    sink: &mut RowSink<'_>,
    changed: &RoaringTreemap,
    merged: &RoaringTreemap,
) -> Result<bool> {
    for bits in changed | merged {
        match db.row(&shape.name, &RowKey::Rowid(bits_to_rowid(bits)))? {
            Some(row) => push(sink, &row)?,
            None if changed.contains(bits) => {}
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Writes the rows of a `WITHOUT ROWID` table, like [`push_rowids`]. Rows are distinguished by
/// their current key, because two changed keys may refer to one row.
fn push_primary(
    db: &Database,
    shape: &TableShape,
    sink: &mut RowSink<'_>,
    changed: &BTreeSet<KeyBytes>,
    merged: &LiveKeys,
) -> Result<bool> {
    let mut rows: BTreeMap<KeyBytes, Row> = BTreeMap::new();
    let known = match merged {
        LiveKeys::Known(keys) => Some(keys),
        LiveKeys::Hashed(_) => None,
    };
    for key in changed.iter().chain(known.into_iter().flatten()) {
        match db.row(&shape.name, &decode(key))? {
            Some(row) => {
                let values: Vec<ValueRef<'_>> = row.values.iter().map(Value::as_ref).collect();
                rows.insert(key_of_row(shape, &values), row);
            }
            None if changed.contains(key) => {}
            None => return Ok(false),
        }
    }
    let LiveKeys::Hashed(hashes) = merged else {
        rows.values().try_for_each(|row| push(sink, row))?;
        return Ok(true);
    };
    // Too many keys to have been kept: one pass over the table finds the rows by hash.
    let mut missing = hashes.len();
    db.scan(&shape.name, &mut |rowid, values| {
        let key = key_of_row(shape, values);
        let is_merged = hashes.contains(&KeyHash::new(&key));
        missing -= usize::from(is_merged);
        if is_merged || rows.contains_key(&key) { sink.push(rowid, values) } else { Ok(()) }
    })?;
    Ok(missing == 0)
}

fn push(sink: &mut RowSink<'_>, row: &Row) -> Result<()> {
    let values: Vec<ValueRef<'_>> = row.values.iter().map(Value::as_ref).collect();
    sink.push(row.rowid, &values)
}
