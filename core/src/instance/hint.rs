//! `lock`: who holds the token and where to reach it. A hint for other servers and for people; nothing's safety rests on it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use crate::clock::Instant;
use crate::instance::Deps;
use crate::instance::pipeline::Head;
use crate::instance::slot::Slot;

/// The hint is rewritten at most this often: some stores allow one write a second to a key.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// What this process last wrote.
#[derive(Debug, Default)]
pub(crate) struct LastWritten {
    epoch: u64,
    at: Option<Instant>,
}

/// The stored form, format version 1.
#[derive(Serialize)]
struct LockFile<'a> {
    format: u32,
    class: &'a str,
    id: &'a str,
    holder: Option<Uuid>,
    address: Option<&'a str>,
    epoch: u64,
    sequence: u64,
    lease_ms: u64,
    written_at: String,
}

/// Writes the hint in the background when `head` is the first record of a new owner.
pub(crate) fn write_behind(deps: &Arc<Deps>, slot: &Arc<Slot>, head: Head) {
    {
        let mut last = slot.hint.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = last.at.is_some_and(|at| at.elapsed_at_least(deps.clock.as_ref()) < PAUSE_MIN);
        if last.epoch == head.epoch || recent {
            return;
        }
        *last = LastWritten { epoch: head.epoch, at: Some(Instant::now(deps.clock.as_ref())) };
    }
    let (task_deps, slot) = (deps.clone(), slot.clone());
    deps.background.spawn(async move { write(&task_deps, &slot, head, false).await });
}

/// Writes the hint now. `released`: nobody holds the object any more.
pub(crate) async fn write(deps: &Deps, slot: &Slot, head: Head, released: bool) {
    let written_at = jiff::Timestamp::from_millisecond(deps.clock.wall_ms()).map(|at| at.to_string()).unwrap_or_default();
    let file = LockFile {
        format: 1,
        class: slot.log.object.class(),
        id: slot.log.object.id(),
        holder: (!released).then_some(deps.instance),
        address: deps.settings.address.as_deref().filter(|_| !released),
        epoch: head.epoch,
        sequence: head.sequence,
        lease_ms: if released { 0 } else { u64::try_from(deps.settings.lease_duration.as_millis()).unwrap_or(u64::MAX) },
        written_at,
    };
    let Ok(bytes) = serde_json::to_vec(&file) else { return };
    if let Err(error) = deps.bucket.put(&slot.log.prefix.join("lock"), bytes.into()).await {
        tracing::debug!(object = %slot.log.object, %error, "the hint `lock` was not written");
    }
}
