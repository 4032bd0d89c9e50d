//! Lists the snapshots of an object.

use std::collections::BTreeMap;

use super::reference::{SnapshotRef, snapshots_key};
use super::store_error;
use super::stored::Document;
use crate::error::{Error, Result};
use crate::executor::{Executor, offload_bytes};
use crate::id::ObjectId;
use crate::store::{Bucket, Entry, Key};

/// Number of entries per page of a listing: the maximum of S3.
pub(super) const PAGE: usize = 1000;

/// A complete snapshot, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotEntry {
    /// Which snapshot it is.
    pub(crate) reference: SnapshotRef,
    /// When it became complete, by the store's clock.
    pub(crate) modified_ms: i64,
    /// The size of all files in its own directory.
    pub(crate) bytes: u64,
}

/// Where the snapshots of one object are, and the executor for long computations.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) bucket: &'a dyn Bucket,
    pub(crate) executor: &'a dyn Executor,
    /// The object's prefix in the bucket.
    pub(crate) prefix: &'a Key,
    pub(crate) object: &'a ObjectId,
}

impl Source<'_> {
    /// Reads the bytes of a description found under `key`: on the executor when they are many.
    ///
    /// # Errors
    ///
    /// Those of [`Document::decode`].
    pub(crate) fn decode(&self, key: &Key, bytes: &[u8]) -> Result<Document> {
        offload_bytes(self.executor, bytes.len(), || Document::decode(key, bytes, self.object))
    }
}

/// The complete snapshots, newest first. One request for every thousand files.
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket.
pub(crate) async fn list(bucket: &dyn Bucket, prefix: &Key) -> Result<Vec<SnapshotEntry>> {
    let mut snapshots = Vec::new();
    for (reference, files) in directories(bucket, prefix).await? {
        let document = reference.document_key(prefix);
        if let Some(document) = files.iter().find(|entry| entry.key == document) {
            let bytes = files.iter().map(|entry| entry.bytes).sum();
            snapshots.push(SnapshotEntry { reference, modified_ms: document.modified_ms, bytes });
        }
    }
    snapshots.sort_by_key(|entry| {
        std::cmp::Reverse((entry.reference.sequence, entry.modified_ms, entry.reference.uuid))
    });
    Ok(snapshots)
}

/// Reads a snapshot's description.
///
/// # Errors
///
/// `Corrupt`, naming the key, when it is missing or invalid; `Unavailable` or `StoreRefused` from
/// the bucket.
pub(crate) async fn read(from: Source<'_>, reference: SnapshotRef) -> Result<Document> {
    let key = reference.document_key(from.prefix);
    let stored = from.bucket.get(&key).await.map_err(store_error)?;
    let stored = stored.ok_or_else(|| {
        Error::corrupt(&key, "expected a description of a snapshot, found nothing")
    })?;
    let document = from.decode(&key, &stored.bytes)?;
    if document.reference != reference {
        return Err(Error::corrupt(
            &key,
            format!("expected the snapshot {reference}, found {}", document.reference),
        ));
    }
    Ok(document)
}

/// All files below `snapshots/` by snapshot, complete or not. Files with other names are ignored.
pub(super) async fn directories(
    bucket: &dyn Bucket,
    prefix: &Key,
) -> Result<BTreeMap<SnapshotRef, Vec<Entry>>> {
    let snapshots = snapshots_key(prefix);
    let mut found: BTreeMap<SnapshotRef, Vec<Entry>> = BTreeMap::new();
    let mut after: Option<Key> = None;
    loop {
        let page = bucket.list(&snapshots, after.as_ref(), PAGE).await.map_err(store_error)?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|entry| entry.key.clone());
        for entry in page {
            let below = entry
                .key
                .as_str()
                .strip_prefix(snapshots.as_str())
                .and_then(|rest| rest.strip_prefix('/'));
            let directory = below
                .and_then(|rest| rest.split_once('/'))
                .and_then(|(name, _)| SnapshotRef::from_directory(name));
            if let Some(reference) = directory {
                found.entry(reference).or_default().push(entry);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}
