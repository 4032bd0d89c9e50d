//! Objects in memory. This is the only place with concurrency: everything elsewhere is called by
//! one task at a time.
//!
//! Promises: one handler of an object runs at a time, in the order of arrival; a response passes
//! the gate only when everything it depends on is in the bucket; an object that fails, hangs or is
//! full harms no other. Must not know: HTTP servers, SQL, file formats.

mod afterwards;
mod agenda;
mod background;
mod calls;
mod catch_up;
mod checkpoint;
mod commit;
mod committer;
mod elsewhere;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handler;
mod hearsay;
mod hint;
mod janitor;
mod once;
mod open;
mod outbox;
mod per_request;
mod pipeline;
mod queue;
mod residents;
mod retention;
mod shutdown;
mod slot;
mod slots;
mod together;
mod token;
mod turn;
mod verify;
mod wait;
mod whereabouts;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use uuid::Uuid;

use crate::budget::{Budget, Use};
use crate::clock::{Clock, Random};
use crate::directory::Directory;
use crate::engine::{Components, WeakEngine};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::id::{ObjectId, Tenant};
use crate::limits::{
    KEY_BYTES_MAX, KEY_SUFFIX_BYTES_MAX, PASTS_MAX, SLOW_SNAPSHOTS_MAX, SNAPSHOTS_MAX,
    TEMPORARY_SHARE,
};
use crate::log::Log;
use crate::object::App;
use crate::peers::Peers;
use crate::settings::Settings;
use crate::store::Bucket;

pub(crate) use checkpoint::cover;
pub(crate) use elsewhere::{Undone, Way};
pub(crate) use handler::run_read_only;
pub(crate) use hearsay::hear;
pub(crate) use janitor::start as start_janitor;
pub(crate) use once::prepare;
pub(crate) use outbox::{deliver, marked, start_scanning};
pub(crate) use per_request::answer as answer_per_request;
pub(crate) use shutdown::shutdown;
pub(crate) use slot::Slot;
pub(crate) use slots::Slots;
pub(crate) use token::{acquire as acquire_token, check as check_token};
pub(crate) use turn::{Answer, Turn};

/// What every object needs of the process that it lives in.
pub(crate) struct Deps {
    pub(crate) app: App,
    pub(crate) tenant: Tenant,
    pub(crate) settings: Settings,
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) executor: Arc<dyn Executor>,
    /// The way to other servers, if there is one.
    pub(crate) peers: Option<Arc<dyn Peers>>,
    /// Where owners tell what they own, if there is such a place.
    pub(crate) directory: Option<Arc<dyn Directory>>,
    /// This process, as other processes see it.
    pub(crate) instance: Uuid,
    /// For objects that call each other.
    pub(crate) engine: WeakEngine,
    /// Work that handlers left behind; a shutdown waits for it.
    pub(crate) background: background::Tasks,
    /// Closed when the server stops, which ends deliveries of messages; they are counted here until
    /// they have. A semaphore without permits wakes those who wait in their order, a watch channel
    /// in any.
    pub(crate) stopping: tokio::sync::Semaphore,
    pub(crate) couriers: background::Tasks,
    /// Couriers that have something to do at the moment; the others wait.
    pub(crate) deliveries: background::Tasks,
    /// Which objects wait for each other.
    pub(crate) calls: Arc<calls::Calls>,
    /// How many snapshots may be written at the same time.
    pub(crate) checkpoints: tokio::sync::Semaphore,
    /// The memory of the process.
    pub(crate) budget: Budget,
    /// The objects in memory.
    pub(crate) residents: residents::Residents,
    /// When the janitor looks at which slot.
    pub(crate) agenda: agenda::Agenda,
    /// How many more, that take long, may go on beside them.
    pub(crate) slow_checkpoints: tokio::sync::Semaphore,
    /// How many requests to former states may be answered at the same time.
    pub(crate) pasts: tokio::sync::Semaphore,
    /// One snapshot at a time is compared with the records that it covers: that takes a database's
    /// memory.
    pub(crate) verifying: tokio::sync::Semaphore,
}

impl Deps {
    pub(crate) fn new(
        app: App,
        tenant: Tenant,
        settings: Settings,
        components: Components,
        engine: WeakEngine,
    ) -> Self {
        let Components { bucket, clock, random, executor, peers, directory, instance } = components;
        let checkpoints = tokio::sync::Semaphore::new(SNAPSHOTS_MAX);
        let slow_checkpoints = tokio::sync::Semaphore::new(SLOW_SNAPSHOTS_MAX);
        let background = background::Tasks::default();
        let pasts = tokio::sync::Semaphore::new(PASTS_MAX);
        let budget = Budget::new(settings.memory_bytes_max, clock.clone());
        let agenda = agenda::Agenda::default();
        Self {
            app,
            tenant,
            settings,
            bucket,
            clock,
            random,
            executor,
            peers,
            directory,
            instance,
            engine,
            background,
            stopping: tokio::sync::Semaphore::new(0),
            couriers: background::Tasks::default(),
            deliveries: background::Tasks::default(),
            calls: Arc::default(),
            checkpoints,
            budget,
            residents: residents::Residents::new(agenda.clone()),
            agenda,
            slow_checkpoints,
            pasts,
            verifying: tokio::sync::Semaphore::new(1),
        }
    }

    /// One object's log.
    ///
    /// # Errors
    ///
    /// `Invalid` when the object's keys would be longer than a store allows.
    pub(crate) fn log(&self, object: &ObjectId) -> Result<Log> {
        let prefix = self.tenant.object_prefix(object);
        let longest = self.bucket.location().len() + prefix.as_str().len() + KEY_SUFFIX_BYTES_MAX;
        if longest > KEY_BYTES_MAX {
            let text = format!(
                "the id is too long for this bucket's prefix: keys would have up to {longest} bytes, {KEY_BYTES_MAX} are allowed"
            );
            return Err(Error::invalid(text).with_code("BAD_ID"));
        }
        let (bucket, clock, executor) =
            (self.bucket.clone(), self.clock.clone(), self.executor.clone());
        Ok(Log { bucket, clock, executor, object: object.clone(), prefix })
    }

    /// The monotonic time in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }

    /// Has the janitor look at `slot` when `after` has passed, or earlier.
    pub(crate) fn look_in(&self, slot: &Arc<Slot>, after: std::time::Duration) {
        self.agenda.put(
            slot,
            self.now_ms().saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        );
    }

    /// A new random id.
    pub(crate) fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.bytes16()).into_uuid()
    }

    /// The limits of every object's database.
    pub(crate) fn database_limits(&self) -> crate::sqlite::Limits {
        crate::sqlite::Limits {
            database_bytes_max: self
                .settings
                .object_bytes_max
                .min(self.budget.one_max(Use::Objects)),
            row_bytes_max: self.settings.row_bytes_max,
            temporary_bytes_max: self
                .settings
                .temporary_bytes_max
                .min(self.settings.memory_bytes_max / TEMPORARY_SHARE),
        }
    }
}
