//! Requests that wait for an object whose instance writes per request: one task takes as many as
//! there are, so that they share a record.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::Span;

use crate::activation::answer::Answer;
use crate::activation::wait::Wait;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{BATCH_REQUESTS_MAX, GROUP_BYTES_MAX};
use crate::sync::Mutex;

/// The requests of one object, in the order of arrival.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    requests: VecDeque<QueuedRequest>,
    /// A task takes requests out; it ends when there are none.
    served: bool,
}

/// A request that was read whole, so that it can be run again, and where its answer goes.
pub(crate) struct QueuedRequest {
    pub(crate) request: http::Request<Bytes>,
    reply: oneshot::Sender<Result<Answer>>,
    /// Until it is taken out.
    waiting: Option<Wait>,
    /// What it is done in, where it is traced.
    pub(crate) span: Span,
    /// Set by whoever is first: the task that will run it, or the client that no longer wants it.
    decided: Arc<AtomicBool>,
}

/// A client's place in the queue.
pub(crate) struct Place {
    answer: oneshot::Receiver<Result<Answer>>,
    decided: Arc<AtomicBool>,
}

impl Queue {
    /// Adds a request. `true`: the caller must start the task that serves the queue.
    pub(crate) fn push(
        &self,
        request: http::Request<Bytes>,
        clock: &Arc<dyn Clock>,
    ) -> (Place, bool) {
        let (reply, answer) = oneshot::channel();
        let decided = Arc::new(AtomicBool::new(false));
        let mut waiting = self.lock();
        waiting.requests.push_back(QueuedRequest {
            request,
            reply,
            waiting: Some(Wait::begin(clock)),
            span: Span::current(),
            decided: decided.clone(),
        });
        let start = !std::mem::replace(&mut waiting.served, true);
        (Place { answer, decided }, start)
    }

    /// The requests that are served next; none ends the task.
    pub(crate) fn next_batch(&self) -> Vec<QueuedRequest> {
        let mut waiting = self.lock();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_REQUESTS_MAX && bytes < GROUP_BYTES_MAX {
            let Some(mut queued) = waiting.requests.pop_front() else { break };
            if queued.reply.is_closed() || queued.decided.swap(true, Ordering::AcqRel) {
                continue;
            }
            bytes += queued.request.body().len();
            queued.waiting = None;
            batch.push(queued);
        }
        waiting.served = !batch.is_empty();
        batch
    }

    /// Held by the task that serves the queue.
    pub(crate) fn serving(&self) -> Serving<'_> {
        Serving(Some(self))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock()
    }
}

/// The task that serves a queue; should it panic, those who wait are let go and the next request
/// starts another.
pub(crate) struct Serving<'a>(Option<&'a Queue>);

impl Serving<'_> {
    /// The queue is empty.
    pub(crate) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.0 {
            *queue.lock() = Waiting::default();
        }
    }
}

impl QueuedRequest {
    /// Answers it. A client that has gone away does not need the answer.
    pub(crate) fn reply(self, answer: Result<Answer>) {
        let _ = self.reply.send(answer);
    }
}

impl Place {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// What the request failed with; `Unknown` when the process ended meanwhile.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        let stopped = || {
            Error::new(
                ErrorKind::Unknown,
                "the server stopped before the outcome of the record was certain",
            )
        };
        (&mut self.answer).await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Gives the place up, unless the request has been taken up: then its answer must be waited
    /// for.
    pub(crate) fn leave(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }
}
