//! Places for work of which a process does only so much at the same time, shared between tenants.
//!
//! Promises: nobody waits while a place is free. A place that becomes free goes to the tenant that
//! has the fewest of those whose work waits, and within a tenant to the work that has waited for the
//! longest time. So a tenant has all places while nobody else wants one, and no more than its share
//! otherwise. Nothing is kept of a tenant that neither has a place nor waits for one. Must not know:
//! what is done in a place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::id::Tenant;
use crate::sync::Mutex;

/// So many places, shared between tenants. Clones are the same ones.
#[derive(Clone)]
pub(crate) struct Places(Arc<Mutex<State>>);

/// A place, until it is dropped.
pub(crate) struct Place {
    places: Places,
    tenant: Tenant,
}

/// Where a place goes that was waited for.
type Waiter = oneshot::Sender<Place>;

struct State {
    free: usize,
    tenants: BTreeMap<Tenant, Share>,
    /// The tenants that wait, by how many places they have, then by how long they wait.
    line: BTreeSet<(usize, u64, Tenant)>,
    /// Counts those who have waited.
    number: u64,
}

/// What one tenant has, and waits for.
#[derive(Default)]
struct Share {
    held: usize,
    waiting: VecDeque<(u64, Waiter)>,
}

impl Places {
    /// So many places, all free.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: count,
            tenants: BTreeMap::new(),
            line: BTreeSet::new(),
            number: 0,
        })))
    }

    /// A place for `tenant`, as soon as it is its turn. Whoever stops waiting loses nothing but the
    /// turn.
    pub(crate) async fn acquire(&self, tenant: &Tenant) -> Place {
        if let Some(place) = self.try_acquire(tenant) {
            return place;
        }
        let (granted, grant) = oneshot::channel();
        self.0.lock().queue(tenant, granted);
        // One may have become free meanwhile.
        self.serve();
        grant.await.expect("a waiter is dropped when its place was sent, or is not waited for")
    }

    /// A place for `tenant`, if one is free that nobody waits for.
    pub(crate) fn try_acquire(&self, tenant: &Tenant) -> Option<Place> {
        let mut state = self.0.lock();
        if state.free == 0 || !state.line.is_empty() {
            return None;
        }
        state.take(tenant);
        Some(Place { places: self.clone(), tenant: tenant.clone() })
    }

    /// Gives free places to those who wait.
    fn serve(&self) {
        loop {
            let Some((tenant, waiter)) = self.0.lock().next() else { return };
            // Outside of the lock: when the waiter is gone, the place comes back here.
            drop(waiter.send(Place { places: self.clone(), tenant }));
        }
    }

    /// How many tenants anything is known of.
    #[cfg(test)]
    fn known(&self) -> usize {
        self.0.lock().tenants.len()
    }
}

impl Place {
    /// Whose place it is.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.lock().give_back(&self.tenant);
        self.places.serve();
    }
}

impl State {
    fn take(&mut self, tenant: &Tenant) {
        self.free -= 1;
        self.change(tenant, |share| share.held += 1);
    }

    fn give_back(&mut self, tenant: &Tenant) {
        self.free += 1;
        self.change(tenant, |share| share.held -= 1);
    }

    fn queue(&mut self, tenant: &Tenant, waiter: Waiter) {
        let number = self.number;
        self.number += 1;
        self.change(tenant, |share| share.waiting.push_back((number, waiter)));
    }

    /// Who gets the next free place; it is taken. `None` when none is free, or nobody waits.
    fn next(&mut self) -> Option<(Tenant, Waiter)> {
        loop {
            if self.free == 0 {
                return None;
            }
            let (.., tenant) = self.line.first().cloned()?;
            let (_, waiter) = self.change(&tenant, |share| share.waiting.pop_front())?;
            if !waiter.is_closed() {
                self.take(&tenant);
                return Some((tenant, waiter));
            }
        }
    }

    /// Changes a tenant's share, and its place in the line with it.
    fn change<T>(&mut self, tenant: &Tenant, change: impl FnOnce(&mut Share) -> T) -> T {
        let share = self.tenants.entry(tenant.clone()).or_default();
        let place = |share: &Share| {
            share.waiting.front().map(|(number, _)| (share.held, *number, tenant.clone()))
        };
        if let Some(before) = place(share) {
            self.line.remove(&before);
        }
        let changed = change(share);
        self.line.extend(place(share));
        if share.held == 0 && share.waiting.is_empty() {
            self.tenants.remove(tenant);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant::new("org", name).expect("a good name")
    }

    type Waits = Pin<Box<dyn Future<Output = Place>>>;

    /// Somebody who waits in line.
    fn wait(places: &Places, name: &str) -> Waits {
        let (places, tenant) = (places.clone(), tenant(name));
        let mut waits: Waits = Box::pin(async move { places.acquire(&tenant).await });
        assert!(waits.as_mut().now_or_never().is_none(), "{name} has to wait");
        waits
    }

    fn got(waits: &mut Waits) -> Option<Place> {
        waits.as_mut().now_or_never()
    }

    #[test]
    fn one_tenant_has_all_places_while_nobody_else_wants_one() {
        let places = Places::new(3);
        let held: Vec<Place> =
            (0..3).map(|_| places.try_acquire(&tenant("a")).expect("it is free")).collect();
        assert!(places.try_acquire(&tenant("a")).is_none());
        drop(held);
        assert_eq!(places.known(), 0);
        assert!(places.try_acquire(&tenant("b")).is_some());
    }

    #[test]
    fn a_free_place_goes_to_the_tenant_that_has_the_fewest() {
        let places = Places::new(4);
        let mut held: Vec<Place> =
            (0..4).map(|_| places.try_acquire(&tenant("a")).expect("it is free")).collect();
        let names = ["a"; 10].into_iter().chain(["b", "b", "b", "c"]);
        let mut waiting: Vec<Waits> = names.map(|name| wait(&places, name)).collect();
        let (mut order, mut kept) = (String::new(), Vec::new());
        while held.pop().is_some() {
            let found =
                waiting.iter_mut().enumerate().find_map(|(at, waits)| Some((at, got(waits)?)));
            let (at, place) = found.expect("somebody gets it");
            drop(waiting.remove(at));
            order.push_str(place.tenant.name());
            kept.push(place);
        }
        // Those without a place first, then who waits longest.
        assert_eq!(order, "bcaa");
        let of_b = kept.remove(0);
        drop(of_b);
        let next = waiting.iter_mut().find_map(got).expect("somebody gets it");
        assert_eq!(next.tenant.name(), "b", "a has two places, and b none");
    }

    #[test]
    fn who_stops_waiting_holds_up_nobody_and_leaves_nothing() {
        let places = Places::new(1);
        let held = places.try_acquire(&tenant("a")).expect("it is free");
        let gone = wait(&places, "b");
        let mut waits = wait(&places, "c");
        drop(gone);
        drop(held);
        let place = got(&mut waits).expect("it is its turn");
        let late = wait(&places, "d");
        drop(place);
        // The place was sent to who does not look any more.
        drop(late);
        assert!(places.try_acquire(&tenant("a")).is_some());
        assert_eq!(places.known(), 0);
    }

    #[test]
    fn within_a_tenant_it_is_first_come_first_served() {
        let places = Places::new(1);
        let held = places.try_acquire(&tenant("a")).expect("it is free");
        let (mut first, mut second) = (wait(&places, "a"), wait(&places, "a"));
        drop(held);
        assert!(got(&mut second).is_none());
        let place = got(&mut first).expect("it was first");
        drop(place);
        assert!(got(&mut second).is_some());
    }
}
