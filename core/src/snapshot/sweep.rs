//! Deletes files that no kept snapshot reaches.
//!
//! A snapshot is kept while it is the newest, and for the retention after a newer one replaced it:
//! so every state of that time can be read, and a slow writer has time to find out that it was
//! replaced. Files of older snapshots stay if a kept one shares them, or if engines can reach them
//! through the history of a kept table.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::millis;

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::described::{LIST, METADATA};
use super::list::{Directories, Source, directories, read};
use super::reference::{SnapshotRef, snapshots_key};
use super::store_error;
use super::stored::Document;
use super::table::TableBase;
use crate::budget::Charge;
use crate::error::{Error, Result};
use crate::limits::{RESTORE_CONCURRENCY, RETENTION_MIN};
use crate::store::{Entry, Key};

/// What happens to the files of uploads that never became snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// They are removed, because the sweeper has read all records, and none names them.
    Remove,
    /// They stay: a record that the sweeper has not read may name them.
    Keep,
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Swept {
    /// Snapshots that can no longer be restored.
    pub(crate) snapshots: usize,
    /// Files, those of failed uploads included.
    pub(crate) files: usize,
}

/// An object's snapshots according to a listing, and operations on them.
///
/// The listing may be hours old when something is removed: files that it shows to be unneeded stay
/// unneeded, because a snapshot is only published on a base that is certainly kept (see
/// [`Kept`](super::Kept)), and no key is ever used twice.
pub(crate) struct Sweeper<'a> {
    from: Source<'a>,
    directories: Directories,
    /// What the listing takes of memory.
    _room: Charge,
}

impl<'a> Sweeper<'a> {
    /// Lists everything below `snapshots/`: one request for every thousand files.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `StoreRefused` from the bucket.
    pub(crate) async fn look(from: Source<'a>) -> Result<Self> {
        let (directories, _room) = directories(from).await?;
        Ok(Self { from, directories, _room })
    }

    /// When `snapshot` became complete, by the store's clock.
    pub(crate) fn completed_ms(&self, snapshot: SnapshotRef) -> Option<i64> {
        let document = snapshot.document_key(self.from.prefix);
        self.directories
            .get(&snapshot)?
            .iter()
            .find(|entry| entry.key == document)
            .map(|entry| entry.modified_ms)
    }

    /// All complete snapshots.
    pub(crate) fn complete(&self) -> Vec<SnapshotRef> {
        self.directories
            .keys()
            .copied()
            .filter(|snapshot| self.completed_ms(*snapshot).is_some())
            .collect()
    }

    /// The last record that the newest of the snapshots holds which were complete before
    /// `before_ms`; 0 when there is none. Records up to it are needed no more.
    ///
    /// # Errors
    ///
    /// `Corrupt` when that snapshot could not be restored: then the records are all there is.
    pub(crate) async fn covered(&self, before_ms: i64) -> Result<u64> {
        let old = self.directories.keys().filter(|snapshot| {
            self.completed_ms(**snapshot).is_some_and(|at_ms| at_ms < before_ms)
        });
        let Some(newest) = old.max_by_key(|snapshot| snapshot.sequence) else { return Ok(0) };
        self.check_whole(&read(self.from, *newest).await?)?;
        Ok(newest.sequence)
    }

    /// Removes expired snapshots and the files of failed uploads. `now_ms` is a time that the
    /// store's clock has reached.
    ///
    /// Reads the description of every kept snapshot when there is something to remove: a day's
    /// sweep of a busy object is a few thousand requests.
    ///
    /// # Errors
    ///
    /// `Corrupt` when a kept snapshot's description can't be read, or a file that it needs is
    /// missing: then nothing is removed. `Unavailable` or `StoreRefused` from the bucket; what was
    /// not removed then is removed the next time.
    pub(crate) async fn remove(
        &self,
        retention: Duration,
        now_ms: i64,
        unfinished: Unfinished,
    ) -> Result<Swept> {
        let before = |age: Duration| now_ms.saturating_sub(millis::signed(age));
        let mut census = Census::take(
            self.from.prefix,
            &self.directories,
            before(retention.max(RETENTION_MIN)),
            before(RETENTION_MIN),
        );
        if unfinished == Unfinished::Keep {
            census.abandoned.clear();
        }
        if census.expired.is_empty() && census.abandoned.is_empty() {
            return Ok(Swept::default());
        }
        let mut kept = census.kept;
        kept.extend(self.latest().await?);
        let reached = self.reached(&kept).await?;
        let is_free = |entry: &&Entry| !reached.contains(&entry.key);
        let documents: Vec<Key> = census
            .expired
            .iter()
            .filter(|snapshot| !kept.contains(snapshot))
            .map(|snapshot| snapshot.document_key(self.from.prefix))
            .filter(|key| !reached.contains(key))
            .collect();
        let candidates = census
            .expired
            .iter()
            .chain(&census.abandoned)
            .filter(|snapshot| !kept.contains(snapshot));
        let files: Vec<Key> = candidates
            .flat_map(|snapshot| self.directories[snapshot].iter().filter(is_free))
            .map(|entry| entry.key.clone())
            .collect();
        let is_metadata = |key: &&Key| key.as_str().ends_with(METADATA);
        let (metadata, rest): (Vec<&Key>, Vec<&Key>) =
            files.iter().filter(|key| !documents.contains(key)).partition(is_metadata);
        let metadata: Vec<Key> = metadata.into_iter().cloned().collect();
        let rest: Vec<Key> = rest.into_iter().cloned().collect();
        // Descriptions first, then metadata: neither a snapshot nor a table that has lost a file
        // must look complete.
        for keys in [&documents, &metadata, &rest] {
            self.from.bucket.delete(keys).await.map_err(store_error)?;
        }
        Ok(Swept { snapshots: documents.len(), files: files.len() })
    }

    /// The snapshot that the hint names; `None` if the hint can't be read, or its snapshot was
    /// deleted.
    async fn latest(&self) -> Result<Option<SnapshotRef>> {
        let document = self.from.hint().await?;
        Ok(document
            .map(|document| document.reference)
            .filter(|snapshot| self.completed_ms(*snapshot).is_some()))
    }

    /// Every key that a kept snapshot needs.
    async fn reached(&self, kept: &BTreeSet<SnapshotRef>) -> Result<HashSet<Key>> {
        let mut reached = Reached {
            snapshots: snapshots_key(self.from.prefix),
            keys: HashSet::new(),
            past: BTreeMap::new(),
        };
        for document in self.documents(kept.iter().copied()).await? {
            self.check_whole(&document)?;
            document.tables.iter().for_each(|table| reached.add_current(table));
        }
        let past = std::mem::take(&mut reached.past);
        let unread = past
            .keys()
            .copied()
            .filter(|snapshot| !kept.contains(snapshot) && self.completed_ms(*snapshot).is_some());
        for document in self.documents(unread).await? {
            reached.keys.insert(document.reference.document_key(self.from.prefix));
            let tables = document
                .tables
                .iter()
                .filter(|table| past[&document.reference].contains(&table.uuid));
            tables.for_each(|table| reached.add_files(table));
        }
        Ok(reached.keys)
    }

    async fn documents(
        &self,
        snapshots: impl Iterator<Item = SnapshotRef>,
    ) -> Result<Vec<Document>> {
        let read = |snapshot| read(self.from, snapshot);
        stream::iter(snapshots.map(read)).buffer_unordered(RESTORE_CONCURRENCY).try_collect().await
    }

    /// Whether the listing shows every file that a restore of the snapshot needs.
    fn check_whole(&self, document: &Document) -> Result<()> {
        let snapshots = snapshots_key(self.from.prefix);
        for file in document.files() {
            let key = snapshots.join(&file.key);
            let mut listed = SnapshotRef::of_file(&file.key)
                .and_then(|writer| self.directories.get(&writer))
                .into_iter()
                .flatten();
            if !listed.any(|entry| entry.key == key && entry.bytes == file.bytes) {
                return Err(Error::corrupt(
                    &key,
                    format!(
                        "expected {} bytes for the snapshot {}",
                        file.bytes, document.reference
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The directories, grouped by whether they may be removed.
struct Census {
    kept: BTreeSet<SnapshotRef>,
    expired: BTreeSet<SnapshotRef>,
    /// Never completed, and so old that no upload can still be running.
    abandoned: BTreeSet<SnapshotRef>,
}

impl Census {
    fn take(
        prefix: &Key,
        directories: &Directories,
        replaced_before_ms: i64,
        touched_before_ms: i64,
    ) -> Self {
        let mut census =
            Self { kept: BTreeSet::new(), expired: BTreeSet::new(), abandoned: BTreeSet::new() };
        let mut complete = Vec::new();
        for (snapshot, files) in directories {
            let document = snapshot.document_key(prefix);
            match files.iter().find(|entry| entry.key == document) {
                Some(document) => {
                    complete.push((snapshot.sequence, document.modified_ms, *snapshot))
                }
                None if files.iter().all(|entry| entry.modified_ms < touched_before_ms) => {
                    _ = census.abandoned.insert(*snapshot)
                }
                None => {}
            }
        }
        complete.sort_unstable();
        let mut is_replaced = false;
        for (_, modified_ms, snapshot) in complete.into_iter().rev() {
            if is_replaced {
                census.expired.insert(snapshot)
            } else {
                census.kept.insert(snapshot)
            };
            is_replaced |= modified_ms < replaced_before_ms;
        }
        census
    }
}

struct Reached {
    snapshots: Key,
    keys: HashSet<Key>,
    /// Snapshots that made a version of a table that engines can still go back to, with the table's
    /// id.
    past: BTreeMap<SnapshotRef, BTreeSet<Uuid>>,
}

impl Reached {
    /// Adds a table of a kept snapshot: its files, its metadata, and the manifests of all versions
    /// in its history.
    fn add_current(&mut self, table: &TableBase) {
        self.add_files(table);
        self.add(&table.metadata);
        for version in &table.versions {
            self.add(&version.manifest_list);
            if let Some(stem) = version.manifest_list.strip_suffix(LIST) {
                self.add(&format!("{stem}-data.avro"));
                self.add(&format!("{stem}-deletes.avro"));
            }
            if let Some(writer) = SnapshotRef::of_file(&version.manifest_list) {
                self.past.entry(writer).or_default().insert(table.uuid);
            }
        }
    }

    fn add_files(&mut self, table: &TableBase) {
        for file in table.files() {
            self.add(&file.key);
        }
    }

    fn add(&mut self, key: &str) {
        self.keys.insert(self.snapshots.join(key));
    }
}
