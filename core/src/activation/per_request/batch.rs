//! Ownership per request, as in functions: no lease between requests, and every response is proven
//! by the log.
//!
//! Requests wait in a queue. One task takes all that wait, runs each handler in a savepoint of one
//! open transaction, and writes one record. Winning its slot proves that the state was current. If
//! the slot is lost, the transaction is rolled back, the winners' records are applied, and the
//! handlers run again. docs/design/0004 has the argument.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use tracing::Instrument;

use crate::activation::answer::Answer;
use crate::activation::owner_wait::OwnerWait;
use crate::activation::per_request::attempt::{Attempt, Ended, busy};
use crate::activation::per_request::queue::QueuedRequest;
use crate::activation::state::Activation;
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::object::Request;
use crate::settings::{CheckpointMode, Ownership};

impl Activation {
    /// Answers a request: reads its body first, so that it can be run again, and waits for its
    /// record or for the proof that it needs none.
    ///
    /// # Errors
    ///
    /// The handler's error; `Busy` when others hold or write the object for too long; `Unknown`
    /// when the outcome of the record is not certain.
    pub(crate) async fn answer_per_request(self: &Arc<Self>, request: Request) -> Result<Answer> {
        self.touch();
        let (head, body) = request.into_parts();
        let request: http::Request<Bytes> = http::Request::from_parts(head, body.bytes().await?);
        let (mut place, start) = self.queue.push(request, &self.runtime.clock);
        if start {
            self.serve_queue();
        }
        {
            let timer = self.runtime.clock.sleep(self.runtime.settings.turn_wait_max).fuse();
            let answer = place.answer().fuse();
            futures_util::pin_mut!(timer, answer);
            futures_util::select_biased! {
                answer = answer => return answer,
                () = timer => {}
            }
        }
        if place.leave() {
            return Err(busy(&self.runtime, "other requests have kept this object busy"));
        }
        place.answer().await
    }

    /// Serves the queue in its own task until it is empty, so that a client that disconnects does
    /// not cancel the others.
    fn serve_queue(self: &Arc<Self>) {
        let activation = self.clone();
        tokio::spawn(async move {
            let serving = activation.queue.serving();
            loop {
                let batch = activation.queue.next_batch();
                if batch.is_empty() {
                    return serving.done();
                }
                activation.serve_batch(batch).await;
            }
        });
    }

    /// Answers a batch: together if possible, otherwise one by one.
    async fn serve_batch(self: &Arc<Self>, mut batch: Vec<QueuedRequest>) {
        let mut at_once = batch.len();
        while !batch.is_empty() {
            let requests = &batch[..at_once.min(batch.len())];
            // What they share is in the trace of the first.
            match self.finish_batch(requests).instrument(requests[0].span.clone()).await {
                Some(answers) => {
                    for (queued, answer) in batch.drain(..answers.len()).zip(answers) {
                        queued.reply(answer);
                    }
                }
                None => at_once = 1,
            }
        }
    }

    /// Executes requests. Returns the answers of the first of them, at least one. `None`: they were
    /// rolled back and must be run one by one.
    async fn finish_batch(
        self: &Arc<Self>,
        requests: &[QueuedRequest],
    ) -> Option<Vec<Result<Answer>>> {
        let held = self.turn.lock().await;
        let began = Instant::now(self.runtime.clock.as_ref());
        let mut attempt = Attempt {
            activation: self,
            requests,
            held,
            began,
            fresh: false,
            losses: 0,
            leased: false,
            owner_wait: OwnerWait::new(Ownership::PerRequest),
        };
        let ended = attempt.run().await;
        attempt.give_back().await;
        self.drop_what_does_not_exist(&mut attempt.held);
        drop(attempt);
        let refused = |error: Error| requests.iter().map(|_| Err(error.clone())).collect();
        let (answers, written) = match ended {
            Ok(Ended::Answers(answers, written)) => (answers, written),
            Ok(Ended::OneByOne) => return None,
            Err(error) => return Some(refused(error)),
        };
        match self.snapshot_written(written).await {
            Ok(()) => Some(answers),
            Err(error) => Some(refused(error)),
        }
    }

    /// Writes the snapshot that is due before the response to the requests that made it due,
    /// because a function may be frozen after that.
    async fn snapshot_written(self: &Arc<Self>, written: Option<u64>) -> Result<()> {
        let Some(sequence) = written else { return Ok(()) };
        if self.runtime.settings.checkpoint.mode == CheckpointMode::EveryRequest {
            return self.cover(sequence).await;
        }
        self.write_snapshot_if_due().await;
        Ok(())
    }
}
