//! The committer of a leased object: writes batches as records, one at a time, until there is none.

use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use crate::activation::commit::record_of;
use crate::activation::commit::{Job, Written, fenced, note_failure, write};
use crate::activation::leased::pipeline::{Done, Waiter};
use crate::activation::state::Activation;
#[cfg(test)]
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::lease::Lease;
#[cfg(test)]
use crate::log::{Appended, append};
use crate::log::{Head, Record};
use crate::planted::{Bug, Place, pass, planted};
#[cfg(test)]
use crate::snapshot::SinceSnapshot;

impl Activation {
    /// Starts the committer, if the pipeline asked for it.
    pub(crate) fn commit_if(self: &Arc<Self>, start: bool) {
        if start {
            self.start_committer();
        }
    }

    /// Starts the committer in its own task, so that a client that disconnects does not cancel a
    /// record in flight.
    fn start_committer(self: &Arc<Self>) {
        let activation = self.clone();
        tokio::spawn(async move { activation.commit_all().await });
    }
}

/// The committer of one object. However it ends, nobody waits for it after that.
struct Committing<'a> {
    activation: &'a Activation,
    /// Every waiter was notified.
    is_done: bool,
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        if !self.is_done && !planted(Bug::CommitterLost) {
            let error = Error::new(
                ErrorKind::Unknown,
                "writing the record failed with an unknown outcome; it may or may not be in the log",
            );
            note_failure(&self.activation.log, &error);
            self.activation.fail_all(&error);
        }
        self.activation.committer_ended();
    }
}

impl Activation {
    /// Makes the memory void, and fails everything that waits for a record.
    fn fail_all(&self, error: &Error) {
        let waiters = self.pipeline().fail(error);
        for waiter in waiters {
            if let Waiter::Response(waiter) = waiter {
                // A waiter that has gone away does not need the answer.
                let _ = waiter.send(Err(error.clone()));
            }
        }
    }

    /// Releases what waited for `head`. Work for after the commit is counted before the responses
    /// leave.
    fn let_go(self: &Arc<Self>, waiters: Vec<Waiter>, head: Head) {
        let (mut responses, mut work) = (Vec::with_capacity(waiters.len()), Vec::new());
        for waiter in waiters {
            match waiter {
                Waiter::Response(waiter) => responses.push(waiter),
                Waiter::Work(left) => work.push(left),
            }
        }
        self.run_after_commit(work);
        for waiter in responses {
            // A waiter that has gone away does not need the answer.
            let _ = waiter.send(Ok(head));
        }
    }

    async fn commit_all(self: &Arc<Self>) {
        let mut committing = Committing { activation: self, is_done: false };
        loop {
            let job = self.pipeline().next_job();
            let Some(job) = job else {
                committing.is_done = true;
                return;
            };
            #[cfg(test)]
            if planted(Bug::TwoInFlight) {
                self.presume(job);
                continue;
            }
            match self.commit_batch(job).await {
                Ok((done, head)) => {
                    self.let_go(done.waiters, head);
                    let leases = self.runtime.settings.lease_duration;
                    self.after_record(head, if head.leases { leases } else { Duration::ZERO });
                }
                Err(error) => {
                    note_failure(&self.log, &error);
                    self.fail_all(&error);
                    committing.is_done = true;
                    return;
                }
            }
        }
    }

    /// A planted bug: a record counts as written when it is sent, so that the next one follows at
    /// once. Each response waits for its own record.
    #[cfg(test)]
    fn presume(self: &Arc<Self>, job: Job) {
        let (proof, duration) = (job.proof, self.runtime.settings.lease_duration);
        let record = record_of(&self.runtime, &self.log, job, duration);
        let encoded = record.encode().expect("a small record");
        let head = Head::of(&record, encoded.hash);
        let lease = Lease { granted: Instant::now(self.runtime.clock.as_ref()), duration };
        let done = self.pipeline().won(
            head,
            lease,
            SinceSnapshot { rows: 1, bytes: 1, records: 1, changed_ms: 0 },
            self.runtime.clock.as_ref(),
        );
        let activation = self.clone();
        tokio::spawn(async move {
            let deadline = activation.runtime.settings.commit_deadline;
            let result =
                match append(&activation.log, head.sequence, &encoded, proof, deadline).await {
                    Ok(Appended::Won { .. }) => Ok(head),
                    Ok(_) => Err(fenced(&record)),
                    Err(error) => Err(error),
                };
            let lost = match &result {
                Err(error) => activation.pipeline().fail(error),
                Ok(_) => Vec::new(),
            };
            for waiter in done.waiters.into_iter().chain(lost) {
                if let Waiter::Response(waiter) = waiter {
                    let _ = waiter.send(result.clone());
                }
            }
        });
    }

    /// Writes one batch. An error means that the memory on top of it is void.
    async fn commit_batch(&self, job: Job) -> Result<(Done, Head)> {
        let before = job.before;
        let duration =
            if job.releases { Duration::ZERO } else { self.runtime.settings.lease_duration };
        pass(Place::Appending);
        match write(&self.runtime, &self.log, job, duration).await? {
            Written::Won(won) => {
                pass(Place::Appended);
                let lease =
                    Lease { granted: won.sent, duration: self.runtime.settings.lease_duration };
                let mut pipeline = self.pipeline();
                let done = pipeline.won(won.head(), lease, won.since, self.runtime.clock.as_ref());
                pipeline.prove(won.proof);
                Ok((done, won.head()))
            }
            Written::Lost(record) => Err(fenced(&record)),
            Written::Refused(record, cause) => {
                self.unrenewed(&record, before).ok_or_else(|| cause.into())
            }
        }
    }

    /// What waited for a refused record, if that would only have renewed the lease: it has seen the
    /// newest state nevertheless. So reads continue while nothing can be written.
    fn unrenewed(&self, record: &Record, before: Head) -> Option<(Done, Head)> {
        let only_renews = record.transactions.is_empty() && record.lease_ms > 0;
        let done = only_renews.then(|| self.pipeline().unrenewed())??;
        Some((done, before))
    }
}
