//! The settings of the core: plain values with unit, default, cost and trade-off. Components (clock,
//! store) are not settings.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits::{LEASE_MIN, RECORD_BYTES_MAX, RETENTION_MIN, TEMPORARY_BYTES_MIN};

/// The settings of the core. The defaults suit a server with a few gigabytes and a store that
/// responds in tens of milliseconds.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::time::Duration;
///
/// use dotdo::engine::{RETENTION_MIN, Settings};
///
/// let settings = Settings { memory_bytes_max: 8 << 30, ..Settings::default() };
/// assert!(settings.check().is_ok());
/// let retention = RETENTION_MIN - Duration::from_secs(1);
/// let error = Settings { retention, ..settings }.check().unwrap_err();
/// assert_eq!(error.message(), "the setting retention: expected at least 3600 s");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// When snapshots are written.
    pub checkpoint: Checkpoint,
    /// How this process owns the objects that it serves.
    pub ownership: Ownership,
    /// How long an owner may answer from memory after its last append. A longer time means fewer
    /// renewals and a longer wait after a crash.
    pub lease_duration: Duration,
    /// Maximum time of a commit to get a definite result from the store; after it, the outcome is
    /// unknown.
    pub commit_deadline: Duration,
    /// Maximum time of a handler, from its turn to its response.
    pub handler_time_max: Duration,
    /// Maximum time that a request waits for its turn.
    pub turn_wait_max: Duration,
    /// How long snapshots and the records that they cover are kept. At least
    /// [`crate::limits::RETENTION_MIN`]; a longer time reaches further back and costs more storage.
    pub retention: Duration,
    /// How long the response to a request with an idempotency key is kept. With a longer time,
    /// clients can retry for longer, and objects are larger.
    pub idempotency_keep: Duration,
    /// Interval of the search for objects with undelivered messages whose server has gone. Each
    /// search is a listing.
    pub outbox_scan: Duration,
    /// Interval of the search for objects with alarms whose server has gone. Each search is a
    /// listing; zero: nobody searches, because no class sets alarms.
    pub alarm_scan: Duration,
    /// Maximum number of requests that are answered at the same time. Further ones wait briefly, and
    /// those of the tenant that has the fewest come first.
    pub requests_max: usize,
    /// Maximum number of open sockets (WebSockets and event streams).
    pub sockets_max: usize,
    /// Maximum number of open sockets of one tenant's objects.
    pub sockets_per_tenant_max: usize,
    /// Maximum time of a socket, after which its client connects again and is verified again.
    pub socket_time_max: Duration,
    /// Maximum number of objects in memory.
    pub objects_max: usize,
    /// Memory budget for objects, requests, restores and snapshots together, in bytes. Work
    /// reserves memory before it starts; if there is not enough, it waits briefly and is then
    /// refused. With more, more and larger objects fit.
    pub memory_bytes_max: u64,
    /// Maximum size of an object's database, in bytes.
    pub object_bytes_max: u64,
    /// Maximum size of a value or a row, in bytes.
    pub row_bytes_max: u32,
    /// Maximum memory of SQL besides the database within a transaction, in bytes: for sorting,
    /// grouping, intermediate results, and rollback. It is capped at an eighth of
    /// `memory_bytes_max`. With more, larger sorts and changes are possible, and each object may
    /// use as much at the same time.
    pub temporary_bytes_max: u64,
    /// What this process does without a request.
    pub upkeep: Upkeep,
    /// The URL under which other servers reach this one; a hint in the bucket.
    pub address: Option<String>,
}

/// How a process owns the objects that it serves. Both kinds may serve the same bucket at the same
/// time.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// # use dotdo_core::testing::examples::{app, components};
/// use dotdo::engine::{Engine, Ownership, Settings, Tenant};
///
/// let settings = Settings { ownership: Ownership::PerRequest, ..Settings::default() };
/// let engine = Engine::start(app(), settings, components()).await?;
/// let object = Tenant::local().object("Shop", "north")?;
/// engine.fetch(&object, None, dotdo::Request::new("tea".into())).await?;
/// let owner = engine.inspection().describe(&object, None).await?.owner;
/// assert_eq!(owner.lease_ms, 0, "the next request may be another process's");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// By a lease: reads come from memory, and other processes stay away while it holds. For
    /// servers.
    Leased,
    /// For one request at a time: every response is proven current by the log. For functions, which
    /// are frozen between requests.
    PerRequest,
}

/// What a process does without a request.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// # use dotdo_core::testing::examples::components;
/// use dotdo::App;
/// use dotdo::engine::{Engine, Settings, Tenant, Upkeep};
///
/// // A tool that looks into a bucket, and knows no class.
/// let settings = Settings { upkeep: Upkeep::OnDemand, ..Settings::default() };
/// let engine = Engine::start(App::new(), settings, components()).await?;
/// let classes = engine.inspection().classes(&Tenant::local()).await?;
/// assert!(classes.is_empty(), "the bucket is new");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// It delivers messages, looks for those that nobody delivers, and writes snapshots.
    Full,
    /// None of that. For a process that only looks after objects and may lack their classes.
    OnDemand,
}

/// When snapshots are written, besides an object's first commit, eviction, shutdown and a log that
/// has become long.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::time::Duration;
///
/// use dotdo::engine::{Checkpoint, Settings};
///
/// // Fewer snapshots: they cost fewer requests to the store, and a cold start replays more records.
/// let interval = Duration::from_secs(600);
/// let checkpoint = Checkpoint { interval, min_changes: 100, ..Checkpoint::default() };
/// let settings = Settings { checkpoint, ..Settings::default() };
/// assert!(settings.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Whether a response waits for a snapshot.
    pub mode: CheckpointMode,
    /// Minimum time between two snapshots of an object. Default 60 s.
    pub interval: Duration,
    /// Minimum number of changed rows since the last snapshot. Default 10.
    pub min_changes: u64,
    /// Size of the records since the last snapshot that makes one due before the interval has
    /// passed. Default 4 MiB.
    pub log_bytes: u64,
    /// Number of records since the last snapshot that makes one due before the interval has passed;
    /// a cold start fetches each of them. Default 500.
    pub log_records: u64,
}

/// Whether a response waits for a snapshot.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// # use dotdo_core::testing::examples::{app, components};
/// use dotdo::engine::{Checkpoint, CheckpointMode, Engine, Settings, Tenant};
///
/// let checkpoint =
///     Checkpoint { mode: CheckpointMode::EveryRequest, ..Checkpoint::default() };
/// let settings = Settings { checkpoint, ..Settings::default() };
/// let engine = Engine::start(app(), settings, components()).await?;
/// let object = Tenant::local().object("Shop", "north")?;
/// engine.fetch(&object, None, dotdo::Request::new("tea".into())).await?;
/// let tables = engine.inspection().iceberg_tables(&object).await?;
/// assert!(tables.are_newest, "analytics see the order at once");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointMode {
    /// Snapshots are written in the background.
    Auto,
    /// Every response that changed something waits for a snapshot, whose files are uploaded while
    /// the record is written.
    EveryRequest,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self {
            mode: CheckpointMode::Auto,
            interval: Duration::from_secs(60),
            min_changes: 10,
            log_bytes: 4 << 20,
            log_records: 500,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            checkpoint: Checkpoint::default(),
            ownership: Ownership::Leased,
            lease_duration: Duration::from_secs(10),
            commit_deadline: Duration::from_secs(10),
            handler_time_max: Duration::from_secs(30),
            turn_wait_max: Duration::from_secs(30),
            retention: Duration::from_secs(3 * 24 * 3600),
            idempotency_keep: Duration::from_secs(24 * 3600),
            outbox_scan: Duration::from_secs(30),
            alarm_scan: Duration::from_secs(30),
            requests_max: 20_000,
            sockets_max: 32_768,
            sockets_per_tenant_max: 16_384,
            socket_time_max: Duration::from_secs(24 * 3600),
            objects_max: 10_000,
            memory_bytes_max: 2 << 30,
            object_bytes_max: 512 << 20,
            row_bytes_max: 16 << 20,
            temporary_bytes_max: 128 << 20,
            upkeep: Upkeep::Full,
            address: None,
        }
    }
}

impl Settings {
    /// Checks that the settings are consistent.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the setting and what is expected.
    pub fn check(&self) -> Result<()> {
        let rules = [
            (
                self.retention >= RETENTION_MIN,
                "retention",
                format!("at least {} s", RETENTION_MIN.as_secs()),
            ),
            (
                self.lease_duration >= LEASE_MIN,
                "lease_duration",
                format!("at least {} ms", LEASE_MIN.as_millis()),
            ),
            (!self.commit_deadline.is_zero(), "commit_deadline", "more than 0".to_owned()),
            (!self.handler_time_max.is_zero(), "handler_time_max", "more than 0".to_owned()),
            (!self.idempotency_keep.is_zero(), "idempotency_keep", "more than 0".to_owned()),
            (!self.outbox_scan.is_zero(), "outbox_scan", "more than 0".to_owned()),
            (self.requests_max > 0, "requests_max", "more than 0".to_owned()),
            (self.objects_max > 0, "objects_max", "more than 0".to_owned()),
            (
                u64::from(self.row_bytes_max) <= self.object_bytes_max,
                "row_bytes_max",
                "at most object_bytes_max".to_owned(),
            ),
            (
                self.temporary_bytes_max >= TEMPORARY_BYTES_MIN,
                "temporary_bytes_max",
                format!("at least {TEMPORARY_BYTES_MIN} bytes"),
            ),
            (
                self.object_bytes_max <= RECORD_BYTES_MAX as u64,
                "object_bytes_max",
                format!("at most {RECORD_BYTES_MAX} bytes"),
            ),
        ];
        match rules.iter().find(|(holds, ..)| !holds) {
            None => Ok(()),
            Some((_, name, accepted)) => {
                Err(Error::invalid(format!("the setting {name}: expected {accepted}")))
            }
        }
    }
}
