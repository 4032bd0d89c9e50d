//! Limits how many snapshots are written at the same time, so that slow ones don't hold up others.

use std::future::Future;

use futures_util::FutureExt;
use tokio::sync::MutexGuard;

use crate::activation::resident::TurnState;
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{SLOW_SNAPSHOTS_MAX, SNAPSHOT_PATIENCE, SNAPSHOT_TIME_MAX};
use crate::tenants::Place;

impl Activation {
    /// Waits for the object's turn and for a place. A busy object does not occupy a place: the turn
    /// is taken first. If no place is free then, the place is awaited without the turn, and the
    /// turn after that only for a moment.
    pub(super) async fn admit_snapshot<'a>(&'a self) -> (Place, MutexGuard<'a, TurnState>) {
        let (places, tenant) = (&self.runtime.checkpoints, self.log.object.tenant());
        loop {
            let held = self.turn.lock().await;
            if let Some(place) = places.try_acquire(tenant) {
                return (place, held);
            }
            drop(held);
            let place = places.acquire(tenant).await;
            let timer = self.runtime.clock.sleep(SNAPSHOT_PATIENCE).fuse();
            let turn = self.turn.lock().fuse();
            futures_util::pin_mut!(timer, turn);
            futures_util::select_biased! {
                held = turn => return (place, held),
                () = timer => {}
            }
        }
    }
}

/// Runs an upload to its end. One that takes long frees its place and goes on, because responses of
/// other objects may wait for their own snapshots.
pub(super) async fn carry(
    runtime: &Runtime,
    place: Place,
    upload: impl Future<Output = Result<()>>,
) -> Result<()> {
    let upload = upload.fuse();
    futures_util::pin_mut!(upload);
    {
        let patience = runtime.clock.sleep(SNAPSHOT_PATIENCE).fuse();
        futures_util::pin_mut!(patience);
        futures_util::select_biased! {
            done = upload => return done,
            () = patience => {}
        }
    }
    let Some(_place) = runtime.slow_checkpoints.try_acquire(place.tenant()) else {
        let text = format!(
            "the upload of a snapshot is slow, as are {SLOW_SNAPSHOTS_MAX} others; it is retried later"
        );
        return Err(Error::new(ErrorKind::Unavailable, text));
    };
    drop(place);
    let timer = runtime.clock.sleep(SNAPSHOT_TIME_MAX).fuse();
    futures_util::pin_mut!(timer);
    futures_util::select_biased! {
        done = upload => done,
        () = timer => {
            let text = format!("the upload of a snapshot took more than {} s; it is retried later", SNAPSHOT_TIME_MAX.as_secs());
            Err(Error::new(ErrorKind::Unavailable, text))
        }
    }
}
