//! The owner of an object, when that may be another process: learned from the bucket and from
//! announcements, and whether requests are forwarded to it.
//!
//! Promises: nothing here decides who owns an object. Wrong knowledge costs a request one attempt at
//! another server.

use uuid::Uuid;

use crate::activation::{Activation, ForeignClaim, Newest, newest};
use crate::clock::Instant;
use crate::cluster::directory::{Holding, OwnershipChange};
use crate::cluster::forwarding::Origin;
use crate::cluster::lock_file::read_lock_file;
use crate::cluster::peers::Owner;
use crate::error::Result;
use crate::store::Bucket as _;

impl Activation {
    /// Whether a caller does not wait for the claim's lease to end: the request is forwarded to the
    /// holder, or the server that sent it here decides.
    pub(crate) fn is_forwarded(&self, origin: Origin, found: ForeignClaim<'_>) -> bool {
        match origin {
            Origin::Here => {
                self.runtime.peers.is_some()
                    && self.owner_cache.learn(
                        found.claim,
                        found.remaining,
                        self.runtime.clock.as_ref(),
                    )
            }
            Origin::Own => false,
            Origin::Peer => true,
        }
    }

    /// Finds the newest state of a cold object. With forwarding, the hint `lock` is read together
    /// with the listing, so that nothing is fetched for an object that another server owns.
    ///
    /// # Errors
    ///
    /// `Busy` when the hint names an owner to which requests can be forwarded. Other errors are left
    /// to the restore.
    pub(crate) async fn look_for_newest(&self, origin: Origin) -> Result<Option<Newest>> {
        if self.runtime.peers.is_none() || origin != Origin::Here {
            return Ok(None);
        }
        let (newest, hint) = futures_util::join!(newest(&self.log), read_lock_file(&self.log));
        let Ok(newest) = newest else { return Ok(None) };
        let observed = Instant::now(self.runtime.clock.as_ref());
        let Some(mut claim) = hint.and_then(|hint| hint.claim(&newest.listing, observed)) else {
            return Ok(Some(newest));
        };
        let remaining = claim.remaining(
            self.runtime.instance,
            self.log.bucket.as_ref(),
            self.runtime.clock.as_ref(),
        );
        let found = ForeignClaim { claim: &claim, remaining };
        if remaining.is_zero()
            || self.owner_cache.is_avoided(&claim)
            || !self.is_forwarded(origin, found)
        {
            return Ok(Some(newest));
        }
        Err(found.busy())
    }

    /// Asks the directory for the owner, if the object is not in memory here.
    pub(crate) async fn ask_directory(&self) {
        let Some(directory) = &self.runtime.directory else { return };
        if self.is_resident() {
            return;
        }
        if let Some(holding) = directory.find(&self.log.object).await {
            self.receive_announcement(&holding, OwnershipChange::Kept);
        }
    }

    /// Learns from an announcement of another process. Whether it is credible is checked when it is
    /// used.
    pub(crate) fn receive_announcement(&self, holding: &Holding, change: OwnershipChange) {
        let Owner { instance, address } = &holding.owner;
        if change == OwnershipChange::Released {
            self.owner_cache.forget(&holding.owner);
        } else if *instance != self.runtime.instance
            && !address.is_empty()
            && !self.log.bucket.is_gone(*instance)
        {
            self.owner_cache.learn_announced(
                holding,
                self.runtime.settings.lease_duration,
                self.runtime.clock.as_ref(),
            );
        }
    }

    /// Whether `instance` may own the object since `epoch`, by the part of the log that this process
    /// has read.
    pub(crate) fn is_credible(&self, instance: Uuid, epoch: u64) -> bool {
        let pipeline = self.pipeline();
        let head = pipeline.head;
        let is_ours = pipeline.lease.is_some_and(|lease| lease.holds(self.runtime.clock.as_ref()));
        !is_ours && (epoch > head.epoch || (epoch == head.epoch && instance == head.writer))
    }
}
