//! Lists the snapshots of an object.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reference::{SnapshotRef, latest_key, snapshots_key};
use super::store_error;
use super::stored::Document;
use crate::budget::{Budget, Charge, Use};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::{Executor, offload_bytes};
use crate::id::ObjectId;
use crate::limits::{ACTIVATION_BYTES, DOCUMENT_BYTES_MAX, DOCUMENT_FACTOR, SMALL_BYTES};
use crate::store::{Bucket, Entry, Key, StoreError};

/// Number of entries per page of a listing: the maximum of S3.
pub(super) const PAGE: usize = 1000;

/// A complete snapshot, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotEntry {
    /// Which snapshot it is.
    pub(crate) reference: SnapshotRef,
    /// When it became complete, by the store's clock.
    pub(crate) modified_ms: i64,
    /// The size of all files that it wrote.
    pub(crate) bytes: u64,
}

/// Where the snapshots of one object are, and the executor for long computations.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) bucket: &'a dyn Bucket,
    pub(crate) executor: &'a dyn Executor,
    /// The memory of the process, from which what is read is paid.
    pub(crate) budget: &'a Budget,
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

    /// The description under `key`, paid as long as it is in memory where it is large; `None` when
    /// there is nothing.
    ///
    /// # Errors
    ///
    /// `Corrupt` for anything else; `Unavailable` or `StoreRefused` from the bucket, `Busy` or
    /// `Full` when there is no memory for it.
    async fn fetch(&self, key: &Key) -> Result<Option<Document>> {
        let (stored, paid) = match self.bucket.get_within(key, SMALL_BYTES).await {
            Err(StoreError::TooLarge { bytes, .. }) if bytes <= DOCUMENT_BYTES_MAX => {
                let mut room = self.room();
                room.grow(bytes * DOCUMENT_FACTOR).await?;
                (self.bucket.get_within(key, bytes).await, Some(Arc::new(room)))
            }
            found => (found, None),
        };
        let Some(stored) = stored.map_err(store_error)? else { return Ok(None) };
        let document = self.decode(key, &stored.bytes)?;
        Ok(Some(Document { _paid: paid, ..document }))
    }

    /// The description that the hint `snapshots/latest` holds; `None` when there is no hint, or one
    /// that nobody can use.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `StoreRefused` from the bucket, `Busy` or `Full` when there is no memory.
    pub(crate) async fn hint(&self) -> Result<Option<Document>> {
        match self.fetch(&latest_key(self.prefix)).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(object = %self.object, %error, "cannot use the hint snapshots/latest");
                Ok(None)
            }
            found => found,
        }
    }

    /// The snapshot that the hint `snapshots/latest` names, and the hint's size; `None` when there
    /// is no hint.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it is damaged; `Unavailable` or `StoreRefused` from the bucket.
    pub(crate) async fn latest(&self) -> Result<Option<(SnapshotRef, u64)>> {
        let key = latest_key(self.prefix);
        let found = self.bucket.get_within(&key, DOCUMENT_BYTES_MAX).await.map_err(store_error)?;
        let Some(stored) = found else { return Ok(None) };
        let document = self.decode(&key, &stored.bytes)?;
        Ok(Some((document.reference, stored.bytes.len() as u64)))
    }

    /// Memory for what is read on behalf of the object. It has something already, so it never waits
    /// for others that have some.
    pub(super) fn room(&self) -> Charge {
        self.budget.count(Use::Objects, self.object, ACTIVATION_BYTES)
    }
}

/// The complete snapshots, newest first. One request for every thousand files.
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket; `Busy` or `Full` when there are so many that
/// there is no memory for them.
pub(crate) async fn list(from: Source<'_>) -> Result<Vec<SnapshotEntry>> {
    let (mut room, mut pages) = (from.room(), Pages::of(from));
    let mut found: BTreeMap<SnapshotRef, (u64, Option<i64>)> = BTreeMap::new();
    while let Some(page) = pages.next().await? {
        room.grow(page.len() as u64 * SNAPSHOT_ENTRY_BYTES).await?;
        for (reference, file) in page {
            let (bytes, modified_ms) = found.entry(reference).or_default();
            *bytes = bytes.saturating_add(file.bytes);
            if file.key == reference.document_key(from.prefix) {
                *modified_ms = Some(file.modified_ms);
            }
        }
        room.set(ACTIVATION_BYTES + found.len() as u64 * SNAPSHOT_ENTRY_BYTES);
    }
    let entry = |(reference, (bytes, modified_ms)): (SnapshotRef, (u64, Option<i64>))| {
        Some(SnapshotEntry { reference, modified_ms: modified_ms?, bytes })
    };
    let mut snapshots: Vec<SnapshotEntry> = found.into_iter().filter_map(entry).collect();
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
    let document = from.fetch(&key).await?.ok_or_else(|| {
        Error::corrupt(&key, "expected a description of a snapshot, found nothing")
    })?;
    if document.reference != reference {
        return Err(Error::corrupt(
            &key,
            format!("expected the snapshot {reference}, found {}", document.reference),
        ));
    }
    Ok(document)
}

/// All files below `snapshots/` by snapshot, complete or not, and what they take of memory. Files
/// with other names are ignored.
pub(super) async fn directories(from: Source<'_>) -> Result<(Directories, Charge)> {
    let (mut room, mut pages) = (from.room(), Pages::of(from));
    let mut found = Directories::new();
    while let Some(page) = pages.next().await? {
        room.grow(page.len() as u64 * FILE_ENTRY_BYTES).await?;
        for (reference, file) in page {
            found.entry(reference).or_default().push(file);
        }
    }
    Ok((found, room))
}

/// Files by the snapshot that wrote them.
pub(super) type Directories = BTreeMap<SnapshotRef, Vec<Entry>>;

/// Memory of a file in [`Directories`], in bytes: its key, and a place in a list.
const FILE_ENTRY_BYTES: u64 = 512;

/// Memory of a snapshot in a list of them, in bytes.
const SNAPSHOT_ENTRY_BYTES: u64 = 128;

/// The files of an object's snapshots, a page of a listing at a time.
struct Pages<'a> {
    from: Source<'a>,
    after: Option<Key>,
    is_last: bool,
}

impl<'a> Pages<'a> {
    fn of(from: Source<'a>) -> Self {
        Self { from, after: None, is_last: false }
    }

    /// The next page's files that belong to a snapshot, each with its snapshot; `None` after the
    /// last page.
    async fn next(&mut self) -> Result<Option<Vec<(SnapshotRef, Entry)>>> {
        if self.is_last {
            return Ok(None);
        }
        let snapshots = snapshots_key(self.from.prefix);
        let page = self.from.bucket.list(&snapshots, self.after.as_ref(), PAGE).await;
        let page = page.map_err(store_error)?;
        self.is_last = page.len() < PAGE;
        self.after = page.last().map(|entry| entry.key.clone());
        let of_snapshot = |entry: Entry| {
            let below = entry.key.as_str().strip_prefix(snapshots.as_str())?.strip_prefix('/')?;
            Some((SnapshotRef::of_file(below)?, entry))
        };
        Ok(Some(page.into_iter().filter_map(of_snapshot).collect()))
    }
}
