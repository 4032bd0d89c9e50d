//! The body of a record as CBOR (RFC 8949).
//!
//! Maps have small integers as field numbers; a reader skips numbers that it does not know, and a
//! writer never gives an old number a new meaning. docs/FORMAT.md lists them all.

mod changes;

use std::convert::Infallible;

use bytes::Bytes;
use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use uuid::Uuid;

use self::changes::{Out, Written, changes_in, changes_out, each_field, expect_len, list_in};
use crate::change::Changes;
use crate::id::Tenant;
use crate::limits::SEQUENCE_MAX;
use crate::log::record::{Hash, Record, Start};
use crate::snapshot::SnapshotRef;

/// Encodes the body of a record.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record_out(&mut Encoder::new(&mut bytes), record).expect("writing to a vector can't fail");
    bytes
}

/// Encodes changes, as records have them.
pub(super) fn encode_changes(changes: &Changes) -> Vec<u8> {
    let mut bytes = Vec::new();
    changes_out(&mut Encoder::new(&mut bytes), changes).expect("writing to a vector can't fail");
    bytes
}

/// Decodes changes.
pub(super) fn decode_changes(bytes: &[u8]) -> Result<Changes, Error> {
    let mut decoder = Decoder::new(bytes);
    let changes = changes_in(&mut decoder)?;
    if decoder.position() != bytes.len() {
        return Err(Error::message("expected the end, got more bytes"));
    }
    Ok(changes)
}

/// Size of the body of a record with `changes`, in bytes.
pub(super) fn changes_bytes(changes: &Changes) -> usize {
    let mut count = Count(0);
    changes_out(&mut Encoder::new(&mut count), changes).expect("counting can't fail");
    count.0
}

/// A writer that counts bytes.
struct Count(usize);

impl Write for Count {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// A bound of the memory that the record in these bytes takes, in bytes. Bytes that are no CBOR have
/// some number as well.
pub(super) fn weight(bytes: &[u8]) -> u64 {
    // A value in a list that doubles as it grows, and the header of an allocation.
    const ITEM_BYTES: u64 = 80;
    let (mut items, mut at) = (0_u64, 0_usize);
    while let Some(first) = bytes.get(at) {
        items += 1;
        let follow = match first & 0x1f {
            info @ 24..=27 => 1 << (info - 24),
            _ => 0,
        };
        let argument = bytes.get(at + 1..at + 1 + follow).unwrap_or_default();
        at += 1 + follow;
        if matches!(first >> 5, 2 | 3) {
            let number = argument.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
            let length = if follow == 0 { u64::from(first & 0x1f) } else { number };
            at = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        }
    }
    items * ITEM_BYTES + bytes.len() as u64
}

/// Decodes the body of a record of an object of `tenant`.
pub(super) fn decode(bytes: &[u8], tenant: &Tenant) -> Result<Record, Error> {
    let mut decoder = Decoder::new(bytes);
    let record = record_in(&mut decoder, tenant)?;
    if decoder.position() != bytes.len() {
        return Err(Error::message("expected the end, got more bytes"));
    }
    Ok(record)
}

fn record_out<W: Write>(out: &mut Out<'_, W>, record: &Record) -> Written<W> {
    out.begin_map()?;
    out.u8(0)?.str(record.object.class())?;
    out.u8(1)?.str(record.object.id())?;
    out.u8(2)?.u64(record.sequence)?;
    out.u8(3)?.u64(record.epoch)?;
    out.u8(4)?.bytes(record.writer.as_bytes())?;
    out.u8(5)?.bytes(record.nonce.as_bytes())?;
    out.u8(6)?.bytes(&record.previous.0)?;
    out.u8(7)?.i64(record.time_ms)?;
    out.u8(8)?.u64(record.lease_ms)?;
    if let Some(address) = &record.address {
        out.u8(9)?.str(address)?;
    }
    if let Some(snapshot) = &record.snapshot {
        out.u8(10)?.array(2)?.u64(snapshot.sequence)?.bytes(snapshot.uuid.as_bytes())?;
    }
    out.u8(11)?.array(record.transactions.len() as u64)?;
    for changes in &record.transactions {
        changes_out(out, changes)?;
    }
    match &record.start {
        None => {}
        Some(Start::Nothing) => _ = out.u8(12)?.null()?,
        Some(Start::Snapshot(description)) => _ = out.u8(12)?.bytes(description)?,
    }
    if record.deleted {
        out.u8(13)?.bool(true)?;
    }
    out.end()?;
    Ok(())
}

/// The fields of a record during decoding.
#[derive(Default)]
struct Fields {
    class: Option<String>,
    id: Option<String>,
    sequence: Option<u64>,
    epoch: Option<u64>,
    writer: Option<Uuid>,
    nonce: Option<Uuid>,
    previous: Option<Hash>,
    time_ms: Option<i64>,
    lease_ms: Option<u64>,
    address: Option<String>,
    snapshot: Option<SnapshotRef>,
    transactions: Vec<Changes>,
    start: Option<Start>,
    deleted: bool,
}

fn record_in(input: &mut Decoder<'_>, tenant: &Tenant) -> Result<Record, Error> {
    let mut fields = Fields::default();
    each_field(input, |input, number| {
        match number {
            0 => fields.class = Some(input.str()?.to_owned()),
            1 => fields.id = Some(input.str()?.to_owned()),
            2 => fields.sequence = Some(input.u64()?),
            3 => fields.epoch = Some(input.u64()?),
            4 => fields.writer = Some(uuid_in(input)?),
            5 => fields.nonce = Some(uuid_in(input)?),
            6 => fields.previous = Some(Hash(fixed_in(input)?)),
            7 => fields.time_ms = Some(input.i64()?),
            8 => fields.lease_ms = Some(input.u64()?),
            9 => fields.address = Some(input.str()?.to_owned()),
            10 => fields.snapshot = Some(snapshot_in(input)?),
            11 => fields.transactions = list_in(input, changes_in)?,
            12 => fields.start = Some(start_in(input)?),
            13 => fields.deleted = input.bool()?,
            _ => input.skip()?,
        }
        Ok(())
    })?;
    if matches!(fields.start, Some(Start::Snapshot(_))) && !fields.transactions.is_empty() {
        return Err(Error::message("expected no transactions on top of a snapshot"));
    }
    fields.into_record(tenant).ok_or_else(|| {
        Error::message(
            "a field is missing, a number is too large, or the class or the id is invalid",
        )
    })
}

impl Fields {
    fn into_record(self, tenant: &Tenant) -> Option<Record> {
        Some(Record {
            object: tenant.object(&self.class?, &self.id?).ok()?,
            sequence: self.sequence.filter(|sequence| *sequence <= SEQUENCE_MAX)?,
            epoch: self.epoch.filter(|epoch| *epoch <= SEQUENCE_MAX)?,
            writer: self.writer?,
            nonce: self.nonce?,
            previous: self.previous?,
            time_ms: self.time_ms?,
            lease_ms: self.lease_ms?,
            address: self.address,
            snapshot: self.snapshot,
            transactions: self.transactions,
            start: self.start,
            deleted: self.deleted,
        })
    }
}

fn snapshot_in(input: &mut Decoder<'_>) -> Result<SnapshotRef, Error> {
    expect_len(input.array()?, 2)?;
    let (sequence, uuid) = (input.u64()?, uuid_in(input)?);
    if sequence > SEQUENCE_MAX {
        return Err(Error::message("the number of a snapshot is too large"));
    }
    Ok(SnapshotRef { sequence, uuid })
}

fn start_in(input: &mut Decoder<'_>) -> Result<Start, Error> {
    if input.datatype()? == Type::Null {
        input.null()?;
        return Ok(Start::Nothing);
    }
    Ok(Start::Snapshot(Bytes::copy_from_slice(input.bytes()?)))
}

fn uuid_in(input: &mut Decoder<'_>) -> Result<Uuid, Error> {
    Ok(Uuid::from_bytes(fixed_in(input)?))
}

fn fixed_in<const N: usize>(input: &mut Decoder<'_>) -> Result<[u8; N], Error> {
    input
        .bytes()?
        .try_into()
        .map_err(|_| Error::message(format!("expected a byte string of {N} bytes")))
}
