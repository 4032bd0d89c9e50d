//! The index at the end of a large data file: where in it which keys are.
//!
//! By rowid, it is the first rowid of each stretch of rows. By other keys, each row is in the bucket
//! that its key's hash names: its position, and more of the hash.

use crate::change::ValueRef;

use super::key::{Key, family};

/// Number of rows of which only the first rowid is known.
const STRETCH_ROWS: usize = 1024;
/// Mean number of rows in a bucket.
const BUCKET_ROWS: usize = 1024;
/// Bits of the hash that are kept of each row.
const KEPT_BITS: u32 = 16;

/// How a snapshot names a file's index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::snapshot) struct PointIndex {
    /// Where the file's end begins, which is believed by its checksum.
    pub(in crate::snapshot) at: u64,
    /// The checksum of the end.
    pub(in crate::snapshot) blake3: blake3::Hash,
    /// The field ids of the columns that the index is by; empty for the rowid.
    pub(in crate::snapshot) fields: Vec<i32>,
    /// How many stretches or buckets it has.
    pub(in crate::snapshot) parts: u32,
}

/// Collects the keys of a file's rows.
pub(super) enum KeyList {
    Rowids { firsts: Vec<i64>, rows: usize },
    Hashes(Vec<u64>),
}

impl KeyList {
    /// Keys in such columns; none for the rowid.
    pub(super) fn new(columns: &[usize]) -> Self {
        match columns.is_empty() {
            true => Self::Rowids { firsts: Vec::new(), rows: 0 },
            false => Self::Hashes(Vec::new()),
        }
    }

    pub(super) fn push(&mut self, columns: &[usize], rowid: Option<i64>, values: &[ValueRef<'_>]) {
        match self {
            Self::Rowids { firsts, rows } => {
                if rows.is_multiple_of(STRETCH_ROWS) {
                    firsts.push(rowid.unwrap_or_default());
                }
                *rows += 1;
            }
            Self::Hashes(hashes) => {
                hashes.push(family(columns.iter().filter_map(|at| values.get(*at).copied())));
            }
        }
    }

    /// The buckets' bytes, and how the directory lists the parts when these begin at `at`: the first
    /// rowids, or where each bucket begins and the last one ends.
    pub(super) fn finish(self, at: u64) -> Written {
        match self {
            Self::Rowids { firsts, .. } => Written {
                buckets: Vec::new(),
                parts: firsts.len(),
                directory: firsts.iter().flat_map(|rowid| rowid.to_le_bytes()).collect(),
            },
            Self::Hashes(hashes) => write_buckets(&hashes, at),
        }
    }
}

/// An index as it is stored.
pub(super) struct Written {
    pub(super) buckets: Vec<u8>,
    pub(super) parts: usize,
    pub(super) directory: Vec<u8>,
}

fn write_buckets(hashes: &[u64], at: u64) -> Written {
    let parts = hashes.len().div_ceil(BUCKET_ROWS).max(1);
    let mut rows: Vec<(u32, u32, u16)> = (0_u32..)
        .zip(hashes)
        .map(|(position, hash)| (bucket_of(*hash, parts), position, kept(*hash)))
        .collect();
    rows.sort_unstable();
    let (mut buckets, mut directory) = (Vec::new(), Vec::new());
    let mut rest = &rows[..];
    for number in 0.. {
        directory.extend((at + buckets.len() as u64).to_le_bytes());
        if number as usize == parts {
            break;
        }
        let (own, others) = rest.split_at(rest.partition_point(|(bucket, ..)| *bucket <= number));
        rest = others;
        let mut last = 0;
        for (_, position, kept) in own {
            write_varint(&mut buckets, position - last);
            buckets.extend(kept.to_le_bytes());
            last = *position;
        }
    }
    Written { buckets, parts, directory }
}

/// The bucket of a hash: what is left of it by division, without the bits that are kept.
fn bucket_of(hash: u64, parts: usize) -> u32 {
    u32::try_from((hash >> KEPT_BITS) % parts as u64).expect("there are fewer buckets than rows")
}

fn kept(hash: u64) -> u16 {
    u16::try_from(hash & 0xffff).expect("sixteen bits")
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
}

fn read_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(number).ok();
        }
    }
    None
}

/// Where an index says that a key may be.
pub(super) enum Place {
    /// In these rows of the file.
    Rows(Vec<u32>),
    /// In the rows that these bytes of the file name.
    Bucket(std::ops::Range<u64>),
}

impl PointIndex {
    /// Where `key` may be among `rows` rows, by the `directory`; `None` when that is none.
    pub(super) fn place(&self, directory: &[u8], key: &Key, rows: u64) -> Option<Place> {
        let (numbers, rest) = directory.as_chunks::<8>();
        let parts = usize::try_from(self.parts).ok()?;
        if !self.fields.is_empty() {
            let at = usize::try_from(bucket_of(key.family, parts.max(1))).ok()?;
            let ends = numbers.get(at..=at + 1).filter(|_| numbers.len() == parts + 1)?;
            return Some(Place::Bucket(u64::from_le_bytes(ends[0])..u64::from_le_bytes(ends[1])));
        }
        if numbers.len() != parts || !rest.is_empty() {
            return None;
        }
        let firsts = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes));
        let Some(stretch) = firsts.take_while(|first| *first <= key.rowid).count().checked_sub(1)
        else {
            return Some(Place::Rows(Vec::new()));
        };
        let rows = usize::try_from(rows).ok()?;
        let begin = stretch * STRETCH_ROWS;
        let all = begin..(begin + STRETCH_ROWS).min(rows);
        Some(Place::Rows(all.filter_map(|at| u32::try_from(at).ok()).collect()))
    }
}

/// The rows of a bucket that may have the key; `None` when it is no bucket.
pub(super) fn rows_in_bucket(mut bucket: &[u8], key: &Key, rows: u64) -> Option<Vec<u32>> {
    let (mut position, mut found) = (0_u32, Vec::new());
    while !bucket.is_empty() {
        position = position.checked_add(read_varint(&mut bucket)?)?;
        let (bits, rest) = bucket.split_first_chunk::<2>()?;
        bucket = rest;
        if u64::from(position) >= rows {
            return None;
        }
        if u16::from_le_bytes(*bits) == kept(key.family) {
            found.push(position);
        }
    }
    Some(found)
}
