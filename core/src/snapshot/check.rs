//! Checks every file of a snapshot: those with rows by their checksums, and those that describe them
//! by writing them again.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::described::{self, Gone, ManifestKeys};
use super::list::Source;
use super::reference::snapshots_key;
use super::store_error;
use super::stored::Document;
use super::table::{FileRef, TableBase};
use crate::error::{Error, Result};
use crate::iceberg::{is_same_avro, is_same_manifest, removed_files};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::store::Key;

/// A file that was looked at: its key, and its size or what is wrong with it.
pub(crate) type Looked = (Key, Result<u64>);

/// Checks the files of snapshots, each once.
#[derive(Default)]
pub(crate) struct FileCheck {
    /// The files that were looked at.
    known: BTreeSet<Arc<str>>,
    /// Manifest lists of earlier versions, which are checked with their own snapshots if these are
    /// still there.
    earlier: BTreeSet<Arc<str>>,
}

impl FileCheck {
    /// Looks at the files of one table of `document`; `None` when there are no more tables.
    pub(crate) async fn table(
        &mut self,
        from: Source<'_>,
        document: &Document,
        index: usize,
    ) -> Option<Vec<Looked>> {
        let table = document.tables.get(index)?;
        let mut looked = Vec::new();
        for file in table.files() {
            if self.known.insert(Arc::clone(&file.key)) {
                looked.push(look(from, &file.key, check_rows(from, file).await));
            }
        }
        if self.known.insert(Arc::clone(&table.metadata)) {
            let checked = check_metadata(from, table, &document.location).await;
            looked.push(look(from, &table.metadata, checked));
        }
        let lists = table.versions.iter().map(|version| &version.manifest_list);
        self.earlier.extend(lists.cloned());
        let keys = ManifestKeys::of(table);
        if self.known.insert(Arc::clone(&keys.list)) {
            looked.extend(check_manifests(from, table, &document.location, &keys).await);
        }
        Some(looked)
    }

    /// Looks at what is left: manifest lists that readers go back to, and whose own snapshots are
    /// gone.
    pub(crate) async fn rest(&mut self, from: Source<'_>) -> Vec<Looked> {
        let mut looked = Vec::new();
        for key in std::mem::take(&mut self.earlier) {
            if self.known.insert(Arc::clone(&key)) {
                let found = get(from, &key, DOCUMENT_BYTES_MAX).await;
                let checked = found.and_then(|bytes| {
                    // Compared with itself: whether it can be read at all.
                    expect(from, &key, is_same_avro(&bytes, &bytes), "an Avro file")?;
                    Ok(bytes.len() as u64)
                });
                looked.push(look(from, &key, checked));
            }
        }
        looked
    }
}

fn look(from: Source<'_>, key: &str, checked: Result<u64>) -> Looked {
    (snapshots_key(from.prefix).join(key), checked)
}

/// The bytes of a file.
async fn get(from: Source<'_>, key: &str, bytes_max: u64) -> Result<Bytes> {
    let key = snapshots_key(from.prefix).join(key);
    let found = from.bucket.get_within(&key, bytes_max).await.map_err(store_error)?;
    let missing = || Error::corrupt(&key, "expected a file of a snapshot, found nothing");
    Ok(found.ok_or_else(missing)?.bytes)
}

fn expect(from: Source<'_>, key: &str, is_met: bool, what: &str) -> Result<()> {
    if is_met {
        return Ok(());
    }
    let key = snapshots_key(from.prefix).join(key);
    Err(Error::corrupt(&key, format!("expected {what}, found something else")))
}

async fn check_rows(from: Source<'_>, file: &FileRef) -> Result<u64> {
    let mut room = from.room();
    room.grow(file.bytes).await?;
    let bytes = get(from, &file.key, file.bytes).await?;
    let what = format!("{} bytes with the checksum {}", file.bytes, file.blake3);
    let is_met = bytes.len() as u64 == file.bytes && blake3::hash(&bytes) == file.blake3;
    expect(from, &file.key, is_met, &what)?;
    Ok(file.bytes)
}

async fn check_metadata(from: Source<'_>, table: &TableBase, location: &str) -> Result<u64> {
    let found = get(from, &table.metadata, DOCUMENT_BYTES_MAX).await?;
    let expected = described::metadata(table, location)?;
    let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let is_met = read(&found).is_some() && read(&found) == read(&expected);
    expect(from, &table.metadata, is_met, "the table's metadata as the snapshot describes it")?;
    Ok(found.len() as u64)
}

/// Compares the manifests with what they would be if they were written now. Which files are gone
/// only they know.
async fn check_manifests(
    from: Source<'_>,
    table: &TableBase,
    location: &str,
    keys: &ManifestKeys,
) -> Vec<Looked> {
    let mut found: Vec<(Arc<str>, Result<Bytes>)> = Vec::new();
    let mut gone = Gone::default();
    let lists = [(&keys.data, &mut gone.data), (&keys.deletes, &mut gone.deletes)];
    for (key, list) in lists {
        // Without a file there is no manifest; whether there should be one shows below.
        let full = snapshots_key(from.prefix).join(key);
        match from.bucket.get_within(&full, DOCUMENT_BYTES_MAX).await {
            Ok(None) => {}
            Ok(Some(stored)) => {
                let read = removed_files(full.as_str(), &stored.bytes);
                let bytes = read.map(|files| {
                    *list = files;
                    stored.bytes
                });
                found.push((Arc::clone(key), bytes));
            }
            Err(error) => found.push((Arc::clone(key), Err(store_error(error)))),
        }
    }
    found.push((Arc::clone(&keys.list), get(from, &keys.list, DOCUMENT_BYTES_MAX).await));
    let expected = match described::manifests(table, location, &gone) {
        Ok(expected) => expected,
        Err(error) => return vec![look(from, &keys.list, Err(error))],
    };
    let mut is_whole = true;
    let mut looked = Vec::new();
    for (key, bytes) in &expected {
        let named = found.iter().position(|(other, _)| other == key);
        let checked = match named.map(|index| found.swap_remove(index).1) {
            None => expect(from, key, false, "a manifest").map(|()| 0),
            Some(Err(error)) => Err(error),
            // A list counts what is in its manifests, so it can't be told from damaged ones.
            Some(Ok(read)) if *key == keys.list && !is_whole => Ok(read.len() as u64),
            Some(Ok(read)) => {
                let is_met = match *key == keys.list {
                    true => is_same_avro(&read, bytes),
                    false => is_same_manifest(&read, bytes),
                };
                expect(from, key, is_met, "the manifest that the snapshot describes")
                    .map(|()| read.len() as u64)
            }
        };
        is_whole &= checked.is_ok();
        looked.push(look(from, key, checked));
    }
    for (key, bytes) in found {
        let checked = bytes.and_then(|_| expect(from, &key, false, "no manifest").map(|()| 0));
        looked.push(look(from, &key, checked));
    }
    looked
}
