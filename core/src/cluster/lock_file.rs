//! The file `lock`, which names the holder of an object and its address. It is a hint for other
//! servers and for people; nothing relies on it for safety.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::activation::Runtime;
use crate::clock::{Clock, Instant};
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::lease::Claim;
use crate::limits::{HINT_BYTES_MAX, SEQUENCE_MAX};
use crate::log::{Head, Listing, Log};
use crate::millis;
use crate::store::{Bucket as _, Key};
use crate::sync::Mutex;
use crate::tenants::TenantBucket;

/// Minimum time between two writes of the hint: some stores allow one write a second to a key.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The version of the stored form.
const FORMAT: u32 = 1;

/// The last write of this process.
#[derive(Debug, Default)]
pub(crate) struct LastWritten(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    epoch: u64,
    at: Option<Instant>,
}

impl LastWritten {
    /// Whether the hint must be written because `head` is the first record of a new owner. The
    /// caller writes it then.
    pub(crate) fn is_due(&self, head: Head, clock: &dyn Clock) -> bool {
        let mut last = self.0.lock();
        let recent = last.at.is_some_and(|at| at.elapsed_at_least(clock) < PAUSE_MIN);
        if last.epoch == head.epoch || recent {
            return false;
        }
        *last = Last { epoch: head.epoch, at: Some(Instant::now(clock)) };
        true
    }
}

/// The stored form, format version 1.
#[derive(Serialize, Deserialize)]
struct LockFile {
    format: u32,
    class: String,
    id: String,
    holder: Option<Uuid>,
    address: Option<String>,
    epoch: u64,
    sequence: u64,
    lease_ms: u64,
    written_at: String,
}

/// Writes the hint now. `released`: nobody holds the object any more.
pub(crate) async fn write_lock_file(runtime: &Runtime, log: &Log, head: Head, released: bool) {
    let written_at = millis::text(runtime.clock.wall_ms());
    let file = LockFile {
        format: FORMAT,
        class: log.object.class().to_owned(),
        id: log.object.id().to_owned(),
        holder: (!released).then_some(runtime.instance),
        address: runtime.settings.address.clone().filter(|_| !released),
        epoch: head.epoch,
        sequence: head.sequence,
        lease_ms: if released { 0 } else { millis::of(runtime.settings.lease_duration) },
        written_at,
    };
    let Ok(bytes) = serde_json::to_vec(&file) else { return };
    if let Err(error) = log.bucket.put(&log.prefix.join("lock"), bytes.into()).await {
        tracing::debug!(object = %log.object, %error, "cannot write the hint `lock`");
    }
}

/// The object that the hint below `prefix` names; it may name any of the tenant.
pub(crate) async fn object_in_lock_file(bucket: &TenantBucket, prefix: &Key) -> Option<ObjectId> {
    let stored = bucket.get_within(&prefix.join("lock"), HINT_BYTES_MAX).await.ok()??;
    let file: LockFile = serde_json::from_slice(&stored.bytes).ok()?;
    bucket.tenant().object(&file.class, &file.id).ok()
}

/// The size of the hint of an object, if it is one of that object; `None` when there is none.
///
/// # Errors
///
/// `Corrupt` when it is damaged or another object's; those of the store.
pub(crate) async fn check_lock_file(log: &Log) -> Result<Option<u64>> {
    let key = log.prefix.join("lock");
    let Some(stored) = log.bucket.get_within(&key, HINT_BYTES_MAX).await? else {
        return Ok(None);
    };
    let file: Option<LockFile> = serde_json::from_slice(&stored.bytes).ok();
    let fits = |file: &LockFile| {
        file.format == FORMAT
            && file.class == log.object.class()
            && file.id == log.object.id()
            && file.epoch.max(file.sequence) <= SEQUENCE_MAX
    };
    if file.is_some_and(|file| fits(&file)) {
        return Ok(Some(stored.bytes.len() as u64));
    }
    Err(Error::corrupt(&key, "expected the hint of this object's owner, found something else"))
}

/// A hint that was read.
pub(crate) struct Hint {
    holder: Uuid,
    address: String,
    lease: Duration,
    epoch: u64,
    sequence: u64,
}

/// Reads the hint. `None` when it is missing, can't be read, or names no address.
pub(crate) async fn read_lock_file(log: &Log) -> Option<Hint> {
    let stored = log.bucket.get_within(&log.prefix.join("lock"), HINT_BYTES_MAX).await.ok()??;
    Hint::decode(&stored.bytes, &log.object)
}

impl Hint {
    /// Decodes a `lock` of `object`; `None` for anything else, and when it names no holder or
    /// address.
    pub(crate) fn decode(bytes: &[u8], object: &ObjectId) -> Option<Self> {
        let file: LockFile = serde_json::from_slice(bytes).ok()?;
        let fits = file.format == FORMAT
            && file.class == object.class()
            && file.id == object.id()
            && file.epoch.max(file.sequence) <= SEQUENCE_MAX;
        let LockFile { holder, address, epoch, sequence, lease_ms, .. } = file;
        Some(Self {
            holder: holder.filter(|_| fits)?,
            address: address?,
            lease: Duration::from_millis(lease_ms),
            epoch,
            sequence,
        })
    }

    /// The claim of the newest record of `listing`, if the holder wrote it. `None` when the hint
    /// names a record that does not exist.
    pub(crate) fn claim(self, listing: &Listing, observed: Instant) -> Option<Claim> {
        let Self { holder, address, lease, epoch, sequence } = self;
        let modified_ms = listing.head_modified_ms;
        let claim = Claim {
            epoch,
            sequence: listing.head,
            holder,
            address: Some(address),
            duration: lease,
            modified_ms,
            observed,
            over: false,
        };
        (sequence <= listing.head).then_some(claim)
    }
}
