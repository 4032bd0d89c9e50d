//! Reading the log: the newest keys, and the records themselves as an unbroken chain.

use std::ops::RangeInclusive;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::{Error, Result};
use crate::executor::offload_bytes;
use crate::limits::RESTORE_CONCURRENCY;
use crate::log::Log;
use crate::log::head::Head;
use crate::log::record::{Hash, Record};
use crate::store::{Bucket as _, Key, Stored};

/// Number of keys in one page of a listing on S3.
const PAGE: usize = 1000;

/// The head of the log according to a listing.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The newest record's sequence number; 0 when the log is empty.
    pub(crate) head: u64,
    /// When the store says that the newest record was written.
    pub(crate) head_modified_ms: i64,
    /// The lowest sequence number down to which no record is missing, looking from the head.
    pub(crate) unbroken_from: u64,
}

/// A record that was found in its slot.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) hash: Hash,
    /// Size of the record in the bucket.
    pub(crate) bytes: u64,
    /// When it was written, by the store's clock.
    pub(crate) modified_ms: i64,
}

impl Found {
    /// The record as the newest of the log.
    pub(crate) fn head(&self) -> Head {
        Head::of(&self.record, self.hash)
    }
}

/// Lists the newest records, at least down to `down_to` if they are there.
///
/// # Errors
///
/// `Unavailable` when the store does not respond, `Corrupt` for a foreign key in the log.
pub(crate) async fn list_newest(log: &Log, down_to: u64) -> Result<Listing> {
    let mut listing = Listing { head: 0, head_modified_ms: 0, unbroken_from: 1 };
    let mut after = None;
    loop {
        let page = log.bucket.list(&log.folder(), after.as_ref(), PAGE).await?;
        for entry in page.iter().filter(|entry| !is_of_the_system(&entry.key)) {
            let Some(sequence) = log.sequence_of(&entry.key) else {
                return Err(Error::corrupt(&entry.key, "expected the key of a log record"));
            };
            if listing.head == 0 {
                listing = Listing {
                    head: sequence,
                    head_modified_ms: entry.modified_ms,
                    unbroken_from: sequence,
                };
            } else if sequence + 1 == listing.unbroken_from {
                listing.unbroken_from = sequence;
            } else {
                return Ok(listing);
            }
        }
        if page.len() < PAGE || listing.unbroken_from <= down_to {
            return Ok(listing);
        }
        after = page.last().map(|entry| entry.key.clone());
    }
}

/// Whether a file was created by an operating system, such as `.DS_Store`: no record's name starts
/// with a dot.
fn is_of_the_system(key: &Key) -> bool {
    key.as_str().rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// Fetches the records with these sequence numbers, and checks that they are a chain. The first must
/// follow `previous` if that is given.
///
/// # Errors
///
/// `Corrupt`, naming the key, for a record that is missing, damaged, another object's, in the wrong
/// slot or not on top of the one before.
pub(crate) async fn fetch(
    log: &Log,
    sequences: RangeInclusive<u64>,
    previous: Option<Hash>,
) -> Result<Vec<Found>> {
    let records: Vec<Found> = stream::iter(sequences)
        .map(|sequence| fetch_one(log, sequence))
        .buffered(RESTORE_CONCURRENCY)
        .try_collect()
        .await?;
    let mut before = previous;
    for Found { record, hash, .. } in &records {
        if before.is_some_and(|before| before != record.previous) {
            return Err(Error::corrupt(
                log.key(record.sequence),
                "expected a record that continues the previous one",
            ));
        }
        before = Some(*hash);
    }
    Ok(records)
}

/// Fetches one record and checks that it is the right one.
async fn fetch_one(log: &Log, sequence: u64) -> Result<Found> {
    let key = log.key(sequence);
    let Some(stored) = log.bucket.get(&key).await? else {
        return Err(Error::corrupt(&key, "expected a log record, found nothing"));
    };
    decode(log, sequence, &stored)
}

/// Decodes the record that was found in the slot `sequence`.
pub(super) fn decode(log: &Log, sequence: u64, stored: &Stored) -> Result<Found> {
    let (key, bytes) = (log.key(sequence), &stored.bytes);
    let work = bytes.len().max(Record::plain_bytes(bytes));
    let (record, hash) = offload_bytes(log.executor.as_ref(), work, || {
        Record::decode(&key, bytes, log.object.tenant())
    })?;
    if record.object != log.object || record.sequence != sequence {
        let text = format!(
            "expected record {sequence} of {}, got record {} of {}",
            log.object, record.sequence, record.object
        );
        return Err(Error::corrupt(&key, text));
    }
    Ok(Found { record, hash, bytes: bytes.len() as u64, modified_ms: stored.modified_ms })
}
