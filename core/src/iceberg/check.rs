//! Reading manifests back, to check them.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use iceberg::spec::{Manifest, ManifestStatus};

use super::manifest::{FileEntry, FileStatus};
use crate::error::{Error, Result};

/// The beginning of every Avro file (<https://avro.apache.org/docs/1.12.0/specification/>).
const MAGIC: &[u8] = b"Obj\x01";
const SYNC_BYTES: usize = 16;

/// The files that the manifest `name` lists as removed.
///
/// Whoever has the bucket can put any bytes there, and the Avro reader panics on some: on a record
/// in the schema whose name is no Avro name, for one.
///
/// # Errors
///
/// `Corrupt` when it is no manifest.
pub(crate) fn removed_files(name: &str, bytes: &[u8]) -> Result<Vec<FileEntry>> {
    let corrupt = |cause: &str| Error::corrupt(name, format!("expected a manifest: {cause}"));
    let manifest = catch_unwind(|| Manifest::parse_avro(bytes))
        .map_err(|_| corrupt("its Avro can't be read"))?
        .map_err(|cause| corrupt(&cause.to_string()))?;
    let removed =
        manifest.entries().iter().filter(|entry| entry.status() == ManifestStatus::Deleted);
    let file = |entry: &iceberg::spec::ManifestEntryRef| FileEntry {
        status: FileStatus::Removed { sequence: entry.sequence_number().unwrap_or(0) },
        uri: entry.file_path().to_owned(),
        rows: entry.record_count(),
        bytes: entry.file_size_in_bytes(),
        of: None,
        metrics: None,
    };
    Ok(removed.map(file).collect())
}

/// Whether both are Avro files with the same header and the same blocks. The order of the header's
/// fields and the marks between blocks are at the writer's choice.
pub(crate) fn is_same_avro(one: &[u8], other: &[u8]) -> bool {
    matches!((Avro::read(one), Avro::read(other)), (Some(one), Some(other)) if one == other)
}

/// Whether both are manifests with the same header and the same entries. What an entry says of
/// columns is in an order of the writer's choice.
pub(crate) fn is_same_manifest(one: &[u8], other: &[u8]) -> bool {
    let (Some(first), Some(second)) = (Avro::read(one), Avro::read(other)) else { return false };
    let parse = |bytes: &[u8]| catch_unwind(|| Manifest::parse_avro(bytes)).ok()?.ok();
    first == second
        || (first.header == second.header
            && matches!((parse(one), parse(other)), (Some(one), Some(other)) if one == other))
}

/// The parts of an Avro file.
#[derive(PartialEq)]
struct Avro<'a> {
    header: BTreeMap<&'a [u8], &'a [u8]>,
    /// The number of entries of each block, and their bytes.
    blocks: Vec<(i64, &'a [u8])>,
}

impl<'a> Avro<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let mut header = BTreeMap::new();
        loop {
            let count = number(&mut rest)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                number(&mut rest)?;
            }
            for _ in 0..count.unsigned_abs() {
                let name = counted(&mut rest)?;
                header.insert(name, counted(&mut rest)?);
            }
        }
        let sync = take(&mut rest, SYNC_BYTES)?;
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            let count = number(&mut rest)?;
            blocks.push((count, counted(&mut rest)?));
            if take(&mut rest, SYNC_BYTES)? != sync {
                return None;
            }
        }
        Some(Self { header, blocks })
    }
}

/// A number in zigzag encoding.
fn number(rest: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
        shift += 7;
    }
}

/// Bytes after their number.
fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    take(rest, length)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(taken)
}
