//! A graceful end: nothing new, everything finished, every object snapshotted and given up, so that
//! the next owner waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::{FutureExt, StreamExt, stream};

use crate::activation::activations::Activations;
use crate::activation::state::Activation;
use crate::cluster::write_lock_file;

/// How many objects are brought to their end at the same time.
const CONCURRENCY: usize = 16;

/// Ends every object, within `deadline`. What does not make it loses nothing: the log has
/// everything that was acknowledged.
pub(crate) async fn shut_down(activations: &Activations, deadline: Duration) {
    let runtime = &activations.runtime;
    let work = async {
        runtime.background.idle().await;
        runtime.stopping.close();
        runtime.relays.idle().await;
        stream::iter(activations.all())
            .for_each_concurrent(CONCURRENCY, |activation| async move { activation.finish().await })
            .await;
        OptionFuture::from(runtime.directory.as_ref().map(|directory| directory.settle())).await;
    };
    let timer = runtime.clock.sleep(deadline);
    futures_util::pin_mut!(work);
    futures_util::select_biased! {
        () = work.fuse() => {}
        () = timer.fuse() => tracing::warn!("not every object got a snapshot and was released in time; the log has all data"),
    }
}

impl Activation {
    /// Writes the object's last record, which gives it up, and a snapshot that covers it.
    async fn finish(self: &Arc<Self>) {
        let held = self.turn.lock().await;
        if held.resident.is_none() {
            return;
        }
        let (ticket, start) = self.pipeline().release(self.runtime.clock.as_ref());
        self.commit_if(start);
        drop(held);
        if let Err(error) = self.write_snapshot_if_behind().await {
            tracing::warn!(object = %self.log.object, %error, "cannot write a snapshot at shutdown; the log has all data");
        }
        if let Some(Ok(Ok(head))) = OptionFuture::from(ticket).await {
            self.announce_leased(head);
            write_lock_file(&self.runtime, &self.log, head, true).await;
        }
    }
}
