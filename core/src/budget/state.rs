//! The usage of a budget and the charges that wait: pure state, behind the budget's lock.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::{Charge, Use};
use crate::id::ObjectId;
use crate::limits::{OVERDRAFT_SHARE, SMALL_BYTES};

/// The fraction of the budget that is kept for small charges.
const RESERVE: u64 = 16;

/// A reservation that is requested or was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) what: Use,
    pub(super) object: ObjectId,
    pub(super) bytes: u64,
    /// Bytes that the caller has already.
    pub(super) own: u64,
}

impl Ask {
    /// Whether it is a small one, which large ones must not hold up. A large one that is requested
    /// in parts is not small.
    fn is_small(&self) -> bool {
        self.own.saturating_add(self.bytes) <= SMALL_BYTES
    }
}

/// Receives the charge of a waiting caller.
pub(super) type Waiter = oneshot::Sender<Charge>;

pub(super) struct State {
    bytes_max: u64,
    used: [u64; Use::ALL.len()],
    /// Usage by object, for uses with a limit per object.
    by_object: BTreeMap<(Use, ObjectId), u64>,
    waiting: VecDeque<(Ask, Waiter)>,
    /// The peak of total usage since it was last marked.
    peak: u64,
}

impl State {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            used: [0; Use::ALL.len()],
            by_object: BTreeMap::new(),
            waiting: VecDeque::new(),
            peak: 0,
        }
    }

    pub(super) fn used(&self, what: Use) -> u64 {
        self.used[what as usize]
    }

    pub(super) fn fallen(&self) -> u64 {
        self.peak.saturating_sub(self.total())
    }

    pub(super) fn mark(&mut self) {
        self.peak = self.total();
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.iter().filter(|(_, waiter)| !waiter.is_closed()).count()
    }

    /// Adds `ask` to the waiting ones.
    pub(super) fn queue(&mut self, ask: Ask, waiter: Waiter) {
        self.waiting.push_back((ask, waiter));
    }

    /// Reserves the bytes if they are free and no similar charge waits.
    pub(super) fn take_unless_others_wait(&mut self, ask: &Ask) -> bool {
        let waits = |(other, waiter): &(Ask, Waiter)| {
            other.what == ask.what && other.is_small() == ask.is_small() && !waiter.is_closed()
        };
        !self.waiting.iter().any(waits) && self.take(ask)
    }

    /// Reserves the bytes if they are free.
    pub(super) fn take(&mut self, ask: &Ask) -> bool {
        let fits = self.has_room(ask) && self.is_the_objects_to_take(ask);
        if fits {
            self.add(ask, ask.bytes);
        }
        fits
    }

    /// Reserves the bytes if they are free, or if eviction of idle objects will free them and the
    /// overdraft is within its limit. Returns whether they are reserved, and whether the budget is
    /// exceeded.
    pub(super) fn take_early(&mut self, ask: &Ask) -> (bool, bool) {
        if self.take(ask) {
            return (true, false);
        }
        let most = self.bytes_max + self.bytes_max / OVERDRAFT_SHARE;
        let fits = self.total() + ask.bytes <= most && self.helps_to_evict(ask);
        if fits {
            self.add(ask, ask.bytes);
        }
        (fits, true)
    }

    /// Changes a charge of `before` bytes to `ask`. Returns whether the budget is exceeded.
    pub(super) fn set(&mut self, ask: &Ask, before: u64) -> bool {
        if let Some(more) = ask.bytes.checked_sub(before) {
            self.add(ask, more);
        } else {
            self.remove(ask, before - ask.bytes);
        }
        self.total() > self.bytes_max || self.used(ask.what) > ask.what.share(self.bytes_max)
    }

    /// Reserves free memory for waiting charges, in order within a use; small ones do not wait
    /// behind large ones.
    pub(super) fn grant(&mut self) -> Vec<(Ask, Waiter)> {
        let mut blocked = [[false; 2]; Use::ALL.len()];
        let (mut granted, mut left) = (Vec::new(), VecDeque::new());
        for (ask, waiter) in std::mem::take(&mut self.waiting) {
            if waiter.is_closed() {
                continue;
            }
            let lane = &mut blocked[ask.what as usize][usize::from(ask.is_small())];
            if !*lane && self.take(&ask) {
                granted.push((ask, waiter));
                continue;
            }
            // An object at its limit holds up only itself.
            *lane |= !self.has_room(&ask);
            left.push_back((ask, waiter));
        }
        self.waiting = left;
        granted
    }

    /// How many bytes of objects must be evicted so that the first in each line has room.
    pub(super) fn wanted(&self) -> u64 {
        let reserve = self.bytes_max / RESERVE;
        let first = |what: Use| {
            self.waiting
                .iter()
                .find(|(ask, waiter)| ask.what == what && !waiter.is_closed())
                .map_or(0, |(ask, _)| ask.bytes)
        };
        let asked: u64 = Use::ALL.into_iter().map(first).sum();
        let room = self.bytes_max - reserve;
        let over_all = if asked > 0 || self.total() > self.bytes_max {
            (self.total() + asked).saturating_sub(room)
        } else {
            0
        };
        let over_share = (self.used(Use::Objects) + first(Use::Objects))
            .saturating_sub(Use::Objects.share(self.bytes_max));
        over_all.max(over_share).min(self.used(Use::Objects))
    }

    /// Whether there would be room for `ask` if no object were in memory.
    pub(super) fn helps_to_evict(&self, ask: &Ask) -> bool {
        let objects = self.used(Use::Objects);
        let own = if ask.what == Use::Objects { 0 } else { self.used(ask.what) };
        let within =
            own + ask.bytes <= ask.what.share(self.bytes_max) && self.is_the_objects_to_take(ask);
        within && self.total() - objects + ask.bytes <= self.bytes_max - self.bytes_max / RESERVE
    }

    fn has_room(&self, ask: &Ask) -> bool {
        let reserve = if ask.is_small() { 0 } else { self.bytes_max / RESERVE };
        let within_share =
            ask.is_small() || self.used(ask.what) + ask.bytes <= ask.what.share(self.bytes_max);
        within_share && self.total() + ask.bytes + reserve <= self.bytes_max
    }

    /// Whether the caller alone uses memory of this kind for the object, or all together use at
    /// most half of what one charge may have.
    fn is_the_objects_to_take(&self, ask: &Ask) -> bool {
        let has = self.by_object.get(&(ask.what, ask.object.clone())).copied().unwrap_or(0);
        ask.what == Use::Objects
            || ask.is_small()
            || has == ask.own
            || has + ask.bytes <= ask.what.one(self.bytes_max) / 2
    }

    fn add(&mut self, ask: &Ask, bytes: u64) {
        self.used[ask.what as usize] += bytes;
        self.peak = self.peak.max(self.total());
        if ask.what != Use::Objects && bytes > 0 {
            *self.by_object.entry((ask.what, ask.object.clone())).or_default() += bytes;
        }
    }

    fn remove(&mut self, ask: &Ask, bytes: u64) {
        self.used[ask.what as usize] -= bytes;
        if ask.what == Use::Objects || bytes == 0 {
            return;
        }
        let key = (ask.what, ask.object.clone());
        if let Some(has) = self.by_object.get_mut(&key) {
            *has -= bytes;
            if *has == 0 {
                self.by_object.remove(&key);
            }
        }
    }

    /// Whether no usage is counted for any object.
    #[cfg(test)]
    pub(super) fn is_forgotten(&self) -> bool {
        self.by_object.is_empty() && self.waiting.is_empty()
    }

    fn total(&self) -> u64 {
        self.used.iter().sum()
    }
}
