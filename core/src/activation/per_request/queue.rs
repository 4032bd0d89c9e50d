//! The queue of an object whose instance writes per request: one task takes all requests that wait,
//! so that they share a record.

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
    /// Whether a task serves the queue; it ends when the queue is empty.
    served: bool,
}

/// A request with its whole body, so that it can be run again, and the channel for its answer.
pub(crate) struct QueuedRequest {
    pub(crate) request: http::Request<Bytes>,
    reply: oneshot::Sender<Result<Answer>>,
    /// Measures the wait until the request is taken out.
    waiting: Option<Wait>,
    /// The span of the request, if it is traced.
    pub(crate) span: Span,
    /// Set by the first of two: the task that will run it, or the client that gives up.
    decided: Arc<AtomicBool>,
}

/// A client's place in the queue.
pub(crate) struct Place {
    answer: oneshot::Receiver<Result<Answer>>,
    decided: Arc<AtomicBool>,
}

impl Queue {
    /// Adds a request. Returns its place, and `true` if the caller must start the task that serves
    /// the queue.
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

    /// Takes out the requests that are served next. When there are none, the task ends.
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

    /// The guard that the serving task holds.
    pub(crate) fn serving(&self) -> Serving<'_> {
        Serving(Some(self))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock()
    }
}

/// Marks the task that serves a queue. If it panics, the waiting requests fail and the next request
/// starts another task.
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
    /// Sends the answer. A client that has disconnected does not need it.
    pub(crate) fn reply(self, answer: Result<Answer>) {
        let _ = self.reply.send(answer);
    }
}

impl Place {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// The request's error; `Unknown` when the process ended meanwhile.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        let stopped = || {
            Error::new(
                ErrorKind::Unknown,
                "the server stopped before the outcome of the record was certain",
            )
        };
        (&mut self.answer).await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Gives up the place. Returns `false` if the request was already taken, so that the caller
    /// must wait for its answer.
    pub(crate) fn leave(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }
}
