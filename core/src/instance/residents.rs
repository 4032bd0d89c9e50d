//! The objects in memory, in the order of their last use, and what each of them is charged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::budget::Charge;
use crate::instance::agenda::Agenda;
use crate::instance::slot::Slot;
use crate::limits::RESIDENT_BYTES;

/// A place in the order: the time of a use in monotonic milliseconds, and a number that no other
/// place has.
pub(crate) type Order = (u64, u64);

/// The objects in memory.
pub(crate) struct Residents {
    list: Arc<Mutex<List>>,
    agenda: Agenda,
}

#[derive(Default)]
struct List {
    places: BTreeMap<Order, Listed>,
    next: u64,
}

struct Listed {
    slot: Weak<Slot>,
    /// The time of the use that it is listed with.
    used_ms: Arc<AtomicU64>,
}

/// An object in memory. Its memory holds this, so that both end together.
pub(crate) struct Resident {
    list: Arc<Mutex<List>>,
    agenda: Agenda,
    slot: Weak<Slot>,
    charge: Charge,
    number: u64,
    used_ms: Arc<AtomicU64>,
}

impl Residents {
    /// No objects yet.
    pub(crate) fn new(agenda: Agenda) -> Self {
        Self { list: Arc::default(), agenda }
    }

    /// The object at `slot` is in memory, which was paid by `charge`.
    pub(crate) fn add(&self, slot: &Arc<Slot>, charge: Charge) -> Resident {
        let used_ms = Arc::new(AtomicU64::new(slot.used_ms()));
        let mut list = lock(&self.list);
        let number = list.next;
        list.next += 1;
        list.places.insert(
            (slot.used_ms(), number),
            Listed { slot: Arc::downgrade(slot), used_ms: used_ms.clone() },
        );
        slot.residents.fetch_add(1, Ordering::AcqRel);
        let (list, agenda) = (self.list.clone(), self.agenda.clone());
        Resident { list, agenda, slot: Arc::downgrade(slot), charge, number, used_ms }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.list).places.len()
    }

    /// The object that was not used for the longest time, of those after `after`, and its place.
    pub(crate) fn oldest(&self, after: Order) -> Option<(Order, Arc<Slot>)> {
        let mut list = lock(&self.list);
        loop {
            let (order, slot) = list
                .places
                .range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded))
                .next()
                .map(|(order, listed)| (*order, listed.slot.upgrade()))?;
            let Some(slot) = slot else {
                // Its memory is ending at this moment.
                list.places.remove(&order);
                continue;
            };
            let used_ms = slot.used_ms();
            if used_ms <= order.0 {
                return Some((order, slot));
            }
            // It was used since it was listed.
            if let Some(listed) = list.places.remove(&order) {
                listed.used_ms.store(used_ms, Ordering::Relaxed);
                list.places.insert((used_ms, order.1), listed);
            }
        }
    }
}

impl Resident {
    /// The database holds so many bytes now.
    pub(crate) fn weighs(&mut self, database_bytes: u64) {
        self.charge.set(RESIDENT_BYTES + database_bytes);
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        // The lock of the list is not held while anything else is done.
        lock(&self.list).places.remove(&(self.used_ms.load(Ordering::Relaxed), self.number));
        if let Some(slot) = self.slot.upgrade() {
            slot.residents.fetch_sub(1, Ordering::AcqRel);
            self.agenda.put(&slot, 0);
        }
    }
}

fn lock(list: &Mutex<List>) -> MutexGuard<'_, List> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
