//! The log: numbered records, each created once by the first writer. It is the source of truth.
//!
//! Promises: [`read`] returns an unbroken chain of records exactly as they were written; a record
//! that [`append`] reports as won is in the bucket, and no other is. Must not know: databases,
//! Iceberg, requests.

mod append;
mod codec;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod head;
mod proof;
mod read;
mod record;
mod retain;
mod stretch;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use append::{Appended, append};
pub(crate) use head::Head;
pub(crate) use proof::{Next, Proof, next};
pub(crate) use read::{Found, Listing, fetch, list_newest, newest_key, object_of};
#[cfg(test)]
pub(crate) use record::set_record_bytes_max;
pub(crate) use record::{Encoded, Hash, Record, Start, check_size};
pub(crate) use retain::delete_covered;
pub(crate) use stretch::{Stretch, stretch};

use crate::budget::{Budget, Charge, Use};
use crate::change::Changes;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::executor::{Executor, offload_bytes};
use crate::id::ObjectId;
use crate::limits::{ACTIVATION_BYTES, SEQUENCE_MAX};
use crate::snapshot::Source;
use crate::store::Key;
use crate::tenants::TenantBucket;

/// One object's log in a bucket.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) bucket: Arc<TenantBucket>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The executor that encodes and decodes long records.
    pub(crate) executor: Arc<dyn Executor>,
    /// The memory of the process, from which what is read is paid.
    pub(crate) budget: Budget,
    pub(crate) object: ObjectId,
    /// The prefix of all keys of the object.
    pub(crate) prefix: Key,
}

impl Log {
    /// Encodes `record`.
    ///
    /// # Errors
    ///
    /// `TooLarge` when it is too large for a record.
    pub(crate) fn encode(&self, record: &Record) -> Result<Encoded> {
        let bytes = record.transactions.iter().map(Changes::bytes).sum();
        offload_bytes(self.executor.as_ref(), bytes, || record.encode())
    }

    /// Memory for records that are read on behalf of the object. It has something already, so it
    /// never waits for others that have some.
    pub(crate) fn room(&self) -> Charge {
        self.budget.count(Use::Objects, &self.object, ACTIVATION_BYTES)
    }

    /// The object's snapshots.
    pub(crate) fn snapshots(&self) -> Source<'_> {
        Source {
            bucket: self.bucket.as_ref(),
            executor: self.executor.as_ref(),
            budget: &self.budget,
            prefix: &self.prefix,
            object: &self.object,
        }
    }

    /// The folder of the records.
    pub(crate) fn folder(&self) -> Key {
        self.prefix.join("log")
    }

    /// The key of the record `sequence`: the complement first, so that the newest key sorts first.
    pub(crate) fn key(&self, sequence: u64) -> Key {
        key_of(&self.folder(), sequence)
    }

    /// The sequence number of a record's key; `None` for anything that is not one.
    pub(crate) fn sequence_of(&self, key: &Key) -> Option<u64> {
        sequence_of(&self.folder(), key)
    }
}

/// Changes as records have them.
pub(crate) fn encode_changes(changes: &Changes) -> Vec<u8> {
    codec::encode_changes(changes)
}

/// The inverse of [`encode_changes`].
///
/// # Errors
///
/// `Invalid` for other bytes.
pub(crate) fn decode_changes(bytes: &[u8]) -> Result<Changes> {
    let not = |cause| Error::invalid(format!("expected changes as records have them: {cause}"));
    codec::decode_changes(bytes).map_err(not)
}

fn key_of(folder: &Key, sequence: u64) -> Key {
    folder.join(format_args!("{:016x}-{sequence}", u64::MAX - sequence))
}

fn sequence_of(folder: &Key, key: &Key) -> Option<u64> {
    let (_, name) = key.as_str().rsplit_once('/')?;
    let sequence = name.split_once('-')?.1.parse().ok()?;
    (sequence <= SEQUENCE_MAX && key_of(folder, sequence) == *key).then_some(sequence)
}
