//! What handlers leave to be done once their records are in the bucket
//! ([`Context::after_commit`](crate::Context::after_commit)).
//!
//! Promises: it runs behind the responses, one piece at a time and in the order of an object's
//! records. A piece that panics is logged, a slow one delays what comes after it on the same
//! object, and neither delays a record or a response.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::executor::offload;
use crate::instance::Deps;
use crate::instance::slot::Slot;
use crate::object::AfterCommit;

/// One object's work that is to be done.
#[derive(Default)]
pub(crate) struct Afterwards(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    work: VecDeque<AfterCommit>,
    /// A task is doing it.
    at_work: bool,
}

impl Afterwards {
    /// Adds work; `true` when a task must be started for it.
    fn add(&self, work: Vec<AfterCommit>) -> bool {
        let mut waiting = self.lock();
        waiting.work.extend(work);
        !waiting.work.is_empty() && !std::mem::replace(&mut waiting.at_work, true)
    }

    /// The next piece; without one, the task ends.
    fn next(&self) -> Option<AfterCommit> {
        let mut waiting = self.lock();
        let next = waiting.work.pop_front();
        waiting.at_work = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that does the work. Should it end early, the next piece that comes starts another.
struct AtWork<'a>(Option<&'a Afterwards>);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Some(afterwards) = self.0 {
            afterwards.lock().at_work = false;
        }
    }
}

/// Does `work` in the background, after what was given before it.
pub(crate) fn run(deps: &Arc<Deps>, slot: &Arc<Slot>, work: Vec<AfterCommit>) {
    if slot.afterwards.add(work) {
        let (task_deps, slot) = (deps.clone(), slot.clone());
        deps.background.spawn(async move { work_off(&task_deps, &slot).await });
    }
}

async fn work_off(deps: &Deps, slot: &Slot) {
    let mut at_work = AtWork(Some(&slot.afterwards));
    while let Some(work) = slot.afterwards.next() {
        if offload(deps.executor.as_ref(), || catch_unwind(AssertUnwindSafe(work))).is_err() {
            tracing::error!(object = %slot.log.object, "work that a handler left for after its commit panicked");
        }
        tokio::task::yield_now().await;
    }
    at_work.0 = None;
}
