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
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::time::Duration;
///
/// use dotdo::engine::{Holding, Owner, Uuid};
///
/// let owner =
///     Owner { instance: Uuid::from_u128(1), address: "http://10.0.0.7:8787".to_owned() };
/// let first = Holding { owner, epoch: 1, sequence: 40, remaining: Duration::from_secs(10) };
/// let second = Holding { epoch: 2, sequence: 41, ..first.clone() };
/// // Of two announcements, that of the later owner counts.
/// let newest =
///     [first, second].into_iter().max_by_key(|holding| (holding.epoch, holding.sequence));
/// assert_eq!(newest.map(|holding| holding.epoch), Some(2));
/// ```
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

/// What has changed about a [`Holding`]. [`Directory`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnershipChange {
    /// The object has a new owner.
    Taken,
    /// The owner keeps the object.
    Kept,
    /// The owner has released the object.
    Released,
}

/// A place where owners announce their objects, and where other servers find them.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// # use dotdo_core::testing::examples::components;
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use dotdo::engine::{Directory, Holding, Listener, ObjectId, OwnershipChange, async_trait};
///
/// /// A directory of servers in one process.
/// #[derive(Default)]
/// struct Board(Mutex<BTreeMap<ObjectId, Holding>>);
///
/// #[async_trait]
/// impl Directory for Board {
///     fn listen(&self, _: Listener) {
///         // Whoever asks finds all that was announced.
///     }
///
///     async fn find(&self, object: &ObjectId) -> Option<Holding> {
///         self.0.lock().unwrap().get(object).cloned()
///     }
///
///     fn announce(&self, object: &ObjectId, holding: Holding, change: OwnershipChange) {
///         let mut holdings = self.0.lock().unwrap();
///         match change {
///             OwnershipChange::Taken | OwnershipChange::Kept => {
///                 holdings.insert(object.clone(), holding)
///             }
///             OwnershipChange::Released => holdings.remove(object),
///         };
///     }
///
///     async fn flush(&self) {}
/// }
/// # let board = Arc::new(Board::default());
/// # let parts = dotdo::engine::Components { directory: Some(board.clone()), ..components() };
/// # let settings = dotdo::engine::Settings { address: Some("http://10.0.0.7:8787".into()), ..Default::default() };
/// # let engine = dotdo::engine::Engine::start(dotdo_core::testing::examples::app(), settings, parts).await?;
/// # let object = dotdo::engine::Tenant::local().object("Shop", "north")?;
/// # engine.fetch(&object, None, dotdo::Request::new("tea".into())).await?;
/// # assert!(board.find(&object).await.is_some());
/// # Ok(())
/// # });
/// ```
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
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Holding, Listener, ObjectId, OwnershipChange};
/// use tokio::sync::mpsc::Receiver;
///
/// /// Passes on what other servers announce, until the engine is gone.
/// async fn pass_on(mut announced: Receiver<(ObjectId, Holding)>, listener: Listener) {
///     while let Some((object, holding)) = announced.recv().await {
///         if !listener.receive(&object, &holding, OwnershipChange::Taken) {
///             return;
///         }
///     }
/// }
/// ```
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
