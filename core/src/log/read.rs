//! Reading the log: the newest keys, and the records themselves as an unbroken chain.

use std::ops::RangeInclusive;
use std::pin::pin;

use futures_util::{StreamExt, stream};

use crate::budget::Charge;
use crate::error::{Error, Result};
use crate::executor::offload_bytes;
use crate::id::ObjectId;
use crate::limits::{
    LOOKED_AT_BYTES_MAX, RECORD_BYTES_MAX, RECORD_STORED_BYTES_MAX, RESTORE_CONCURRENCY,
    SMALL_BYTES,
};
use crate::log::Log;
use crate::log::head::Head;
use crate::log::record::{Hash, Opened, Record};
use crate::store::{Bucket, Key, StoreError, Stored};
use crate::tenants::TenantBucket;

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

/// The newest record of the log in `folder`, by its key, and when it was written by the store's clock;
/// `None` when there is no record.
///
/// # Errors
///
/// `Unavailable` when the store does not respond.
pub(crate) async fn newest_key(bucket: &dyn Bucket, folder: &Key) -> Result<Option<(u64, i64)>> {
    // Files of an operating system come first, and they are few.
    for limit in [1, PAGE] {
        let page = bucket.list(folder, None, limit).await?;
        let newest = page
            .iter()
            .find_map(|entry| Some((super::sequence_of(folder, &entry.key)?, entry.modified_ms)));
        if newest.is_some() || page.len() < limit {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// The object that the record `sequence` in `folder` names, and whether it was deleted with it;
/// `None` when the record is gone.
///
/// # Errors
///
/// `Corrupt`, naming the key, for a record that is damaged or larger than
/// [`LOOKED_AT_BYTES_MAX`]; `Unavailable` when the store does not respond.
pub(crate) async fn object_of(
    bucket: &TenantBucket,
    folder: &Key,
    sequence: u64,
) -> Result<Option<(ObjectId, bool)>> {
    let key = super::key_of(folder, sequence);
    let Some(stored) = bucket.get_within(&key, LOOKED_AT_BYTES_MAX).await? else {
        return Ok(None);
    };
    if Record::plain_bytes(&stored.bytes) > LOOKED_AT_BYTES_MAX {
        return Err(Error::corrupt(&key, "expected a smaller log record to read its object's id"));
    }
    let (record, _) = Opened::open(&key, &stored.bytes)?.decode(&key, bucket.tenant())?;
    Ok(Some((record.object, record.deleted)))
}

/// Whether a file was created by an operating system, such as `.DS_Store`: no record's name starts
/// with a dot.
fn is_of_the_system(key: &Key) -> bool {
    key.as_str().rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// Fetches the records with these sequence numbers, and checks that they are a chain. The first must
/// follow `previous` if that is given. Their memory is charged to `room` before it is allocated.
///
/// # Errors
///
/// `Corrupt`, naming the key, for a record that is missing, damaged, another object's, in the wrong
/// slot or not on top of the one before; `Busy` or `Full` when there is no memory for it.
pub(crate) async fn fetch(
    log: &Log,
    sequences: RangeInclusive<u64>,
    previous: Option<Hash>,
    room: &mut Charge,
) -> Result<Vec<Found>> {
    let looks = stream::iter(sequences)
        .map(|sequence| async move { (sequence, look(log, sequence).await) });
    let mut looks = pin!(looks.buffered(RESTORE_CONCURRENCY));
    let (mut records, mut before) = (Vec::new(), previous);
    while let Some((sequence, looked)) = looks.next().await {
        let key = log.key(sequence);
        let slot =
            looked?.ok_or_else(|| Error::corrupt(&key, "expected a log record, found nothing"))?;
        let stored = take(log, sequence, slot, room).await?;
        let found = read(log, sequence, &stored, room).await?;
        let Found { record, hash, .. } = &found;
        if before.is_some_and(|before| before != record.previous) {
            return Err(Error::corrupt(&key, "expected a record that continues the previous one"));
        }
        before = Some(*hash);
        records.push(found);
    }
    Ok(records)
}

/// The record in the slot `sequence`, and when it was written; `None` when the slot is empty.
///
/// # Errors
///
/// Those of [`fetch`].
pub(super) async fn fetch_one(
    log: &Log,
    sequence: u64,
    room: &mut Charge,
) -> Result<Option<Found>> {
    let Some(slot) = look(log, sequence).await? else { return Ok(None) };
    let stored = take(log, sequence, slot, room).await?;
    read(log, sequence, &stored, room).await.map(Some)
}

/// What a slot has.
enum Slot {
    /// A record that is so small that it was read.
    Read(Stored),
    /// One of so many bytes.
    Large(u64),
}

/// Looks into a slot. What is larger than an ordinary record is not read before it is paid.
async fn look(log: &Log, sequence: u64) -> Result<Option<Slot>> {
    match log.bucket.get_within(&log.key(sequence), SMALL_BYTES).await {
        Ok(found) => Ok(found.map(Slot::Read)),
        Err(StoreError::TooLarge { bytes, .. }) if bytes <= RECORD_STORED_BYTES_MAX => {
            Ok(Some(Slot::Large(bytes)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The bytes of what was found in the slot `sequence`.
async fn take(log: &Log, sequence: u64, slot: Slot, room: &mut Charge) -> Result<Stored> {
    let bytes = match slot {
        Slot::Read(stored) => return Ok(stored),
        Slot::Large(bytes) => bytes,
    };
    room.grow(bytes).await?;
    let key = log.key(sequence);
    let stored = log.bucket.get_within(&key, bytes).await?;
    stored.ok_or_else(|| Error::corrupt(&key, "expected a log record, found nothing"))
}

/// The record in `stored`, which was found in the slot `sequence`. What it takes stays charged to
/// `room`, and what reading it took besides does not.
async fn read(log: &Log, sequence: u64, stored: &Stored, room: &mut Charge) -> Result<Found> {
    let (key, bytes, tenant) = (log.key(sequence), &stored.bytes, log.object.tenant());
    let before = room.bytes();
    let plain = Record::plain_bytes(bytes).min(RECORD_BYTES_MAX as u64);
    if plain > SMALL_BYTES {
        room.grow(plain).await?;
    }
    let work = bytes.len().max(usize::try_from(plain).unwrap_or(usize::MAX));
    let opened = offload_bytes(log.executor.as_ref(), work, || Opened::open(&key, bytes))?;
    let (size, weight) = (opened.bytes(), opened.weight());
    room.grow(weight).await?;
    let (record, hash) =
        offload_bytes(log.executor.as_ref(), size, || opened.decode(&key, tenant))?;
    let stored_bytes = if bytes.len() as u64 > SMALL_BYTES { bytes.len() as u64 } else { 0 };
    room.set((before + weight).saturating_sub(stored_bytes));
    if record.object != log.object || record.sequence != sequence {
        let text = format!(
            "expected record {sequence} of {}, got record {} of {}",
            log.object, record.sequence, record.object
        );
        return Err(Error::corrupt(&key, text));
    }
    Ok(Found { record, hash, bytes: bytes.len() as u64, modified_ms: stored.modified_ms })
}
