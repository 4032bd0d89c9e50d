//! The usage of a budget and the charges that wait: pure state, behind the budget's lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::oneshot;

use super::{Charge, Use};
use crate::id::{ObjectId, Tenant};
use crate::limits::{OVERDRAFT_SHARE, SMALL_BYTES};

/// The fraction of the budget that is kept for small charges, and of what they may overdraw beyond
/// what large ones can.
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
    tenants: Tenants,
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
            tenants: Tenants::default(),
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
    /// overdraft is within its limit.
    pub(super) fn take_early(&mut self, ask: &Ask) -> bool {
        if self.take(ask) {
            return true;
        }
        let most = self.bytes_max + self.bytes_max / OVERDRAFT_SHARE;
        let fits = self.total() + ask.bytes <= most
            && !(self.is_crowding(ask) && self.others_wait(ask))
            && self.helps_to_evict(ask);
        if fits {
            self.add(ask, ask.bytes);
        }
        fits
    }

    /// Whether more is used than the budget, or than the share of `what`, allows.
    pub(super) fn is_overdrawn(&self, what: Use) -> bool {
        self.total() > self.bytes_max || self.used(what) > what.share(self.bytes_max)
    }

    /// Changes a charge of `before` bytes to `ask`.
    pub(super) fn set(&mut self, ask: &Ask, before: u64) {
        if let Some(more) = ask.bytes.checked_sub(before) {
            self.add(ask, more);
        } else {
            self.remove(ask, before - ask.bytes);
        }
    }

    /// Reserves free memory for waiting charges. Within a use the tenant that has the least of it
    /// comes first, and within a tenant who waits longest; small ones do not wait behind large ones.
    pub(super) fn grant(&mut self) -> Vec<(Ask, Waiter)> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let mut places: Vec<Option<(Ask, Waiter)>> =
            waiting.filter(|(_, waiter)| !waiter.is_closed()).map(Some).collect();
        let mut lanes: Vec<(usize, Lane)> = lanes(&places).into_values().collect();
        // The lane whose first waits longest comes first.
        lanes.sort_unstable_by_key(|(first, _)| *first);
        let mut granted = Vec::new();
        for (_, lane) in lanes {
            for at in self.grant_lane(lane, &places) {
                granted.extend(places[at].take());
            }
        }
        self.waiting = places.into_iter().flatten().collect();
        granted
    }

    /// Takes for one lane; answers which places of `waiting` it was taken for.
    fn grant_lane(&mut self, mut lane: Lane, waiting: &[Option<(Ask, Waiter)>]) -> Vec<usize> {
        let mut granted = Vec::new();
        let ask = |at: usize| waiting[at].as_ref().map(|(ask, _)| ask);
        let place = |state: &Self, at: usize| {
            let ask = ask(at)?;
            Some((state.tenants.used(ask.what, ask.object.tenant()), at))
        };
        let mut line: BTreeSet<(u64, usize)> =
            lane.values().filter_map(|of_tenant| place(self, *of_tenant.front()?)).collect();
        while let Some((_, at)) = line.pop_first() {
            let Some(asked) = ask(at) else { continue };
            if self.take(asked) {
                granted.push(at);
            } else if !self.has_room(asked) {
                break;
            }
            // An object at its limit holds up only itself.
            let next = lane.get_mut(asked.object.tenant()).and_then(|of_tenant| {
                of_tenant.pop_front();
                of_tenant.front().copied()
            });
            line.extend(next.and_then(|next| place(self, next)));
        }
        granted
    }

    /// How many bytes of objects must be evicted so that the first in each line has room.
    pub(super) fn wanted(&self) -> u64 {
        let reserve = self.bytes_max / RESERVE;
        let first = |what: Use| {
            self.waiting
                .iter()
                .filter(|(ask, waiter)| ask.what == what && !waiter.is_closed())
                .min_by_key(|(ask, _)| self.tenants.used(what, ask.object.tenant()))
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

    /// The tenant with the most memory of objects that is not in `without`.
    pub(super) fn largest(&self, without: &BTreeSet<Tenant>) -> Option<Tenant> {
        let mut largest = self.tenants.by_objects.iter().rev().map(|(_, tenant)| tenant);
        largest.find(|tenant| !without.contains(*tenant)).cloned()
    }

    /// Whether who asks is one of several tenants, and has more than half of everything: more than
    /// a share, however many they are.
    fn is_crowding(&self, ask: &Ask) -> bool {
        self.tenants.totals.len() > 1
            && self.tenants.total(ask.object.tenant()) > self.bytes_max / 2
    }

    /// Whether another tenant than that of who asks waits.
    fn others_wait(&self, ask: &Ask) -> bool {
        let tenant = ask.object.tenant();
        self.waiting
            .iter()
            .any(|(other, waiter)| other.object.tenant() != tenant && !waiter.is_closed())
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
        let (reserve, total) = (self.bytes_max / RESERVE, self.total() + ask.bytes);
        if !ask.is_small() {
            let within_share = self.used(ask.what) + ask.bytes <= ask.what.share(self.bytes_max);
            return within_share && total + reserve <= self.bytes_max;
        }
        // Beyond the most that large ones can overdraw. Who has more than its share leaves the last
        // to others.
        let most = self.bytes_max + self.bytes_max / OVERDRAFT_SHARE + reserve;
        let left = if self.is_crowding(ask) { reserve / 2 } else { 0 };
        total + left <= most
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
        self.tenants.change(ask, |used| used + bytes);
        self.peak = self.peak.max(self.total());
        if ask.what != Use::Objects && bytes > 0 {
            *self.by_object.entry((ask.what, ask.object.clone())).or_default() += bytes;
        }
    }

    fn remove(&mut self, ask: &Ask, bytes: u64) {
        self.used[ask.what as usize] -= bytes;
        self.tenants.change(ask, |used| used - bytes);
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
        self.by_object.is_empty() && self.waiting.is_empty() && self.tenants.is_empty()
    }

    fn total(&self) -> u64 {
        self.used.iter().sum()
    }
}

/// Those who wait for the same: their places in the line of all, by tenant.
type Lane = BTreeMap<Tenant, VecDeque<usize>>;

/// Everybody's lanes, by use and size, each with the place of its first.
fn lanes(waiting: &[Option<(Ask, Waiter)>]) -> BTreeMap<(Use, bool), (usize, Lane)> {
    let mut lanes = BTreeMap::new();
    for (at, (ask, _)) in
        waiting.iter().enumerate().filter_map(|(at, one)| Some((at, one.as_ref()?)))
    {
        let (_, lane): &mut (usize, Lane) =
            lanes.entry((ask.what, ask.is_small())).or_insert_with(|| (at, Lane::new()));
        lane.entry(ask.object.tenant().clone()).or_default().push_back(at);
    }
    lanes
}

/// What each tenant has. Nothing is kept of one that has nothing.
#[derive(Default)]
struct Tenants {
    used: BTreeMap<(Use, Tenant), u64>,
    totals: BTreeMap<Tenant, u64>,
    /// By how much of objects they have.
    by_objects: BTreeSet<(u64, Tenant)>,
}

impl Tenants {
    fn used(&self, what: Use, tenant: &Tenant) -> u64 {
        self.used.get(&(what, tenant.clone())).copied().unwrap_or(0)
    }

    fn total(&self, tenant: &Tenant) -> u64 {
        self.totals.get(tenant).copied().unwrap_or(0)
    }

    fn change(&mut self, ask: &Ask, change: impl Fn(u64) -> u64) {
        let (what, tenant) = (ask.what, ask.object.tenant());
        let before = self.used(what, tenant);
        let after = change(before);
        if before == after {
            return;
        }
        put(&mut self.used, (what, tenant.clone()), after);
        let total = change(self.total(tenant));
        put(&mut self.totals, tenant.clone(), total);
        if what == Use::Objects {
            self.by_objects.remove(&(before, tenant.clone()));
            self.by_objects.extend((after > 0).then(|| (after, tenant.clone())));
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.used.is_empty() && self.totals.is_empty() && self.by_objects.is_empty()
    }
}

fn put<K: Ord>(map: &mut BTreeMap<K, u64>, key: K, bytes: u64) {
    if bytes == 0 {
        map.remove(&key);
    } else {
        map.insert(key, bytes);
    }
}
