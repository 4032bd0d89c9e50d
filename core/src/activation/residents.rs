//! The objects in memory, in the order of their last use, and the charges for their memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::budget::Charge;
use crate::limits::RESIDENT_BYTES;
use crate::sync::Mutex;

/// An owner of an object in memory, which is an activation.
pub(crate) trait Member: Send + Sync + 'static {
    /// When the object was last used, in monotonic milliseconds.
    fn used_ms(&self) -> u64;

    /// Called when the object enters memory.
    fn enter(&self);

    /// Called when the object has left memory.
    fn leave(self: Arc<Self>);
}

/// A position in the order: the time of a use in monotonic milliseconds, and a unique number.
pub(crate) type Order = (u64, u64);

/// The objects in memory.
pub(crate) struct Residents<T>(Arc<Mutex<List<T>>>);

struct List<T> {
    places: BTreeMap<Order, Listed<T>>,
    next: u64,
}

struct Listed<T> {
    member: Weak<T>,
    /// The time of the use under which it is listed.
    used_ms: Arc<AtomicU64>,
}

/// An object's entry in the list of those in memory, and the charge for its memory. The memory
/// holds this, so that both end together.
pub(crate) struct Residency {
    charge: Charge,
    leave: Option<Box<dyn FnOnce() + Send>>,
}

impl<T> Default for Residents<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(List { places: BTreeMap::new(), next: 0 })))
    }
}

impl<T: Member> Residents<T> {
    /// Adds the object of `member`, whose memory `charge` pays for.
    pub(crate) fn add(&self, member: &Arc<T>, charge: Charge) -> Residency {
        let used_ms = Arc::new(AtomicU64::new(member.used_ms()));
        let mut list = self.0.lock();
        let number = list.next;
        list.next += 1;
        let listed = Listed { member: Arc::downgrade(member), used_ms: used_ms.clone() };
        list.places.insert((member.used_ms(), number), listed);
        member.enter();
        let (list, member) = (self.0.clone(), Arc::downgrade(member));
        let leave = move || {
            // The list must not be locked while the member is called.
            list.lock().places.remove(&(used_ms.load(Ordering::Relaxed), number));
            if let Some(member) = member.upgrade() {
                member.leave();
            }
        };
        Residency { charge, leave: Some(Box::new(leave)) }
    }

    /// The number of objects in memory.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().places.len()
    }

    /// The least recently used object after the position `after`, with its own position.
    pub(crate) fn oldest(&self, after: Order) -> Option<(Order, Arc<T>)> {
        let mut list = self.0.lock();
        loop {
            let (order, member) = list
                .places
                .range((Bound::Excluded(after), Bound::Unbounded))
                .next()
                .map(|(order, listed)| (*order, listed.member.upgrade()))?;
            let Some(member) = member else {
                // Its memory is being dropped right now.
                list.places.remove(&order);
                continue;
            };
            let used_ms = member.used_ms();
            if used_ms <= order.0 {
                return Some((order, member));
            }
            // It was used after it was listed.
            if let Some(listed) = list.places.remove(&order) {
                listed.used_ms.store(used_ms, Ordering::Relaxed);
                list.places.insert((used_ms, order.1), listed);
            }
        }
    }
}

impl Residency {
    /// Updates the charge to the size of the database.
    pub(crate) fn weighs(&mut self, database_bytes: u64) {
        self.charge.set(RESIDENT_BYTES + database_bytes);
    }
}

impl Drop for Residency {
    fn drop(&mut self) {
        if let Some(leave) = self.leave.take() {
            leave();
        }
    }
}
