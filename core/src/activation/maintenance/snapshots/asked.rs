//! A snapshot that somebody has asked for.

use std::sync::Arc;
use std::time::Duration;

use crate::activation::exclusive::Exclusive;
use crate::activation::replace::no_such_object;
use crate::activation::state::Activation;
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::SnapshotRef;

/// How often it is tried while the object's memory is let go meanwhile.
const TRIES: usize = 3;

impl Activation {
    /// Makes sure that there is a snapshot of the state that is the newest during this call.
    ///
    /// # Errors
    ///
    /// `NotFound` when the object does not exist; `Busy` when another process owns it, or memory is
    /// short; those of the store.
    pub(crate) async fn snapshot_now(self: &Arc<Self>) -> Result<SnapshotRef> {
        for _ in 0..TRIES {
            let head = Exclusive::take(self).await?.own().await?;
            if !head.exists() {
                return Err(no_such_object(&self.log.object));
            }
            self.write_snapshot_if_behind().await?;
            let newest = self.pipeline().snapshot;
            if let Some(snapshot) = newest.filter(|newest| newest.sequence >= head.sequence) {
                return Ok(snapshot);
            }
        }
        Err(Error::new(ErrorKind::Busy, "the object does not stay in memory; retry later")
            .with_retry_after(Duration::from_secs(1)))
    }
}
