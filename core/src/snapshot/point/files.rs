//! The end of a large data file: hashes of all blocks before it, the directory of the index, and what
//! Parquet has at the end.

use std::ops::Range;

use super::index::{KeyList, PointIndex, Written};
use crate::change::ValueRef;

/// Size of the blocks of a file that have a hash each, in bytes.
const BLOCK_BYTES: u64 = 16 << 10;
/// How much of a block's hash is kept.
const HASH_BYTES: usize = 16;

/// Makes the end of a data file while its rows are written.
pub(in crate::snapshot) struct FileEnd {
    columns: Vec<usize>,
    fields: Vec<i32>,
    keys: KeyList,
}

/// A file's end that is written up to what Parquet adds.
pub(in crate::snapshot) struct Begun {
    at: u64,
    fields: Vec<i32>,
    parts: u32,
}

impl FileEnd {
    /// For rows with keys in `columns`, whose field ids are `fields`; none for the rowid.
    pub(in crate::snapshot) fn new(columns: Vec<usize>, fields: Vec<i32>) -> Self {
        Self { keys: KeyList::new(&columns), columns, fields }
    }

    pub(in crate::snapshot) fn push(&mut self, rowid: Option<i64>, values: &[ValueRef<'_>]) {
        self.keys.push(&self.columns, rowid, values);
    }

    /// What follows the bytes of the rows.
    pub(in crate::snapshot) fn finish(self, rows: &[u8]) -> (Vec<u8>, Begun) {
        let Written { buckets, parts, directory } = self.keys.finish(rows.len() as u64);
        let at = (rows.len() + buckets.len()) as u64;
        let whole = rows.len() - rows.len() % BLOCK_BYTES as usize;
        let (rows, rest) = rows.split_at(whole);
        let rest = [rest, &buckets].concat();
        let mut appended = buckets;
        for block in rows.chunks(BLOCK_BYTES as usize).chain(rest.chunks(BLOCK_BYTES as usize)) {
            appended.extend_from_slice(&blake3::hash(block).as_bytes()[..HASH_BYTES]);
        }
        appended.extend(directory);
        let parts = u32::try_from(parts).expect("a file has fewer than 2^32 rows");
        (appended, Begun { at, fields: self.fields, parts })
    }
}

impl Begun {
    /// How a snapshot names the end of the whole file.
    pub(in crate::snapshot) fn of(self, file: &[u8]) -> PointIndex {
        let at = usize::try_from(self.at).expect("it is in memory");
        let Self { at: begin, fields, parts } = self;
        PointIndex { at: begin, blake3: blake3::hash(&file[at..]), fields, parts }
    }
}

/// The end of a file, after its checksum was verified.
pub(super) struct End<'a> {
    index: &'a PointIndex,
    hashes: &'a [[u8; HASH_BYTES]],
    directory: &'a [u8],
}

impl<'a> End<'a> {
    /// What `bytes` say, which begin as `index` says; `None` when they are too few.
    pub(super) fn read(index: &'a PointIndex, bytes: &'a [u8]) -> Option<Self> {
        let blocks = usize::try_from(index.at.div_ceil(BLOCK_BYTES)).ok()?;
        let numbers = usize::try_from(index.parts).ok()? + usize::from(!index.fields.is_empty());
        let (hashes, rest) = bytes.split_at_checked(blocks.checked_mul(HASH_BYTES)?)?;
        let directory = rest.get(..numbers.checked_mul(8)?)?;
        Some(Self { index, hashes: hashes.as_chunks().0, directory })
    }

    pub(super) fn directory(&self) -> &'a [u8] {
        self.directory
    }

    /// The blocks that have all of `range`, which is before the end; `None` when it is not.
    pub(super) fn blocks(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let begin = range.start / BLOCK_BYTES * BLOCK_BYTES;
        let end = range.end.checked_next_multiple_of(BLOCK_BYTES)?.min(self.index.at);
        (range.start <= range.end && range.end <= self.index.at).then_some(begin..end)
    }

    /// Whether these are the bytes of the blocks of `range`.
    pub(super) fn is_genuine(&self, range: &Range<u64>, bytes: &[u8]) -> bool {
        let first = usize::try_from(range.start / BLOCK_BYTES).unwrap_or(usize::MAX);
        let hashes = self.hashes.get(first..).unwrap_or_default();
        let blocks = bytes.chunks(BLOCK_BYTES as usize);
        bytes.len() as u64 == range.end - range.start
            && blocks.len() <= hashes.len()
            && blocks
                .zip(hashes)
                .all(|(block, hash)| blake3::hash(block).as_bytes()[..HASH_BYTES] == hash[..])
    }
}
