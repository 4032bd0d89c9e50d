//! Letting go of what the retention has released: records that a snapshot has covered for long
//! enough, snapshots that newer ones have replaced, and what failed uploads left.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::error::Result;
use crate::instance::slot::Slot;
use crate::instance::{Deps, verify};
use crate::limits::RETENTION_MIN;
use crate::log::{Log, delete_covered};
use crate::planted::{Bug, Place, pass, planted};
use crate::snapshot::{SnapshotRef, Sweeper};

/// An object that stays in memory is swept this often.
const PAUSE: Duration = Duration::from_secs(3600);

/// One snapshot in this many sweeps, whatever the time: instances that live for minutes only must
/// sweep too.
const CHANCE: u128 = 64;

/// Sweeps in the background, if it is time, after `snapshot` was written.
pub(crate) fn sweep_if_due(deps: &Arc<Deps>, slot: &Arc<Slot>, snapshot: SnapshotRef) {
    {
        let mut swept = slot.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = snapshot.uuid.as_u128().is_multiple_of(CHANCE);
        if swept.elapsed_at_most(deps.clock.as_ref()) < PAUSE && !drawn {
            return;
        }
        *swept = Instant::now(deps.clock.as_ref());
    }
    let (task_deps, slot) = (deps.clone(), slot.clone());
    deps.background.spawn(async move {
        if let Err(error) = sweep(&task_deps, &slot, snapshot).await {
            tracing::warn!(object = %slot.log.object, %error, "what the retention has released was not deleted; another time");
        }
    });
}

/// Deletes what is older than the retention; `newest` is a snapshot that was written a moment ago.
///
/// When the bucket dated that snapshot is what counts as now: so ages are differences between dates
/// that the same clock gave to what was written, and a wrong date in an answer deletes nothing.
/// Records go first, while the snapshot that covers them is there.
async fn sweep(deps: &Deps, slot: &Slot, newest: SnapshotRef) -> Result<()> {
    let Log { bucket, prefix, object, .. } = &slot.log;
    let sweeper = Sweeper::look(bucket.as_ref(), prefix, object).await?;
    let Some(now_ms) = sweeper.completed_ms(newest) else { return Ok(()) };
    let retention = deps.settings.retention.max(RETENTION_MIN) + bucket.store_time_error();
    let before_ms = now_ms.saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
    let before_ms = if planted(Bug::NoRetention) { i64::MAX } else { before_ms };
    pass(Place::Sweeping);
    let head = slot.pipeline().head.sequence;
    let covered = sweeper.covered(before_ms).await?;
    // The lowest bits have decided already whether there is a sweep at all.
    let draw = newest.uuid.as_u128() >> 8;
    if covered > 0
        && !verify::may_delete(deps, &slot.log, &sweeper.complete(), covered, draw).await?
    {
        return Ok(());
    }
    let records = delete_covered(&slot.log, covered, head, before_ms).await?;
    let swept = sweeper.remove(retention, now_ms).await?;
    tracing::debug!(%object, records, snapshots = swept.snapshots, files = swept.files, "swept");
    metrics::counter!("dotdo_swept_total", "what" => "records").increment(records as u64);
    metrics::counter!("dotdo_swept_total", "what" => "snapshot_files")
        .increment(swept.files as u64);
    Ok(())
}
