//! Where owners tell each other what they own, so that a server finds an object's owner without
//! reading the store.
//!
//! Promises: it is a hint. Whoever is named is asked and checks for itself, so a directory may know
//! nothing, be late, be away or lie. Must not know: what holds it.

use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;

use crate::cluster::peers::Owner;
use crate::id::ObjectId;

/// That a process owns an object, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Who and where.
    pub owner: Owner,
    /// The fencing token's epoch.
    pub epoch: u64,
    /// The newest record when this was said.
    pub sequence: u64,
    /// How much longer its lease may last.
    pub remaining: Duration,
}

/// What has become of a holding, as its process announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnershipChange {
    /// The object has a new owner.
    Taken,
    /// The owner goes on.
    Kept,
    /// Nobody owns the object any more.
    Released,
}

/// A place where owners are found.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Begins to pass on to `listener` what other processes announce. Called once, inside a tokio runtime,
    /// when the engine has started.
    fn listen(&self, listener: Listener);

    /// Who owns `object`. `None`: it does not know, or could not find out within a fraction of a
    /// second.
    async fn find(&self, object: &ObjectId) -> Option<Holding>;

    /// Tells the others what has become of a holding of this process. Never waits.
    fn tell(&self, object: &ObjectId, holding: Holding, change: OwnershipChange);

    /// Waits until what was told has been passed on, for as long as that is worth waiting for.
    async fn settle(&self);
}

/// Who makes use of what other processes tell.
pub(crate) trait Listen: Send + Sync {
    /// Hears what another process tells of an object.
    fn hear(&self, object: &ObjectId, holding: &Holding, change: OwnershipChange);
}

/// Takes what other processes tell to an engine, which it does not keep alive.
#[derive(Clone)]
pub struct Listener {
    listener: Weak<dyn Listen>,
}

impl Listener {
    pub(crate) fn new(listener: Weak<dyn Listen>) -> Self {
        Self { listener }
    }

    /// Hears what another process tells; `false` when there is nobody left to hear it.
    pub fn hear(&self, object: &ObjectId, holding: &Holding, change: OwnershipChange) -> bool {
        self.listener.upgrade().map(|listener| listener.hear(object, holding, change)).is_some()
    }
}
