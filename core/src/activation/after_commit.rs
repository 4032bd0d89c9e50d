//! What handlers leave to be done once their records are in the bucket
//! ([`Context::after_commit`](crate::Context::after_commit)).
//!
//! Promises: it runs behind the responses, one piece at a time and in the order of an object's
//! records. A piece that panics is logged, a slow one delays what comes after it on the same
//! object, and neither delays a record or a response.

use std::collections::VecDeque;
use std::sync::MutexGuard;

use crate::object::AfterCommit;
use crate::sync::Mutex;

/// One object's work that is to be done.
#[derive(Default)]
pub(crate) struct AfterCommitQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    work: VecDeque<AfterCommit>,
    /// A task is doing it.
    at_work: bool,
}

impl AfterCommitQueue {
    /// Adds work; `true` when a task must be started for it.
    pub(crate) fn add(&self, work: Vec<AfterCommit>) -> bool {
        let mut waiting = self.lock();
        waiting.work.extend(work);
        !waiting.work.is_empty() && !std::mem::replace(&mut waiting.at_work, true)
    }

    /// The next piece; without one, the task ends.
    pub(crate) fn next(&self) -> Option<AfterCommit> {
        let mut waiting = self.lock();
        let next = waiting.work.pop_front();
        waiting.at_work = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock()
    }
}

/// A task that does the work. Should it end early, the next piece that comes starts another.
pub(crate) struct AtWork<'a>(Option<&'a AfterCommitQueue>);

impl<'a> AtWork<'a> {
    pub(crate) fn new(afterwards: &'a AfterCommitQueue) -> Self {
        Self(Some(afterwards))
    }

    /// All of it is done.
    pub(crate) fn done(&mut self) {
        self.0 = None;
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Some(afterwards) = self.0 {
            afterwards.lock().at_work = false;
        }
    }
}
