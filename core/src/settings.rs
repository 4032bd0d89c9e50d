//! The settings of the core: plain values with unit, default, cost and trade-off. Components (clock,
//! store) are not settings.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits::{LEASE_MIN, RECORD_BYTES_MAX, RETENTION_MIN, TEMPORARY_BYTES_MIN};

/// Everything that can be tuned. The default suits a server that has a few gigabytes and a store
/// that answers in tens of milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// When snapshots are written.
    pub checkpoint: Checkpoint,
    /// How this process owns the objects that it serves.
    pub ownership: Ownership,
    /// How long an owner may answer from memory after its last append. Longer: fewer heartbeats and
    /// a longer wait after a crash.
    pub lease_duration: Duration,
    /// How long a commit may try to get a certain answer from the store before its requests are
    /// told that the outcome is unknown.
    pub commit_deadline: Duration,
    /// How long a handler may run, from its turn to its response.
    pub handler_time_max: Duration,
    /// How long a request may wait for its object's turn before it is told to come again.
    pub turn_wait_max: Duration,
    /// How long snapshots and the records that they cover are kept. At least
    /// [`crate::limits::RETENTION_MIN`]; longer reaches further back in time and costs storage.
    pub retention: Duration,
    /// How long the answer to a request with an idempotency key is kept. Longer: clients may send
    /// it again for longer, and the objects are larger.
    pub idempotency_keep: Duration,
    /// How often to look for objects whose messages nobody delivers, because the server that had
    /// them has gone. Each look is a listing.
    pub outbox_scan: Duration,
    /// How many objects may stay in memory.
    pub objects_max: usize,
    /// How many bytes of memory objects, requests, restores and snapshots may take together. It is
    /// taken before the work; what does not fit waits a little and is then refused. More: more
    /// objects stay in memory, and larger ones fit.
    pub memory_bytes_max: u64,
    /// How many bytes one object's database may have.
    pub object_bytes_max: u64,
    /// How many bytes one value or one row may have.
    pub row_bytes_max: u32,
    /// How many bytes of memory SQL may take besides the database within one transaction: for
    /// sorting and grouping, for intermediate results, and for what a rollback needs. At most an
    /// eighth of `memory_bytes_max` counts. More: larger sorts, larger changes at once, and as much
    /// memory for each object that does so at the same time.
    pub temporary_bytes_max: u64,
    /// Where other servers reach this one; a hint in the bucket.
    pub address: Option<String>,
}

/// How a process owns the objects that it serves. Both kinds may serve the same bucket at the same
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// By a lease: reads come from memory, and other processes stay away while it holds. For
    /// servers.
    Leased,
    /// For one request at a time: every response is proven current by the log. For functions, which
    /// are frozen between requests.
    PerRequest,
}

/// When snapshots are written, besides an object's first commit, eviction, shutdown and a log that
/// has become long.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Whether a response waits for a snapshot.
    pub mode: CheckpointMode,
    /// The least time between two snapshots of an object. Default 60 s.
    pub interval: Duration,
    /// How many changed rows must have come together since the last one. Default 10.
    pub min_changes: u64,
    /// A snapshot is due, whatever the interval, when the records since the last one have this many
    /// bytes. Default 4 MiB.
    pub log_bytes: u64,
    /// Likewise in records: a cold start fetches each of them. Default 500.
    pub log_records: u64,
}

/// Whether a response waits for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointMode {
    /// Snapshots are written behind the responses.
    Auto,
    /// Every response that changed something waits for a snapshot, whose uploads run beside the
    /// record's.
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
            objects_max: 10_000,
            memory_bytes_max: 2 << 30,
            object_bytes_max: 512 << 20,
            row_bytes_max: 16 << 20,
            temporary_bytes_max: 128 << 20,
            address: None,
        }
    }
}

impl Settings {
    /// Whether the settings can work together.
    ///
    /// # Errors
    ///
    /// `Invalid`, naming the setting, what it is and what it must be.
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
