//! An index of the rows of a data file, in a few bytes per row.

use roaring::{RoaringBitmap, RoaringTreemap};

use super::keys::{KeyBytes, KeyHash, key_of_row, rowid_to_bits};
use crate::change::{KeyShape, TableShape, ValueRef};

/// Maximum number of rows of a file whose primary keys are kept in memory, so that merging it does
/// not read the whole table.
const KEYS_KEPT_MAX: usize = 4096;

/// The keys of a data file's rows by position.
#[derive(Debug, Clone)]
pub(super) enum RowIndex {
    /// No index: the file is small and the only one, and is rewritten with every change.
    None,
    /// A rowid table: rows are in order, so a row's position is its rowid's rank.
    Rowids(RoaringTreemap),
    /// A `WITHOUT ROWID` table: sorted hashes of keys, the position of each, and the keys
    /// themselves where they are few.
    Primary { hashes: Vec<KeyHash>, positions: Vec<u32>, keys: Option<Vec<KeyBytes>> },
}

/// Collects the keys of a file's rows while they are written or read.
#[derive(Debug)]
pub(super) enum IndexBuilder {
    Rowids(RoaringTreemap),
    Primary { entries: Vec<(KeyHash, u32)>, keys: Vec<KeyBytes> },
}

impl IndexBuilder {
    pub(super) fn new(shape: &TableShape) -> Self {
        match shape.key {
            KeyShape::Rowid { .. } => Self::Rowids(RoaringTreemap::new()),
            KeyShape::Primary(_) => Self::Primary { entries: Vec::new(), keys: Vec::new() },
        }
    }

    /// Adds the next row. Returns `false` when its rowid is not higher than those before, so that
    /// ranks are not positions.
    pub(super) fn push(
        &mut self,
        shape: &TableShape,
        rowid: Option<i64>,
        values: &[ValueRef<'_>],
    ) -> bool {
        match self {
            Self::Rowids(rowids) => {
                rowid.is_some_and(|rowid| rowids.try_push(rowid_to_bits(rowid)).is_ok())
            }
            Self::Primary { entries, keys } => {
                let key = key_of_row(shape, values);
                let position =
                    u32::try_from(entries.len()).expect("files are cut long before 2^32 rows");
                entries.push((KeyHash::new(&key), position));
                if keys.len() <= KEYS_KEPT_MAX {
                    keys.push(key);
                }
                true
            }
        }
    }

    pub(super) fn finish(self) -> RowIndex {
        match self {
            Self::Rowids(mut rowids) => {
                rowids.optimize();
                RowIndex::Rowids(rowids)
            }
            Self::Primary { mut entries, keys } => {
                let keys = (keys.len() == entries.len()).then_some(keys);
                entries.sort_unstable();
                let (hashes, positions) = entries.into_iter().unzip();
                RowIndex::Primary { hashes, positions, keys }
            }
        }
    }
}

/// The positions at which a key was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The position of exactly this key.
    pub(super) exact: Option<u32>,
    /// Positions of other keys that SQLite may take for equal.
    pub(super) related: Vec<u32>,
}

impl RowIndex {
    /// The position of a rowid; `None` when the file never had it.
    pub(super) fn find_rowid(&self, bits: u64) -> Option<u32> {
        match self {
            Self::Rowids(rowids) if rowids.contains(bits) => {
                u32::try_from(rowids.rank(bits) - 1).ok()
            }
            _ => None,
        }
    }

    /// The positions of a primary key, and of those that may equal it.
    pub(super) fn find_key(&self, hash: KeyHash) -> Found {
        let mut found = Found::default();
        if let Self::Primary { hashes, positions, .. } = self {
            let first = hashes.partition_point(|known| known.family() < hash.family());
            for (known, position) in hashes[first..].iter().zip(&positions[first..]) {
                if known.family() != hash.family() {
                    break;
                }
                if *known == hash {
                    found.exact = Some(*position)
                } else {
                    found.related.push(*position)
                }
            }
        }
        found
    }

    /// The rowids of the rows that are not in `dead`, as bits.
    pub(super) fn live_rowids<'a>(
        &'a self,
        dead: &'a RoaringBitmap,
    ) -> impl Iterator<Item = u64> + 'a {
        let rowids = match self {
            Self::Rowids(rowids) => Some(rowids),
            _ => None,
        };
        let live = move |(position, bits): (u32, u64)| (!dead.contains(position)).then_some(bits);
        rowids.into_iter().flat_map(move |rowids| (0..).zip(rowids).filter_map(live))
    }

    /// The primary keys of the rows that are not in `dead`; `None` when they are too many to be
    /// kept.
    pub(super) fn live_keys<'a>(
        &'a self,
        dead: &'a RoaringBitmap,
    ) -> Option<impl Iterator<Item = &'a KeyBytes>> {
        let Self::Primary { keys: Some(keys), .. } = self else { return None };
        Some((0..).zip(keys).filter(|(position, _)| !dead.contains(*position)).map(|(_, key)| key))
    }

    /// The hashes of the primary keys of the rows that are not in `dead`.
    pub(super) fn live_hashes<'a>(
        &'a self,
        dead: &'a RoaringBitmap,
    ) -> impl Iterator<Item = KeyHash> + 'a {
        let (hashes, positions): (&[KeyHash], &[u32]) = match self {
            Self::Primary { hashes, positions, .. } => (hashes, positions),
            _ => (&[], &[]),
        };
        hashes
            .iter()
            .zip(positions)
            .filter(|(_, position)| !dead.contains(**position))
            .map(|(hash, _)| *hash)
    }
}
