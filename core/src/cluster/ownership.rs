//! Who owns an object, when that may be another process: what is read in the bucket, what others
//! tell, and whether a request goes there.
//!
//! Promises: nothing here decides who owns an object; what is wrongly believed costs a request one
//! attempt at another server.

use std::time::Duration;

use uuid::Uuid;

use crate::activation::{Activation, Newest, newest};
use crate::clock::Instant;
use crate::cluster::directory::{Holding, OwnershipChange};
use crate::cluster::forwarding::Origin;
use crate::cluster::lock_file::read_lock_file;
use crate::cluster::peers::Owner;
use crate::error::Result;
use crate::lease::Claim;
use crate::store::Bucket as _;

impl Activation {
    /// Whether a request need not wait for the claim's lease to end: its holder can be asked
    /// instead, or whoever sent the request here decides.
    pub(crate) fn is_forwarded(
        &self,
        origin: Origin,
        (claim, remaining): (&Claim, Duration),
    ) -> bool {
        match origin {
            Origin::Here => {
                self.runtime.peers.is_some()
                    && self.owner_cache.learn(claim, remaining, self.runtime.clock.as_ref())
            }
            Origin::Own => false,
            Origin::Peer => true,
        }
    }

    /// Looks for the newest state of a cold object. Where other servers can be asked, the hint
    /// `lock` is read together with the listing, so that nothing is fetched in vain.
    ///
    /// # Errors
    ///
    /// `Busy` when the hint names an owner who can be asked. What else goes wrong is found out by
    /// the restore.
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
        if remaining.is_zero()
            || self.owner_cache.is_avoided(&claim)
            || !self.is_forwarded(origin, (&claim, remaining))
        {
            return Ok(Some(newest));
        }
        Err(claim.busy(remaining))
    }

    /// Asks the directory for the owner of an object that is not in memory here.
    pub(crate) async fn ask_directory(&self) {
        let Some(directory) = &self.runtime.directory else { return };
        if self.is_resident() {
            return;
        }
        if let Some(holding) = directory.find(&self.log.object).await {
            self.hear(&holding, OwnershipChange::Kept);
        }
    }

    /// Hears what another process tells of an object. Whether it is believed is decided when it is
    /// needed.
    pub(crate) fn hear(&self, holding: &Holding, news: OwnershipChange) {
        let Owner { instance, address } = &holding.owner;
        if news == OwnershipChange::Released {
            self.owner_cache.forget(&holding.owner);
        } else if *instance != self.runtime.instance
            && !address.is_empty()
            && !self.log.bucket.is_gone(*instance)
        {
            self.owner_cache.hear(
                holding,
                self.runtime.settings.lease_duration,
                self.runtime.clock.as_ref(),
            );
        }
    }

    /// Whether `instance` may own the object since `epoch`, as far as this process has seen the log
    /// itself.
    pub(crate) fn is_credible(&self, instance: Uuid, epoch: u64) -> bool {
        let pipeline = self.pipeline();
        let head = pipeline.head;
        let is_ours = pipeline.lease.is_some_and(|lease| lease.holds(self.runtime.clock.as_ref()));
        !is_ours && (epoch > head.epoch || (epoch == head.epoch && instance == head.writer))
    }
}
