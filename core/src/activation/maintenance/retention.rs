//! Deletes what is older than the retention: records that a snapshot covers, snapshots that newer
//! ones have replaced, and the rest of failed uploads.

use std::sync::Arc;
use std::time::Duration;

use crate::activation::maintenance::verification::may_delete_records;
use crate::activation::state::Activation;
use crate::clock::Instant;
use crate::error::Result;
use crate::limits::RETENTION_MIN;
use crate::log::{Log, delete_covered, list_newest};
use crate::millis;
use crate::planted::{Bug, Place, pass, planted};
use crate::snapshot::{SnapshotRef, Sweeper, Unfinished};
use crate::store::{Bucket as _, Part};

/// Interval between two sweeps of an object that stays in memory.
const PAUSE: Duration = Duration::from_secs(3600);

/// One snapshot in this many starts a sweep regardless of the interval, because instances that live
/// only for minutes must sweep too.
const CHANCE: u128 = 64;

impl Activation {
    /// Starts a sweep in the background after `snapshot` was written, if one is due.
    pub(crate) fn sweep_if_due(self: &Arc<Self>, snapshot: SnapshotRef) {
        {
            let mut swept = self.swept.lock();
            let drawn = snapshot.uuid.as_u128().is_multiple_of(CHANCE);
            if swept.elapsed_at_most(self.runtime.clock.as_ref()) < PAUSE && !drawn {
                return;
            }
            *swept = Instant::now(self.runtime.clock.as_ref());
        }
        let activation = self.clone();
        self.runtime.background.spawn(async move {
        if let Err(error) = activation.sweep(snapshot).await {
            tracing::warn!(object = %activation.log.object, %error, "cannot delete what the retention time has released; retrying later");
        }
    });
    }

    /// Deletes what is older than the retention. `newest` is a snapshot that was just written.
    ///
    /// The date that the bucket gave that snapshot counts as now. So ages are differences between
    /// dates of the same clock, and a wrong date in a response deletes nothing. Records go first,
    /// while the snapshot that covers them is there.
    pub(crate) async fn sweep(&self, newest: SnapshotRef) -> Result<()> {
        let Log { bucket, object, .. } = &self.log;
        let sweeper = Sweeper::look(self.log.snapshots()).await?;
        let Some(now_ms) = sweeper.completed_ms(newest) else { return Ok(()) };
        let retention =
            self.runtime.settings.retention.max(RETENTION_MIN) + bucket.store_time_error();
        let before_ms = now_ms.saturating_sub(millis::signed(retention));
        let before_ms = if planted(Bug::NoRetention) { i64::MAX } else { before_ms };
        pass(Place::Sweeping);
        let head = self.pipeline().head.sequence;
        let covered = sweeper.covered(before_ms).await?;
        // The lowest bits have already decided whether to sweep at all.
        let draw = newest.uuid.as_u128() >> 8;
        if covered > 0
            && !may_delete_records(&self.runtime, &self.log, &sweeper.complete(), covered, draw)
                .await?
        {
            return Ok(());
        }
        // Records may have the dates of another clock. The earlier of the two deletes less.
        let log_ms = bucket.store_time_ms(Part::Log).map_or(now_ms, |log_ms| log_ms.min(now_ms));
        let log_before_ms = before_ms.saturating_sub(now_ms.saturating_sub(log_ms));
        let records = delete_covered(&self.log, covered, head, log_before_ms).await?;
        let unfinished = self.unfinished().await?;
        let swept = sweeper.remove(retention, now_ms, unfinished).await?;
        tracing::debug!(%object, records, snapshots = swept.snapshots, files = swept.files, "swept");
        metrics::counter!("dotdo_swept_total", "what" => "records").increment(records as u64);
        metrics::counter!("dotdo_swept_total", "what" => "snapshot_files")
            .increment(swept.files as u64);
        Ok(())
    }

    /// What happens to the files of failed uploads that were listed before. A record may start from
    /// such files when its writer has ended before it published them. Whoever has read that record
    /// has published them, so they are needed by nobody if this process has read every record.
    async fn unfinished(&self) -> Result<Unfinished> {
        let newest = list_newest(&self.log, u64::MAX).await?.head;
        if self.pipeline().head.sequence >= newest {
            return Ok(Unfinished::Remove);
        }
        Ok(Unfinished::Keep)
    }
}
