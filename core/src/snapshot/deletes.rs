//! Chooses the delete files of a table to keep, and the contents of a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::table::{DataFile, DeleteFile, FileRef, TableBase};
use super::tiers::{Candidate, DELETE_FILES_MAX, choose};
use crate::error::{Error, Result};
use crate::iceberg::{EncodedFile, write_deletes};

/// Deleted rows by the key of their data file.
pub(super) type Positions = BTreeMap<Arc<str>, RoaringBitmap>;

/// What happens to a table's delete files.
pub(super) struct DeleteChange {
    /// The files to keep.
    pub(super) kept: Vec<DeleteFile>,
    /// The files to remove.
    pub(super) removed: Vec<FileRef>,
    /// The contents of a new one, if there is one.
    pub(super) written: Option<Positions>,
}

/// The delete files of a table's new state.
pub(super) struct DeleteFiles {
    pub(super) kept: Vec<DeleteFile>,
    pub(super) removed: Vec<FileRef>,
}

/// Decides which of the base's delete files stay with the data files `data`, whose rows `gone` are
/// deleted now.
///
/// `moved`: none stays, because they name data files by URIs of the old location.
pub(super) fn revise(
    base: Option<&TableBase>,
    data: &[DataFile],
    gone: Positions,
    moved: bool,
) -> Result<DeleteChange> {
    let old: &[DeleteFile] = base.map_or(&[], |base| &base.deletes);
    let is_live = |key: &str| data.iter().any(|data| &*data.file.key == key);
    let candidates: Vec<Candidate> = old
        .iter()
        .map(|file| {
            let dead = file
                .positions
                .iter()
                .filter(|(key, _)| !is_live(key))
                .map(|(_, positions)| positions.len())
                .sum();
            Candidate { bytes: file.file.bytes, rows: file.file.rows, dead }
        })
        .collect();
    let incoming = gone.values().map(RoaringBitmap::len).sum::<u64>() * BYTES_A_DELETE;
    let merged = choose(&candidates, incoming, DELETE_FILES_MAX, u64::MAX);
    let mut change = DeleteChange { kept: Vec::new(), removed: Vec::new(), written: None };
    let mut written = gone;
    for (file, merged) in old.iter().zip(merged) {
        if !merged && !moved {
            change.kept.push(file.clone());
            continue;
        }
        change.removed.push(file.file.clone());
        for (key, positions) in file.positions.iter().filter(|(key, _)| is_live(key)) {
            *written.entry(Arc::clone(key)).or_default() |= positions;
        }
    }
    change.written = (!written.is_empty()).then_some(written);
    Ok(change)
}

/// Approximate size of a deleted row in a file, in bytes.
const BYTES_A_DELETE: u64 = 3;

/// The file for these positions, of data files below `location`.
pub(super) fn encode(positions: &Positions, location: &str) -> Result<EncodedFile> {
    write_deletes(
        &positions
            .iter()
            .map(|(key, positions)| (format!("{location}/{key}"), positions))
            .collect(),
    )
}

/// The delete file that [`encode`] wrote and the snapshot calls `file`.
pub(super) fn delete_file(file: FileRef, positions: Positions) -> DeleteFile {
    DeleteFile { file, positions: Arc::new(positions) }
}

/// The inverse of the names that [`encode`] gives to data files.
pub(super) fn relative(
    name: &str,
    location: &str,
    read: BTreeMap<String, RoaringBitmap>,
) -> Result<Positions> {
    let relative = |(uri, positions): (String, RoaringBitmap)| {
        let key = uri.strip_prefix(location).and_then(|rest| rest.strip_prefix('/'));
        let key = key.ok_or_else(|| {
            Error::corrupt(name, format!("expected deletes in files below {location}, found {uri}"))
        })?;
        Ok((Arc::from(key), positions))
    };
    read.into_iter().map(relative).collect()
}
