//! How long a snapshot's files are certain to exist.
//!
//! A sweep may remove a snapshot when a newer one has been complete for longer than the retention.
//! A writer whose base is older than it believes (its memory is days old, others have written
//! snapshots since) must not publish a snapshot that shares files with that base.

use std::time::Duration;

use super::list::PAGE;
use super::reference::{SnapshotRef, snapshots_key};
use super::store_error;
use crate::clock::Clock;
use crate::error::Result;
use crate::limits::RETENTION_MIN;
use crate::millis;
use crate::store::{Bucket, Entry, Key, Moment, Part};

/// Evidence that a snapshot and its shared files exist for some time.
///
/// It also holds for every snapshot that is published on top of it, because what replaces that one
/// replaces this one too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// A moment before the bucket was read.
    seen: Moment,
    /// Maximum time since the snapshot was replaced, at that moment.
    replaced: Duration,
}

impl Kept {
    /// Finds out from the bucket whether `base` was replaced, and since when, with one listing
    /// request. `None` if it may be deleted now or soon.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `StoreRefused` from the bucket.
    pub(crate) async fn look(
        bucket: &dyn Bucket,
        clock: &dyn Clock,
        prefix: &Key,
        base: SnapshotRef,
    ) -> Result<Option<Self>> {
        let seen = Moment::now(Part::Files, bucket, clock);
        let page = bucket
            .list(&snapshots_key(prefix), Some(&base.before_key(prefix)), PAGE)
            .await
            .map_err(store_error)?;
        if page.len() == PAGE {
            return Ok(None);
        }
        let complete = |entry: &Entry| {
            let name = entry.key.as_str().strip_suffix("/snapshot.json")?.rsplit('/').next()?;
            SnapshotRef::from_directory(name)
                .map(|snapshot| (snapshot.sequence, entry.modified_ms, snapshot))
        };
        let found: Vec<_> = page.iter().filter_map(complete).collect();
        let Some(base) = found.iter().find(|(.., snapshot)| *snapshot == base) else {
            return Ok(None);
        };
        let Some(first_ms) = found
            .iter()
            .filter(|newer| *newer > base)
            .map(|(_, modified_ms, _)| *modified_ms)
            .min()
        else {
            return Ok(Some(Self { seen, replaced: Duration::ZERO }));
        };
        let Some(now_ms) = bucket.store_time_ms(Part::Files) else { return Ok(None) };
        let replaced = millis::between(first_ms, now_ms);
        Ok(Some(Self { seen, replaced: replaced.saturating_add(bucket.store_time_error()) }))
    }

    /// Whether no sweep removes it within `margin` from now, under any retention that a process can
    /// be configured with.
    pub(crate) fn holds(&self, margin: Duration, bucket: &dyn Bucket, clock: &dyn Clock) -> bool {
        self.seen
            .elapsed_at_most(bucket, clock)
            .saturating_add(self.replaced)
            .saturating_add(margin)
            < RETENTION_MIN
    }
}
