//! Letting go of what the retention has released: records that a snapshot has covered for long enough, snapshots that newer ones have
//! replaced, and what failed uploads left.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::error::Result;
use crate::instance::Deps;
use crate::instance::slot::Slot;
use crate::limits::RETENTION_MIN;
use crate::log::delete_covered;
use crate::snapshot::{self, SnapshotRef};

/// An object that stays in memory is swept this often.
const PAUSE: Duration = Duration::from_secs(3600);

/// One snapshot in this many sweeps, whatever the time: instances that live for minutes only must sweep too.
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
        if let Err(error) = sweep(&task_deps, &slot).await {
            tracing::warn!(object = %slot.log.object, %error, "what the retention has released was not deleted; another time");
        }
    });
}

/// Deletes records first: they may go only while the snapshot that covers them is there.
async fn sweep(deps: &Deps, slot: &Slot) -> Result<()> {
    let Some(now_ms) = deps.bucket.store_time_ms() else { return Ok(()) };
    let retention = deps.settings.retention.max(RETENTION_MIN) + deps.bucket.store_time_error();
    let replaced_ms = now_ms.saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
    let snapshots = snapshot::list(deps.bucket.as_ref(), &slot.log.prefix).await?;
    let covering = snapshots.iter().filter(|entry| entry.modified_ms < replaced_ms).map(|entry| entry.reference.sequence).max();
    let head = slot.pipeline().head.sequence;
    let records = match covering {
        Some(covered) => delete_covered(&slot.log, covered, head, retention).await?,
        None => 0,
    };
    let swept = snapshot::sweep(deps.bucket.as_ref(), &slot.log.prefix, &slot.log.object, retention, now_ms).await?;
    tracing::debug!(object = %slot.log.object, records, snapshots = swept.snapshots, files = swept.files, "swept");
    metrics::counter!("dotdo_swept_total", "what" => "records").increment(records as u64);
    metrics::counter!("dotdo_swept_total", "what" => "snapshot_files").increment(swept.files as u64);
    Ok(())
}
