//! A graceful end: nothing new, everything finished, every object snapshotted and given up, so that
//! the next owner waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::{FutureExt, StreamExt, stream};

use crate::instance::slot::Slot;
use crate::instance::{Deps, Slots, checkpoint, hint};

/// How many objects are brought to their end at the same time.
const CONCURRENCY: usize = 16;

/// Ends every object, within `deadline`. What does not make it loses nothing: the log has
/// everything that was acknowledged.
pub(crate) async fn shutdown(deps: &Arc<Deps>, slots: &Slots, deadline: Duration) {
    let work = async {
        deps.background.idle().await;
        deps.stopping.close();
        deps.couriers.idle().await;
        stream::iter(slots.all())
            .for_each_concurrent(CONCURRENCY, |slot| async move { finish(deps, &slot).await })
            .await;
        OptionFuture::from(deps.directory.as_ref().map(|directory| directory.settle())).await;
    };
    let timer = deps.clock.sleep(deadline);
    futures_util::pin_mut!(work);
    futures_util::select_biased! {
        () = work.fuse() => {}
        () = timer.fuse() => tracing::warn!("not every object was snapshotted and released in time; the log has everything"),
    }
}

/// Writes the object's last record, which gives it up, and a snapshot that covers it.
async fn finish(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let residence = slot.turn.lock().await;
    if residence.warm.is_none() {
        return;
    }
    let (ticket, start) = slot.pipeline().release(deps.clock.as_ref());
    slot.commit_if(start, deps);
    drop(residence);
    if let Err(error) = checkpoint::write_if_behind(deps, slot).await {
        tracing::warn!(object = %slot.log.object, %error, "no snapshot at shutdown; the log has everything");
    }
    if let Some(Ok(Ok(head))) = OptionFuture::from(ticket).await {
        slot.tell(deps, head);
        hint::write(deps, slot, head, true).await;
    }
}
