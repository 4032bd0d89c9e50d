//! Work that handlers leave for after their records are in the bucket
//! ([`Context::after_commit`](crate::Context::after_commit)).
//!
//! Promises: it runs after the responses have left, one piece at a time and in the order of an
//! object's records. A panic is logged; slow work delays later work of the same object. Neither
//! delays a record or a response.

use std::collections::VecDeque;
use std::sync::MutexGuard;

use crate::object::AfterCommit;
use crate::sync::Mutex;

/// One object's pending work.
#[derive(Default)]
pub(crate) struct AfterCommitQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    work: VecDeque<AfterCommit>,
    /// A task is running the work.
    at_work: bool,
}

impl AfterCommitQueue {
    /// Adds work. Returns `true` if the caller must start a task for it.
    pub(crate) fn add(&self, work: Vec<AfterCommit>) -> bool {
        let mut waiting = self.lock();
        waiting.work.extend(work);
        !waiting.work.is_empty() && !std::mem::replace(&mut waiting.at_work, true)
    }

    /// Takes the next piece of work. When there is none, the task ends.
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

/// Marks the task that runs the work. If the task ends early, the next piece of work starts
/// another.
pub(crate) struct AtWork<'a>(Option<&'a AfterCommitQueue>);

impl<'a> AtWork<'a> {
    pub(crate) fn new(afterwards: &'a AfterCommitQueue) -> Self {
        Self(Some(afterwards))
    }

    /// The queue is empty, so the task ends.
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
