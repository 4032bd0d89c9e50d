//! What follows a record, without delaying a response: the hint `lock`, the announcement in the
//! directory, a snapshot that is due, and work that handlers left for after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::activation::after_commit::AtWork;
use crate::activation::state::Activation;
use crate::cluster::write_lock_file;
use crate::executor::offload;
use crate::log::Head;
use crate::object::AfterCommit;
use crate::settings::Ownership;

impl Activation {
    /// Starts what follows each record that this process writes. `lease` is how long the process
    /// holds the object from now on; zero: it does not.
    ///
    /// Under leases, snapshots are written in the background; a process that writes per request
    /// may be frozen after its response, so it writes them before.
    pub(crate) fn after_record(self: &Arc<Self>, head: Head, lease: Duration) {
        if !lease.is_zero() {
            self.write_hint_behind(head);
        }
        self.announce(head, lease);
        if self.runtime.settings.ownership == Ownership::Leased {
            self.start_snapshot_if_due();
        }
    }

    /// Announces in the directory that this process holds the object for `lease` from now on, as
    /// the record `head` says. Zero: it does not.
    pub(crate) fn announce(&self, head: Head, lease: Duration) {
        self.announced.announce(&self.runtime, &self.log.object, head, lease);
    }

    /// Writes the hint in the background when `head` is the first record of a new owner.
    fn write_hint_behind(self: &Arc<Self>, head: Head) {
        if !self.hint.is_due(head, self.runtime.clock.as_ref()) {
            return;
        }
        let activation = self.clone();
        self.runtime.background.spawn(async move {
            write_lock_file(&activation.runtime, &activation.log, head, false).await;
        });
    }

    /// Runs `work` of handlers in the background, after the work that was added before it.
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
