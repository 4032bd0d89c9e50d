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
    /// The contents of new ones: one for each data file.
    pub(super) written: Positions,
}

/// The delete files of a table's new state.
pub(super) struct DeleteFiles {
    pub(super) kept: Vec<DeleteFile>,
    pub(super) removed: Vec<FileRef>,
}

/// Decides which of the base's delete files stay with the data files `data`, whose rows `gone` are
/// deleted now.
///
/// Each new file is about one data file: engines find it by that, and some refuse others. Files of
/// the time when they were about several are written again.
///
/// `moved`: none stays, because they name data files by URIs of the old location.
pub(super) fn revise(
    base: Option<&TableBase>,
    data: &[DataFile],
    gone: Positions,
    moved: bool,
) -> DeleteChange {
    let old: &[DeleteFile] = base.map_or(&[], |base| &base.deletes);
    let is_live = |key: &str| data.iter().any(|data| &*data.file.key == key);
    let mut change =
        DeleteChange { kept: Vec::new(), removed: Vec::new(), written: Positions::new() };
    let mut written = gone;
    let mut single: BTreeMap<Arc<str>, Vec<&DeleteFile>> = BTreeMap::new();
    for file in old {
        match &file.of {
            Some(of) if is_live(of) && !moved => {
                single.entry(Arc::clone(of)).or_default().push(file);
            }
            _ => {
                change.removed.push(file.file.clone());
                for (key, positions) in file.positions.iter().filter(|(key, _)| is_live(key)) {
                    *written.entry(Arc::clone(key)).or_default() |= positions;
                }
            }
        }
    }
    for (key, files) in single {
        let merged = match written.get(&key) {
            None => vec![false; files.len()],
            Some(incoming) => choose_merged(&files, incoming),
        };
        for (file, merged) in files.into_iter().zip(merged) {
            if !merged {
                change.kept.push(file.clone());
                continue;
            }
            change.removed.push(file.file.clone());
            for positions in file.positions.values() {
                *written.entry(Arc::clone(&key)).or_default() |= positions;
            }
        }
    }
    change.kept.sort_by_key(|file| file.file.sequence);
    change.written = written;
    change
}

/// Which of the delete files of one data file go into the new one.
fn choose_merged(files: &[&DeleteFile], incoming: &RoaringBitmap) -> Vec<bool> {
    let candidate =
        |file: &&DeleteFile| Candidate { bytes: file.file.bytes, rows: file.file.rows, dead: 0 };
    let candidates: Vec<Candidate> = files.iter().map(candidate).collect();
    choose(&candidates, incoming.len() * BYTES_A_DELETE, DELETE_FILES_MAX, u64::MAX)
}

/// Approximate size of a deleted row in a file, in bytes.
const BYTES_A_DELETE: u64 = 3;

/// The file for these rows of the data file `key` below `location`.
pub(super) fn encode(key: &str, positions: &RoaringBitmap, location: &str) -> Result<EncodedFile> {
    write_deletes(&BTreeMap::from([(format!("{location}/{key}"), positions)]))
}

/// The inverse of the names that delete files have for data files.
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
