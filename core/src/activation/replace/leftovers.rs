//! Deletes what a deleted object has left in the bucket, once the retention has passed: everything
//! but its newest record, and the one that deleted it.
//!
//! Those two stay for ever: a slot that was filled never becomes free for a writer that has slept
//! (docs/design/0005).

use std::sync::Arc;
use std::time::Duration;

use crate::activation::state::Activation;
use crate::cluster::write_lock_file;
use crate::error::Result;
use crate::lease::Claim;
use crate::limits::{HINT_BYTES_MAX, RETENTION_MIN, STORE_PAGE_MAX};
use crate::log::{Found, delete_covered, fetch, list_newest};
use crate::millis;
use crate::snapshot::{differs_key, snapshots_key};
use crate::store::{Bucket as _, Entry, Key, Part};

/// How many records may follow the one that deleted the object: claims, of which there are hardly
/// any.
const CLAIMS_MAX: usize = 64;

impl Activation {
    /// How long the state from before a deletion can be restored, in milliseconds.
    pub(super) fn kept_after_deletion(&self) -> i64 {
        millis::signed(self.retention_of_deleted())
    }

    fn retention_of_deleted(&self) -> Duration {
        self.runtime.settings.retention.max(RETENTION_MIN)
    }

    /// Leaves a marker, so that the leftovers are found by any server when the retention has passed.
    pub(super) async fn remember_deletion(&self) {
        let age = self.retention_of_deleted() + self.log.bucket.store_time_error();
        self.outbox.marker.mark_deleted(&self.runtime, &self.log, age).await;
    }

    /// Deletes in the background what a deleted object has left, if the retention seems to have passed
    /// since its newest record, whose claim is `newest`.
    pub(crate) fn sweep_deleted_behind(self: &Arc<Self>, newest: Option<&Claim>) {
        let now_ms = self.log.bucket.store_time_ms(Part::Log);
        let age =
            newest.zip(now_ms).map(|(claim, now_ms)| millis::between(claim.modified_ms, now_ms));
        if age.is_some_and(|age| age < self.retention_of_deleted()) {
            return;
        }
        let activation = self.clone();
        self.runtime.background.spawn(async move {
            if let Err(error) = activation.sweep_deleted().await {
                tracing::warn!(object = %activation.log.object, %error, "cannot delete what a deleted object has left; retrying later");
            }
        });
    }

    /// Deletes what a deleted object has left, if the retention has passed; `false` when it has not.
    /// Dates of the store decide: the one of the record that deleted the object, and the one of a
    /// hint that is written now. Files whose own store says that they are younger stay, and so it
    /// has not passed for them.
    ///
    /// # Errors
    ///
    /// Those of the store; what was not deleted then is deleted another time.
    pub(crate) async fn sweep_deleted(&self) -> Result<bool> {
        let Some((newest, deletion)) = self.deletion().await? else { return Ok(true) };
        write_lock_file(&self.runtime, &self.log, newest.head(), true).await;
        let lock = self.log.prefix.join("lock");
        let Some(now) = self.log.bucket.get_within(&lock, HINT_BYTES_MAX).await? else {
            return Ok(false);
        };
        let retention = self.retention_of_deleted() + self.log.bucket.store_time_error();
        let before_ms = now.modified_ms.saturating_sub(millis::signed(retention));
        let differs = self.log.bucket.get_within(&differs_key(&self.log.prefix), 0).await;
        if deletion.modified_ms >= before_ms || !matches!(differs, Ok(None)) {
            return Ok(false);
        }
        let sequence = deletion.record.sequence;
        let Some(files_before_ms) = self.files_before_ms(before_ms, retention) else {
            return Ok(false);
        };
        let (files, left) = self.sweep_files(files_before_ms).await?;
        let head = newest.record.sequence;
        let records = delete_covered(&self.log, sequence - 1, head, before_ms).await?;
        self.log.bucket.delete(&[lock]).await?;
        tracing::debug!(object = %self.log.object, records, files, "swept a deleted object");
        metrics::counter!("dotdo_swept_total", "what" => "records").increment(records as u64);
        metrics::counter!("dotdo_swept_total", "what" => "snapshot_files").increment(files as u64);
        Ok(left == 0)
    }

    /// The date before which a file is older than the retention, if the hint that was written now
    /// makes `before_ms` that date for records. Files may have the dates of another clock, which must
    /// have passed the retention as well; `None` when nothing is known of it.
    fn files_before_ms(&self, before_ms: i64, retention: Duration) -> Option<i64> {
        let bucket = self.log.bucket.as_ref();
        match (bucket.store_time_ms(Part::Files), bucket.store_time_ms(Part::Log)) {
            (Some(now_ms), _) => {
                Some(before_ms.min(now_ms.saturating_sub(millis::signed(retention))))
            }
            (None, None) => Some(before_ms),
            (None, Some(_)) => None,
        }
    }

    /// The newest record, and the one that deleted the object; `None` when it exists.
    async fn deletion(&self) -> Result<Option<(Found, Found)>> {
        let listing = list_newest(&self.log, u64::MAX).await?;
        let mut newest = None;
        for sequence in (listing.unbroken_from..=listing.head).rev().take(CLAIMS_MAX) {
            let read = || async {
                let mut room = self.log.room();
                fetch(&self.log, sequence..=sequence, None, &mut room).await
            };
            let Some(found) = read().await?.pop().filter(|found| found.record.deleted) else {
                break;
            };
            if found.record.start.is_some() {
                let newest = match newest {
                    Some(newest) => newest,
                    None => read().await?.pop(),
                };
                return Ok(newest.map(|newest| (newest, found)));
            }
            newest.get_or_insert(Some(found));
        }
        Ok(None)
    }

    /// Deletes the files of snapshots that were written before `before_ms`, descriptions first.
    /// Returns how many there were, and how many are left.
    async fn sweep_files(&self, before_ms: i64) -> Result<(usize, usize)> {
        let is_description = |key: &Key| {
            key.as_str().ends_with("/snapshot.json") || key.as_str().ends_with("/latest")
        };
        let (descriptions, _) = self.sweep_those(before_ms, is_description).await?;
        let (files, left) = self.sweep_those(before_ms, |_| true).await?;
        Ok((descriptions + files, left))
    }

    async fn sweep_those(
        &self,
        before_ms: i64,
        is_one: impl Fn(&Key) -> bool,
    ) -> Result<(usize, usize)> {
        let folder = snapshots_key(&self.log.prefix);
        let (mut after, mut deleted, mut left) = (None, 0, 0);
        loop {
            let page = self.log.bucket.list(&folder, after.as_ref(), STORE_PAGE_MAX).await?;
            let is_old = |entry: &&Entry| entry.modified_ms < before_ms && is_one(&entry.key);
            let old: Vec<Key> = page.iter().filter(is_old).map(|entry| entry.key.clone()).collect();
            self.log.bucket.delete(&old).await?;
            deleted += old.len();
            left += page.len() - old.len();
            match page.last() {
                Some(last) if page.len() == STORE_PAGE_MAX => after = Some(last.key.clone()),
                _ => return Ok((deleted, left)),
            }
        }
    }
}
