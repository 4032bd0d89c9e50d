//! The graceful shutdown: running requests finish, and every object gets a snapshot and is
//! released, so that its next owner does not wait.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::{FutureExt, StreamExt, stream};

use crate::activation::activations::Activations;
use crate::activation::state::Activation;
use crate::cluster::write_lock_file;
use crate::settings::Upkeep;
use crate::sockets::say_goodbye;

/// Number of objects that are released at the same time.
const CONCURRENCY: usize = 16;

/// Releases every object within `deadline`. Objects that are not done by then lose nothing: the log
/// has everything that was acknowledged.
pub(crate) async fn shut_down(activations: &Activations, deadline: Duration) {
    let runtime = &activations.runtime;
    let work = async {
        runtime.background.idle().await;
        runtime.stopping.close();
        runtime.relays.idle().await;
        // Before others can have the objects.
        say_goodbye(runtime).await;
        stream::iter(activations.all())
            .for_each_concurrent(CONCURRENCY, |activation| async move { activation.finish().await })
            .await;
        OptionFuture::from(runtime.directory.as_ref().map(|directory| directory.flush())).await;
    };
    let timer = runtime.clock.sleep(deadline);
    futures_util::pin_mut!(work);
    futures_util::select_biased! {
        () = work.fuse() => {}
        () = timer.fuse() => tracing::warn!("not every object got a snapshot and was released in time; the log has all data"),
    }
}

impl Activation {
    /// Writes the record that releases the object, and a snapshot that covers it.
    async fn finish(self: &Arc<Self>) {
        let held = self.turn.lock().await;
        if held.resident.is_none() {
            return;
        }
        let (ticket, start) = self.pipeline().release(self.runtime.clock.as_ref());
        self.commit_if(start);
        drop(held);
        if self.runtime.settings.upkeep == Upkeep::Full
            && let Err(error) = self.write_snapshot_if_behind().await
        {
            tracing::warn!(object = %self.log.object, %error, "cannot write a snapshot at shutdown; the log has all data");
        }
        if let Some(Ok(Ok(head))) = OptionFuture::from(ticket).await {
            self.announce(head, Duration::ZERO);
            write_lock_file(&self.runtime, &self.log, head, true).await;
        }
    }
}
