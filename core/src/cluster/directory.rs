//! The directory, where owners announce their objects, so that a server finds an object's owner
//! without reading the store.
//!
//! Promises: it is a hint. The named owner is asked and checks for itself, so a directory may know
//! nothing, be late, unavailable or wrong. Must not know: how it is implemented.

use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;

use crate::cluster::peers::Owner;
use crate::id::ObjectId;

/// A process's announcement that it owns an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The process and its address.
    pub owner: Owner,
    /// The fencing token's epoch.
    pub epoch: u64,
    /// The newest record at that time.
    pub sequence: u64,
    /// How much longer its lease may hold.
    pub remaining: Duration,
}

/// A change of a holding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnershipChange {
    /// The object has a new owner.
    Taken,
    /// The owner keeps the object.
    Kept,
    /// The owner has released the object.
    Released,
}

/// A place where owners are found.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Starts to pass announcements of other processes to `listener`. Called once, inside a tokio
    /// runtime, when the engine has started.
    fn listen(&self, listener: Listener);

    /// The owner of `object`. `None` when it does not know, or can't find out within a fraction of a
    /// second.
    async fn find(&self, object: &ObjectId) -> Option<Holding>;

    /// Announces a change of a holding of this process to the others. Never waits.
    fn announce(&self, object: &ObjectId, holding: Holding, change: OwnershipChange);

    /// Waits until queued announcements are sent, for a fraction of a second at most.
    async fn flush(&self);
}

/// Receives announcements of other processes.
pub(crate) trait Listen: Send + Sync {
    /// Receives an announcement about `object`.
    fn receive(&self, object: &ObjectId, holding: &Holding, change: OwnershipChange);
}

/// Passes announcements of other processes to an engine, without keeping the engine alive.
#[derive(Clone)]
pub struct Listener {
    listener: Weak<dyn Listen>,
}

impl Listener {
    pub(crate) fn new(listener: Weak<dyn Listen>) -> Self {
        Self { listener }
    }

    /// Passes on an announcement about `object`. Returns `false` when the engine is gone.
    pub fn receive(&self, object: &ObjectId, holding: &Holding, change: OwnershipChange) -> bool {
        self.listener.upgrade().map(|listener| listener.receive(object, holding, change)).is_some()
    }
}
