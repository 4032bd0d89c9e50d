//! The owner cache: what this process knows about an object's owner.
//!
//! It only saves time. An owner that gets a request checks for itself. One that can't be reached,
//! or declines, gets no more requests until it has written another record: until then, requests
//! wait for the end of its lease and take the object over.

use std::sync::MutexGuard;
use std::time::Duration;

use crate::clock::{Clock, Instant};
use crate::cluster::directory::Holding;
use crate::cluster::peers::Owner;
use crate::lease::Claim;
use crate::sync::Mutex;

/// What is known about the owner of an object, when that is another process.
#[derive(Debug, Default)]
pub(crate) struct OwnerCache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: Option<Known>,
    /// An owner that could not be reached, or declined.
    avoided: Option<Known>,
}

/// An owner, and how long it is plausible that it still is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) owner: Owner,
    /// The epoch in which it owns the object.
    pub(crate) epoch: u64,
    /// Its newest record, if this process has read it; `None` if the owner was only announced.
    pub(crate) sequence: Option<u64>,
    since: Instant,
    plausible: Duration,
    lease: Duration,
}

impl OwnerCache {
    /// The owner, while it is plausible.
    pub(crate) fn known(&self, clock: &dyn Clock) -> Option<Known> {
        self.inner().known.clone().filter(|known| known.is_plausible(clock))
    }

    /// Learns from a claim that must be respected for `remaining`. Returns whether requests can be
    /// forwarded to its holder.
    pub(crate) fn learn(&self, claim: &Claim, remaining: Duration, clock: &dyn Clock) -> bool {
        let Some(address) = claim.address.clone() else { return false };
        let owner = Owner { instance: claim.holder, address };
        let mut inner = self.inner();
        if let Some(avoided) = inner.avoided.as_mut().filter(|avoided| avoided.owner == owner) {
            if avoided.epoch >= claim.epoch && avoided.plausible.is_zero() {
                // It was unreachable when it was known from an announcement, and this record names
                // the same owner.
                avoided.sequence.get_or_insert(claim.sequence);
            }
            if avoided.sequence == Some(claim.sequence) {
                return false;
            }
        }
        let (since, sequence, lease) = (Instant::now(clock), Some(claim.sequence), claim.duration);
        inner.known =
            Some(Known { owner, epoch: claim.epoch, sequence, since, plausible: remaining, lease });
        true
    }

    /// Learns from an owner's announcement, for `lease_max` at most, unless something newer is
    /// known or the owner is avoided.
    pub(crate) fn learn_announced(
        &self,
        holding: &Holding,
        lease_max: Duration,
        clock: &dyn Clock,
    ) {
        let Holding { owner, epoch, remaining, .. } = holding.clone();
        let mut inner = self.inner();
        let is_known = inner
            .known
            .as_ref()
            .is_some_and(|known| known.epoch >= epoch && known.is_plausible(clock));
        let is_avoided = inner
            .avoided
            .as_ref()
            .is_some_and(|avoided| avoided.owner == owner && avoided.epoch >= epoch);
        if !is_known && !is_avoided {
            let (since, plausible) = (Instant::now(clock), remaining.min(lease_max));
            inner.known =
                Some(Known { owner, epoch, sequence: None, since, plausible, lease: lease_max });
        }
    }

    /// Forgets an owner that has released the object.
    pub(crate) fn forget(&self, owner: &Owner) {
        let mut inner = self.inner();
        inner.known = inner.known.take().filter(|known| known.owner != *owner);
    }

    /// Notes that the owner has answered, so it owned the object a moment ago.
    pub(crate) fn confirm(&self, asked: &Known, clock: &dyn Clock) {
        let mut inner = self.inner();
        if let Some(known) = inner.known.as_mut().filter(|known| known.owner == asked.owner) {
            known.since = Instant::now(clock);
            known.plausible = known.lease;
        }
    }

    /// Avoids an owner that could not be reached, or declined. What was learned about it since it
    /// was asked stays.
    pub(crate) fn avoid(&self, asked: &Known) {
        let mut inner = self.inner();
        let is_newer = |other: &Known| {
            other.owner == asked.owner
                && (other.epoch, other.sequence) > (asked.epoch, asked.sequence)
        };
        if !inner.avoided.as_ref().is_some_and(is_newer) {
            inner.avoided = Some(asked.clone());
        }
        inner.known =
            inner.known.take().filter(|known| known.owner != asked.owner || is_newer(known));
    }

    /// Notes that the avoided owner was unreachable, so that requests wait for the end of its
    /// lease.
    pub(crate) fn lose_reach(&self) {
        if let Some(avoided) = &mut self.inner().avoided {
            avoided.plausible = Duration::ZERO;
        }
    }

    /// Whether the holder could not be reached at this address, or declined, when it was last
    /// asked.
    pub(crate) fn is_avoided(&self, claim: &Claim) -> bool {
        let inner = self.inner();
        let avoided = inner.avoided.as_ref().map(|avoided| &avoided.owner);
        avoided.is_some_and(|owner| {
            owner.instance == claim.holder && Some(&owner.address) == claim.address.as_ref()
        })
    }

    /// Whether an owner is known.
    pub(crate) fn is_known(&self, clock: &dyn Clock) -> bool {
        self.known(clock).is_some()
    }

    /// Whether a reachable process owned the object a moment ago, even if it declined.
    pub(crate) fn is_within_reach(&self, clock: &dyn Clock) -> bool {
        let inner = self.inner();
        [&inner.known, &inner.avoided].into_iter().flatten().any(|known| known.is_plausible(clock))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}

impl Known {
    fn is_plausible(&self, clock: &dyn Clock) -> bool {
        self.since.elapsed_at_most(clock) < self.plausible
    }
}
