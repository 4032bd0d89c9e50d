//! Decides when a record is written only for its lease. Every record grants a new lease. An object
//! that is only read gets one when its lease is half over, and its first one when it is read often.

use std::time::Duration;

use super::{Gate, Pipeline, Ticket};
use crate::clock::{Clock, Instant};

impl Pipeline {
    /// What the response to a read must wait for, and whether the caller must start the committer.
    /// `fresh`: the state was the log's newest at a moment after the request arrived. An object
    /// that is read more often than once in `lease_duration` gets a lease.
    pub(crate) fn gate(
        &mut self,
        fresh: bool,
        lease_duration: Duration,
        clock: &dyn Clock,
    ) -> (Gate, bool) {
        let read_before = self.read_at.replace(Instant::now(clock));
        let often = self.head.exists()
            && read_before.is_some_and(|at| at.elapsed_at_least(clock) < lease_duration);
        let only_renews = self.batches.iter().all(|batch| !batch.writes && !batch.releases);
        if let Some(batch) = self.batches.back_mut() {
            // Under a lease, reads don't wait for a record that changes nothing, however long the
            // store takes.
            let gate = match self.lease {
                Some(lease) if only_renews && lease.holds(clock) => Gate::Open,
                _ => Gate::Record(batch.wait_reading()),
            };
            return (gate, false);
        }
        match self.lease {
            Some(lease) if lease.holds(clock) => {
                let renew = lease.is_half_over(clock);
                if renew {
                    self.open_batch();
                }
                (Gate::Open, renew && self.start())
            }
            _ if fresh => {
                if often {
                    self.open_batch();
                }
                (Gate::Open, often && self.start())
            }
            _ => {
                let ticket = self.open_batch().wait();
                (Gate::Record(ticket), self.start())
            }
        }
    }

    /// Makes sure that a lease holds. Returns a ticket if there is something to wait for, and
    /// `true` if the caller must start the committer.
    pub(crate) fn claim(&mut self, clock: &dyn Clock) -> (Option<Ticket>, bool) {
        if self.batches.is_empty() && self.lease.is_some_and(|lease| lease.holds(clock)) {
            return (None, false);
        }
        let ticket = self.open_batch().wait();
        (Some(ticket), self.start())
    }
}
