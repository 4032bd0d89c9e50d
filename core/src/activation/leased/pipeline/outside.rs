//! Records that are written or followed outside of any batch: by a process that writes per request,
//! or that catches up with others.

use super::Pipeline;
use crate::activation::commit::{Job, Won};
use crate::change::Changes;
use crate::clock::{Clock, Instant};
use crate::lease::Lease;
use crate::log::Head;
use crate::snapshot::{SinceSnapshot, SnapshotRef};
use crate::trace::cause;

impl Pipeline {
    /// The job that writes `changes` on top of the head, outside of any batch.
    pub(crate) fn job(&self, changes: Vec<Changes>) -> Job {
        Job {
            before: self.head,
            proof: self.proof,
            changes,
            releases: false,
            snapshot: self.snapshot,
            start: None,
            deletes: false,
            causes: cause().into_iter().collect(),
        }
    }

    /// Moves the head to a record on top of it: another instance's, or this process's own outside
    /// of any batch.
    pub(crate) fn follow(
        &mut self,
        head: Head,
        written: SinceSnapshot,
        snapshot: Option<SnapshotRef>,
        at: Instant,
    ) {
        self.head = head;
        self.lease = None;
        self.kept = None;
        if let Some(newer) = snapshot
            .filter(|newer| self.snapshot.is_none_or(|known| known.sequence < newer.sequence))
        {
            self.snapshot = Some(newer);
            self.snapshot_at = at;
            // Records between that snapshot and this one count as part of the snapshot, so the next
            // snapshot is late by these at most.
            self.since_snapshot = SinceSnapshot::default();
        }
        self.since_snapshot.add(written);
    }

    /// Moves the head to a record that this process has written outside of any batch. `kept` is the
    /// lease that a program keeps with it.
    pub(crate) fn follow_own(&mut self, won: &Won, kept: Option<Lease>) {
        self.follow(won.head(), won.since, None, won.sent);
        self.prove(won.proof);
        self.kept = kept;
    }

    /// The lease that a program keeps, if it still holds.
    pub(crate) fn kept(&self, clock: &dyn Clock) -> Option<Lease> {
        self.kept.filter(|lease| lease.holds(clock))
    }
}
