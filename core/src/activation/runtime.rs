//! What every object needs of the process that it lives in.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::activation::calls::Calls;
use crate::activation::tasks::Tasks;
use crate::alarms::OwnTimers;
use crate::budget::{Budget, Use};
use crate::clock::{Clock, Random};
use crate::cluster::{Directory, Peers};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::Executor;
use crate::id::ObjectId;
use crate::limits::{
    COURIERS_MAX, KEY_BYTES_MAX, KEY_SUFFIX_BYTES_MAX, REQUEST_WAIT_MAX, RESTORES_MAX,
    SLOW_SNAPSHOTS_MAX, SNAPSHOTS_MAX, TEMPORARY_SHARE, TIME_TRAVELS_MAX,
};
use crate::log::Log;
use crate::millis;
use crate::object::{App, Host};
use crate::rollup::{Rollup, Rollups};
use crate::settings::Settings;
use crate::sockets::{Held, Most, SocketTransport, Sockets};
use crate::sqlite::Limits;
use crate::store::Bucket as _;
use crate::tenants::{Buckets, Place, Places, Tenants};

/// The parts that an engine runs on: store, clocks, randomness, and connections to other instances.
///
/// ```
/// # use dotdo_core::testing::examples::{app, dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::Request;
/// use dotdo::engine::{
///     Components, Engine, Inline, Memory, Settings, SharedBucket, Tenant, Uuid,
/// };
/// use dotdo::testing::{CountingRandom, ManualClock};
///
/// // For a test: time and randomness that it controls, and a bucket in memory.
/// let clock = Arc::new(ManualClock::new());
/// let components = Components {
///     buckets: Arc::new(SharedBucket(Arc::new(Memory::new(clock.clone())))),
///     clock,
///     random: Arc::new(CountingRandom::starting_at(1)),
///     executor: Arc::new(Inline),
///     peers: None,
///     directory: None,
///     transport: None,
///     instance: Uuid::from_u128(1),
/// };
/// let engine = Engine::start(app(), Settings::default(), components).await?;
/// let object = Tenant::local().object("Shop", "north")?;
/// let response = engine.fetch(&object, None, Request::new("tea".into())).await?;
/// assert!(response.status().is_success());
/// # Ok(())
/// # });
/// ```
pub struct Components {
    /// The stores of all state: the bucket of each tenant.
    pub buckets: Arc<dyn Buckets>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
    /// Runs long computations.
    pub executor: Arc<dyn Executor>,
    /// Forwards requests to other servers on the same bucket. Without it, requests for objects that
    /// they own are refused, or wait for their leases to end.
    pub peers: Option<Arc<dyn Peers>>,
    /// Where owners announce what they own. Without it, or while it knows nothing, owners are found
    /// in the bucket.
    pub directory: Option<Arc<dyn Directory>>,
    /// Reaches connections that something else holds, where this process can't hold any. Without
    /// it, only this process and other servers hold connections.
    pub transport: Option<Arc<dyn SocketTransport>>,
    /// The id of this process; the same that the bucket was opened with.
    pub instance: Uuid,
}

#[cfg(test)]
impl Components {
    /// What a server of the core's own tests runs on: alone on the bucket, with time that stands
    /// still and randomness that follows from its number.
    pub(crate) fn of_test(
        bucket: Arc<dyn crate::store::Bucket>,
        clock: Arc<crate::testing::ManualClock>,
        instance: u128,
    ) -> Self {
        Self {
            buckets: Arc::new(crate::tenants::SharedBucket(bucket)),
            clock,
            random: Arc::new(crate::testing::CountingRandom::starting_at(instance << 32)),
            executor: Arc::new(crate::executor::Inline),
            peers: None,
            directory: None,
            transport: None,
            instance: Uuid::from_u128(instance),
        }
    }
}

/// What every object needs of the process that it lives in.
pub(crate) struct Runtime {
    pub(crate) app: App,
    pub(crate) settings: Settings,
    /// The tenants that this process has met, with the bucket of each.
    pub(crate) tenants: Tenants,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) executor: Arc<dyn Executor>,
    /// The connection to other servers, if forwarding is on.
    pub(crate) peers: Option<Arc<dyn Peers>>,
    /// Where owners announce what they own, if there is a directory.
    pub(crate) directory: Option<Arc<dyn Directory>>,
    /// The id of this process.
    pub(crate) instance: Uuid,
    /// The engine, through which objects call each other.
    pub(crate) host: Weak<dyn Host>,
    /// Background work of handlers; a shutdown waits for it.
    pub(crate) background: Tasks,
    /// Closed when the server stops, which ends the relays. A semaphore without permits wakes
    /// waiting tasks in their order, a watch channel in any; the simulation needs one order.
    pub(crate) stopping: Semaphore,
    pub(crate) relays: Tasks,
    /// Relays that are delivering messages at the moment; the others wait.
    pub(crate) deliveries: Tasks,
    /// When this process looks at objects with alarms.
    pub(crate) timers: OwnTimers,
    /// The objects of which the roll-ups lack changes of this process.
    pub(crate) rollups: Arc<Rollups>,
    /// Which objects wait for each other.
    pub(crate) calls: Arc<Calls>,
    /// How many snapshots may be written at the same time.
    pub(crate) checkpoints: Places,
    /// The memory of the process.
    pub(crate) budget: Budget,
    /// How many slow snapshots may be written besides those.
    pub(crate) slow_checkpoints: Places,
    /// How many requests to former states may be answered at the same time.
    pub(crate) time_travels: Places,
    /// Held while a snapshot is compared with the records that it covers. One at a time, because it
    /// takes the memory of a whole database.
    pub(crate) verifying: Places,
    /// How many requests may be under way at the same time.
    pub(crate) requests: Places,
    /// How many objects may be restored at the same time.
    pub(crate) restores: Places,
    /// To how many receivers messages may be delivered at the same time.
    pub(crate) couriers: Places,
    /// The connections of sockets that this process has.
    pub(crate) sockets: Arc<Sockets>,
    /// The connections that something else holds for this program.
    pub(crate) held: Arc<Held>,
}

impl Runtime {
    pub(crate) fn new(
        app: App,
        settings: Settings,
        components: Components,
        host: Weak<dyn Host>,
    ) -> Self {
        let Components { buckets, clock, random, executor, peers, directory, transport, instance } =
            components;
        let app = app.with_rollups(|| Rollup);
        let tenants = Tenants::new(buckets, clock.clone(), random.clone());
        let budget = Budget::new(settings.memory_bytes_max, clock.clone());
        let requests = Places::new(settings.requests_max);
        let (process, tenant) = (settings.sockets_max, settings.sockets_per_tenant_max);
        let sockets = Arc::new(Sockets::new(Most { process, tenant }, budget.clone()));
        let held = Arc::new(Held::new(transport, budget.clone()));
        Self {
            app,
            settings,
            tenants,
            clock,
            random,
            executor,
            peers,
            directory,
            instance,
            host,
            background: Tasks::default(),
            stopping: Semaphore::new(0),
            relays: Tasks::default(),
            deliveries: Tasks::default(),
            timers: OwnTimers::default(),
            rollups: Arc::default(),
            calls: Arc::default(),
            checkpoints: Places::new(SNAPSHOTS_MAX),
            budget,
            slow_checkpoints: Places::new(SLOW_SNAPSHOTS_MAX),
            time_travels: Places::new(TIME_TRAVELS_MAX),
            verifying: Places::new(1),
            requests,
            restores: Places::new(RESTORES_MAX),
            couriers: Places::new(COURIERS_MAX),
            sockets,
            held,
        }
    }

    /// One object's log.
    ///
    /// # Errors
    ///
    /// `Invalid` when the object's keys would be longer than a store allows; those of
    /// [`Buckets::of`].
    pub(crate) fn log(&self, object: &ObjectId) -> Result<Log> {
        let object = &*self.app.names().object(object);
        let bucket = self.tenants.bucket(object.tenant())?;
        let prefix = object.prefix();
        let longest = bucket.location().len() + prefix.as_str().len() + KEY_SUFFIX_BYTES_MAX;
        if longest > KEY_BYTES_MAX {
            let text = format!(
                "the id is too long for this bucket's prefix: expected keys of at most {KEY_BYTES_MAX} bytes, got up to {longest}"
            );
            return Err(Error::invalid(text).with_code("BAD_ID"));
        }
        Ok(Log {
            bucket,
            clock: self.clock.clone(),
            executor: self.executor.clone(),
            budget: self.budget.clone(),
            object: object.clone(),
            prefix,
        })
    }

    /// A place for a request to `object`, which it has until it is answered.
    ///
    /// # Errors
    ///
    /// `Busy` when none is free in time; requests of the tenant that has the fewest come first.
    pub(crate) async fn place_of_request(&self, object: &ObjectId) -> Result<Place> {
        if let Some(place) = self.requests.try_acquire(object.tenant()) {
            return Ok(place);
        }
        let (place, timer) = (
            self.requests.acquire(object.tenant()).fuse(),
            self.clock.sleep(REQUEST_WAIT_MAX).fuse(),
        );
        futures_util::pin_mut!(place, timer);
        futures_util::select_biased! {
            place = place => Ok(place),
            () = timer => {
                metrics::counter!("dotdo_requests_refused_total").increment(1);
                let text = format!(
                    "the server answers {} requests already; nothing was done, retry later",
                    self.settings.requests_max
                );
                Err(Error::new(ErrorKind::Busy, text)
                    .with_code("TOO_MANY_REQUESTS")
                    .with_retry_after(Duration::from_secs(1)))
            }
        }
    }

    /// The monotonic time in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        millis::of(self.clock.monotonic())
    }

    /// A new random id.
    pub(crate) fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.bytes16()).into_uuid()
    }

    /// The limits of every object's database.
    pub(crate) fn database_limits(&self) -> Limits {
        let settings = &self.settings;
        Limits {
            database_bytes_max: settings.object_bytes_max.min(self.budget.one_max(Use::Objects)),
            row_bytes_max: settings.row_bytes_max,
            temporary_bytes_max: settings
                .temporary_bytes_max
                .min(settings.memory_bytes_max / TEMPORARY_SHARE),
        }
    }
}
