//! The activations of all objects in this process. Each is created once and dropped when nobody
//! needs it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use crate::activation::maintenance::ROUND;
use crate::activation::runtime::Runtime;
use crate::activation::state::{Activation, Lists};
use crate::budget::Use;
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::limits::ACTIVATION_BYTES;
use crate::planted::{Bug, planted};
use crate::rollup::is_rollup;
use crate::sync::Mutex;

/// Number of independently locked parts of the map, so that threads rarely wait for each other. A
/// power of two.
const SHARDS: usize = 16;

type Shard = BTreeMap<ObjectId, Arc<Activation>>;

/// The activations by object.
pub(crate) struct Activations {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) lists: Arc<Lists>,
    shards: [Mutex<Shard>; SHARDS],
}

impl Activations {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { runtime, lists: Arc::default(), shards }
    }

    /// The activation of `object`, created on the first call, so that two requests for a cold
    /// object share one restore.
    ///
    /// # Errors
    ///
    /// `Invalid` when the object's keys would be too long, `NotFound` when its class is unknown,
    /// `Busy` when there is no memory for it.
    pub(crate) fn get(&self, object: &ObjectId) -> Result<Arc<Activation>> {
        let object = &*self.runtime.app.names().object(object);
        if let Some(activation) = self.existing(&place_of(object)) {
            return Ok(activation);
        }
        if !is_rollup(object.class()) {
            self.runtime.app.check_class(object.class())?;
        }
        self.of_any_class(object)
    }

    /// As [`Activations::get`], for an object whose class this process may not know: for work that
    /// runs nothing of the class.
    ///
    /// # Errors
    ///
    /// `Invalid` when the object's keys would be too long, `Busy` when there is no memory for it.
    pub(crate) fn of_any_class(&self, object: &ObjectId) -> Result<Arc<Activation>> {
        let object = self.runtime.app.names().object(object);
        let object = &*place_of(&object);
        let mut shard = self.shard(object);
        if let Some(activation) = shard.get(object) {
            return Ok(activation.clone());
        }
        let log = self.runtime.log(object)?;
        let charge = self.runtime.budget.admit_at_once(Use::Objects, object, ACTIVATION_BYTES)?;
        let (runtime, lists) = (self.runtime.clone(), self.lists.clone());
        let activation = Arc::new(Activation::new(runtime, lists, log, charge));
        shard.insert(object.clone(), activation.clone());
        activation.check_after(ROUND);
        Ok(activation)
    }

    /// The activation of `object`, if there is one.
    pub(crate) fn existing(&self, object: &ObjectId) -> Option<Arc<Activation>> {
        self.shard(object).get(object).cloned()
    }

    /// All activations.
    pub(crate) fn all(&self) -> Vec<Arc<Activation>> {
        self.shards
            .iter()
            .flat_map(|shard| shard.lock().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Drops the activation of `object`. Returns it instead if it is in use.
    pub(crate) fn forget(&self, object: &ObjectId) -> Option<Arc<Activation>> {
        let mut shard = self.shard(object);
        let activation = shard.get(object)?;
        if is_used(activation) {
            return Some(activation.clone());
        }
        shard.remove(object);
        None
    }

    /// Drops the activations of all cold objects that nobody holds, with everything that they know
    /// about leases and owners.
    pub(crate) fn forget_cold(&self) {
        for shard in &self.shards {
            shard.lock().retain(|_, activation| {
                is_used(activation) || activation.lease_counted.load(Ordering::Relaxed)
            });
        }
    }

    /// The number of activations.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self, object: &ObjectId) -> MutexGuard<'_, Shard> {
        let tenant = object.tenant().prefix().as_str();
        let hash = [tenant, object.class(), object.id()]
            .into_iter()
            .flat_map(str::bytes)
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        self.shards[(hash >> 32) as usize % SHARDS].lock()
    }
}

/// Where an object's activation is in the map.
fn place_of(object: &ObjectId) -> Cow<'_, ObjectId> {
    if planted(Bug::TenantForgotten) {
        let other = Tenant::local().object(object.class(), object.id());
        return Cow::Owned(other.expect("the names are good for any tenant"));
    }
    Cow::Borrowed(object)
}

/// Whether somebody holds the activation, or its object is in memory. The caller has locked the
/// shard, so nobody can start using it.
fn is_used(activation: &Arc<Activation>) -> bool {
    Arc::strong_count(activation) > 1 || activation.is_resident()
}
