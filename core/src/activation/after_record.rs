//! What follows a record behind the responses: work that handlers left, what others are told, and
//! the object's first snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::activation::after_commit::AtWork;
use crate::activation::state::Activation;
use crate::cluster::write_lock_file;
use crate::executor::offload;
use crate::log::Head;
use crate::object::AfterCommit;

impl Activation {
    /// What follows a record of a leased object: the hints for other servers, and the object's
    /// first snapshot.
    pub(crate) fn after_record(self: &Arc<Self>, head: Head) {
        self.write_hint_behind(head);
        self.announce_leased(head);
        self.start_snapshot_if_due();
    }

    /// Tells the directory of `head`, a record of this process under leases.
    pub(crate) fn announce_leased(&self, head: Head) {
        let lease = if head.leases { self.runtime.settings.lease_duration } else { Duration::ZERO };
        self.announce(head, lease);
    }

    /// Tells the directory that this process holds the object for `lease` from now on, as the
    /// record `head` says. Zero: it does not.
    pub(crate) fn announce(&self, head: Head, lease: Duration) {
        self.announced.announce(&self.runtime, &self.log.object, head, lease);
    }

    /// Writes the hint in the background when `head` is the first record of a new owner.
    pub(crate) fn write_hint_behind(self: &Arc<Self>, head: Head) {
        if !self.hint.is_due(head, self.runtime.clock.as_ref()) {
            return;
        }
        let activation = self.clone();
        self.runtime.background.spawn(async move {
            write_lock_file(&activation.runtime, &activation.log, head, false).await;
        });
    }

    /// Does `work`, which handlers have left, in the background, after what was given before it.
    pub(crate) fn run_after_commit(self: &Arc<Self>, work: Vec<AfterCommit>) {
        if self.after_commit_queue.add(work) {
            let activation = self.clone();
            self.runtime.background.spawn(async move { activation.work_off().await });
        }
    }

    async fn work_off(&self) {
        let mut at_work = AtWork::new(&self.after_commit_queue);
        while let Some(work) = self.after_commit_queue.next() {
            let executor = self.runtime.executor.as_ref();
            if offload(executor, || catch_unwind(AssertUnwindSafe(work))).is_err() {
                tracing::error!(object = %self.log.object, "work in `after_commit` panicked");
            }
            tokio::task::yield_now().await;
        }
        at_work.done();
    }
}
