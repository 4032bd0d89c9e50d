//! Decides when to announce an object in the directory.
//!
//! Promises: nothing here decides who owns an object.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::activation::Runtime;
use crate::clock::{Clock, Instant};
use crate::cluster::directory::{Holding, OwnershipChange};
use crate::cluster::peers::Owner;
use crate::id::ObjectId;
use crate::log::Head;
use crate::sync::Mutex;

/// An owner repeats its announcement after this fraction of its lease, which is before a lease is
/// renewed at half time.
const REPEAT_AFTER: u32 = 3;

/// The last announcement of this process about an object.
#[derive(Debug, Default)]
pub(crate) struct Announced(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    epoch: u64,
    at: Instant,
}

impl Announced {
    /// Announces what this process's record `head` of `object` means: the process holds the object
    /// for `lease` from now on. Zero: it does not.
    pub(crate) fn announce(
        &self,
        runtime: &Runtime,
        object: &ObjectId,
        head: Head,
        lease: Duration,
    ) {
        let (Some(directory), Some(address)) = (&runtime.directory, &runtime.settings.address)
        else {
            return;
        };
        let Some(news) = self.note(head, lease, runtime.clock.as_ref()) else { return };
        let owner = Owner { instance: runtime.instance, address: address.clone() };
        let (epoch, sequence) = (head.epoch, head.sequence);
        directory.announce(object, Holding { owner, epoch, sequence, remaining: lease }, news);
    }

    /// The change that is worth announcing, if any; notes that it was announced.
    fn note(&self, head: Head, lease: Duration, clock: &dyn Clock) -> Option<OwnershipChange> {
        let mut told = self.0.lock();
        let news = match told.as_ref() {
            None if lease.is_zero() => return None,
            Some(_) if lease.is_zero() => {
                *told = None;
                return Some(OwnershipChange::Released);
            }
            Some(last) if last.epoch == head.epoch => {
                if last.at.elapsed_at_least(clock) < lease / REPEAT_AFTER {
                    return None;
                }
                OwnershipChange::Kept
            }
            None | Some(_) => OwnershipChange::Taken,
        };
        *told = Some(Last { epoch: head.epoch, at: Instant::now(clock) });
        Some(news)
    }
}
