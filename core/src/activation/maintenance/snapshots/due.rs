//! When a snapshot is due.

use std::time::Duration;

use crate::activation::leased::Pipeline;
use crate::activation::runtime::Runtime;
use crate::clock::Instant;
use crate::settings::Upkeep;

/// Minimum pause after a failed snapshot.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Whether a snapshot is due by the settings.
pub(super) fn is_due(pipeline: &Pipeline, runtime: &Runtime) -> bool {
    let (settings, clock) = (&runtime.settings.checkpoint, runtime.clock.as_ref());
    let since = pipeline.since_snapshot;
    if since.records == 0
        || !pipeline.head.exists()
        || runtime.settings.upkeep == Upkeep::OnDemand
        || pipeline.snapshot_failed.is_some_and(|at| at.elapsed_at_most(clock) < RETRY_PAUSE)
    {
        return false;
    }
    let first = pipeline.snapshot.is_none() && since.rows > 0;
    let long = since.bytes >= settings.log_bytes || since.records >= settings.log_records;
    let timely = since.rows >= settings.min_changes
        && pipeline.snapshot_at.elapsed_at_most(clock) >= settings.interval;
    first || long || timely
}

/// How long until a snapshot is due by time alone; `None` when it never is.
pub(crate) fn snapshot_due_in(pipeline: &Pipeline, runtime: &Runtime) -> Option<Duration> {
    let (since, settings, clock) =
        (pipeline.since_snapshot, &runtime.settings.checkpoint, runtime.clock.as_ref());
    if runtime.settings.upkeep == Upkeep::OnDemand {
        return None;
    }
    let waits = |begun: Instant, time: Duration| time.saturating_sub(begun.elapsed_at_most(clock));
    let failed = pipeline
        .snapshot_failed
        .map(|at| waits(at, RETRY_PAUSE))
        .filter(|left| !left.is_zero() && since.records > 0);
    failed.or_else(|| {
        (since.records > 0 && since.rows >= settings.min_changes)
            .then(|| waits(pipeline.snapshot_at, settings.interval))
    })
}
