//! What owners tell each other through a directory: asking it, believing it, and telling it what
//! this process owns.
//!
//! Promises: nothing here decides who owns an object; a wrong word costs a request one attempt at
//! another server.

#[cfg(test)]
mod tests;

use std::sync::PoisonError;
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Instant;
use crate::directory::{Holding, News};
use crate::instance::Deps;
use crate::instance::slot::Slot;
use crate::log::Head;
use crate::peers::Owner;

/// An owner repeats itself when this part of its lease has passed: sooner than one that only reads
/// renews it, at half.
const REPEAT_AFTER: u32 = 3;

/// What this process last told of an object.
#[derive(Debug)]
pub(crate) struct Told {
    epoch: u64,
    at: Instant,
}

/// Asks the directory for the owner of an object that is not in memory here.
pub(crate) async fn ask(deps: &Deps, slot: &Slot) {
    let Some(directory) = &deps.directory else { return };
    if slot.is_resident() {
        return;
    }
    if let Some(holding) = directory.find(&slot.log.object).await {
        hear(deps, slot, &holding, News::Kept);
    }
}

/// Hears what another process tells of an object. Whether it is believed is decided when it is
/// needed.
pub(crate) fn hear(deps: &Deps, slot: &Slot, holding: &Holding, news: News) {
    let Owner { instance, address } = &holding.owner;
    if news == News::Released {
        slot.whereabouts.forget(&holding.owner);
    } else if *instance != deps.instance && !address.is_empty() && !deps.bucket.is_gone(*instance) {
        slot.whereabouts.hear(holding, deps.settings.lease_duration, deps.clock.as_ref());
    }
}

/// Whether `instance` may own the object since `epoch`, as far as this process has seen the log
/// itself.
pub(crate) fn is_credible(deps: &Deps, slot: &Slot, instance: Uuid, epoch: u64) -> bool {
    let pipeline = slot.pipeline();
    let head = pipeline.head;
    let is_ours = pipeline.lease.is_some_and(|lease| lease.holds(deps.clock.as_ref()));
    !is_ours && (epoch > head.epoch || (epoch == head.epoch && instance == head.writer))
}

/// Tells the directory what the record `head`, of this process, means: it holds the object for
/// `lease` from now on. Zero: it does not.
pub(crate) fn tell(deps: &Deps, slot: &Slot, head: Head, lease: Duration) {
    let (Some(directory), Some(address)) = (&deps.directory, &deps.settings.address) else {
        return;
    };
    let Some(news) = note(deps, slot, head, lease) else { return };
    let owner = Owner { instance: deps.instance, address: address.clone() };
    directory.tell(
        &slot.log.object,
        Holding { owner, epoch: head.epoch, sequence: head.sequence, remaining: lease },
        news,
    );
}

/// What is worth telling, and that it was told.
fn note(deps: &Deps, slot: &Slot, head: Head, lease: Duration) -> Option<News> {
    let mut told = slot.told.lock().unwrap_or_else(PoisonError::into_inner);
    let news = match told.as_ref() {
        None if lease.is_zero() => return None,
        Some(_) if lease.is_zero() => {
            *told = None;
            return Some(News::Released);
        }
        Some(last) if last.epoch == head.epoch => {
            if last.at.elapsed_at_least(deps.clock.as_ref()) < lease / REPEAT_AFTER {
                return None;
            }
            News::Kept
        }
        None | Some(_) => News::Taken,
    };
    *told = Some(Told { epoch: head.epoch, at: Instant::now(deps.clock.as_ref()) });
    Some(news)
}
