//! The objects in memory, in the order of their last use, and the charges for their memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::budget::Charge;
use crate::id::Tenant;
use crate::limits::RESIDENT_BYTES;
use crate::sync::Mutex;

/// An owner of an object in memory, which is an activation.
pub(crate) trait Member: Send + Sync + 'static {
    /// When the object was last used, in monotonic milliseconds.
    fn used_ms(&self) -> u64;

    /// The tenant of the object.
    fn tenant(&self) -> &Tenant;

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
    /// The places of each tenant. Nothing is kept of one that has none.
    tenants: BTreeMap<Tenant, BTreeSet<Order>>,
    next: u64,
}

struct Listed<T> {
    member: Weak<T>,
    tenant: Tenant,
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
        Self(Arc::new(Mutex::new(List {
            places: BTreeMap::new(),
            tenants: BTreeMap::new(),
            next: 0,
        })))
    }
}

impl<T: Member> Residents<T> {
    /// Adds the object of `member`, whose memory `charge` pays for.
    pub(crate) fn add(&self, member: &Arc<T>, charge: Charge) -> Residency {
        let used_ms = Arc::new(AtomicU64::new(member.used_ms()));
        let mut list = self.0.lock();
        let number = list.next;
        list.next += 1;
        let listed = Listed {
            member: Arc::downgrade(member),
            tenant: member.tenant().clone(),
            used_ms: used_ms.clone(),
        };
        list.insert((member.used_ms(), number), listed);
        member.enter();
        let (list, member) = (self.0.clone(), Arc::downgrade(member));
        let leave = move || {
            // The list must not be locked while the member is called.
            list.lock().remove((used_ms.load(Ordering::Relaxed), number));
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

    /// The object that was not used for the longest time, of those after `after`, and its place.
    pub(crate) fn oldest(&self, after: Option<Order>) -> Option<(Order, Arc<T>)> {
        let after = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        self.find(|list| list.places.range(after).next().map(|(order, _)| *order))
    }

    /// The same of the objects of `tenant`.
    pub(crate) fn oldest_of(
        &self,
        tenant: &Tenant,
        after: Option<Order>,
    ) -> Option<(Order, Arc<T>)> {
        let after = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        self.find(|list| list.tenants.get(tenant)?.range(after).next().copied())
    }

    /// The tenant that has the most objects in memory and is not in `without`.
    pub(crate) fn largest(&self, without: &BTreeSet<Tenant>) -> Option<Tenant> {
        let list = self.0.lock();
        let others = list.tenants.iter().filter(|(tenant, _)| !without.contains(*tenant));
        others.max_by_key(|(_, places)| places.len()).map(|(tenant, _)| tenant.clone())
    }

    /// The object at the place that `first` finds, once that is where it belongs.
    fn find(&self, first: impl Fn(&List<T>) -> Option<Order>) -> Option<(Order, Arc<T>)> {
        let mut list = self.0.lock();
        loop {
            let order = first(&list)?;
            let Some(member) = list.places.get(&order)?.member.upgrade() else {
                // Its memory is ending at this moment.
                list.remove(order);
                continue;
            };
            let used_ms = member.used_ms();
            if used_ms <= order.0 {
                return Some((order, member));
            }
            // It was used since it was listed.
            if let Some(listed) = list.remove(order) {
                listed.used_ms.store(used_ms, Ordering::Relaxed);
                list.insert((used_ms, order.1), listed);
            }
        }
    }
}

impl<T> List<T> {
    fn insert(&mut self, order: Order, listed: Listed<T>) {
        self.tenants.entry(listed.tenant.clone()).or_default().insert(order);
        self.places.insert(order, listed);
    }

    fn remove(&mut self, order: Order) -> Option<Listed<T>> {
        let listed = self.places.remove(&order)?;
        if let Some(places) = self.tenants.get_mut(&listed.tenant) {
            places.remove(&order);
            if places.is_empty() {
                self.tenants.remove(&listed.tenant);
            }
        }
        Some(listed)
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
