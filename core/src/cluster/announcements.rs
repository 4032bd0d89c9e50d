//! What owners tell each other through a directory: when there is something to tell.
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

/// An owner repeats itself when this part of its lease has passed: sooner than one that only reads
/// renews it, at half.
const REPEAT_AFTER: u32 = 3;

/// What this process last told of an object.
#[derive(Debug, Default)]
pub(crate) struct Announced(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    epoch: u64,
    at: Instant,
}

impl Announced {
    /// Tells the directory what the record `head` of `object`, of this process, means: it holds the
    /// object for `lease` from now on. Zero: it does not.
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
        directory.tell(object, Holding { owner, epoch, sequence, remaining: lease }, news);
    }

    /// What is worth telling, and that it was told.
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
