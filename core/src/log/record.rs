//! One record of an object's log, and the bytes that it is stored as.
//!
//! ```text
//! offset  bytes  field
//!      0      8  "dotdolog"
//!      8      2  format version, little-endian: 1, or 2 when the record starts anew
//!     10      2  flags: bit 0, the body is compressed with zstd
//!     12      8  length of the body as stored
//!     20      8  length of the body uncompressed
//!     28      …  body: CBOR, see `codec`
//!    end     32  BLAKE3 of everything before
//! ```
//!
//! The last 32 bytes are the record's hash: they find damage, and the next record names them.

use bytes::Bytes;
use uuid::Uuid;

use crate::change::Changes;
use crate::error::{Error, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::{RECORD_BYTES_MAX, RECORD_HEAD_BYTES_MAX};
use crate::log::codec;
use crate::snapshot::SnapshotRef;
use crate::store::Key;

const MAGIC: &[u8; 8] = b"dotdolog";
const VERSION: u16 = 1;
/// The version of records that start anew: a program that does not know what that means must not
/// read them.
const VERSION_ANEW: u16 = 2;
const FLAG_ZSTD: u16 = 1;
const HEADER_BYTES: usize = 28;
const HASH_BYTES: usize = 32;

/// Bodies below this size are not worth compressing.
const COMPRESS_BYTES_MIN: usize = 512;

/// The BLAKE3 hash of a record; [`Hash::NONE`] stands before the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) [u8; HASH_BYTES]);

impl Hash {
    /// The predecessor of the first record.
    pub(crate) const NONE: Self = Self([0; HASH_BYTES]);
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a record's state starts from, instead of the state before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Start {
    /// An empty database, to which the record's transactions are applied.
    Nothing,
    /// A snapshot, which is exactly the state after the record: the bytes of its description, with
    /// zeros for the record's hash.
    Snapshot(Bytes),
}

/// A record: the changes of a group of transactions, and their writer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// The object of the log.
    pub(crate) object: ObjectId,
    /// The slot: 1 for the first record.
    pub(crate) sequence: u64,
    /// The first half of the fencing token: the number of owners so far.
    pub(crate) epoch: u64,
    /// The instance that wrote it.
    pub(crate) writer: Uuid,
    /// Unique for each attempt to fill the slot, so that a writer recognises its own.
    pub(crate) nonce: Uuid,
    /// The hash of the record before.
    pub(crate) previous: Hash,
    /// When it was made, by the writer's clock, in milliseconds since 1970. For people and time
    /// travel; safety does not depend on it.
    pub(crate) time_ms: i64,
    /// How long the writer may answer from memory, counted from before the record was sent; 0
    /// releases the object.
    pub(crate) lease_ms: u64,
    /// The address under which other servers reach the writer.
    pub(crate) address: Option<String>,
    /// The newest complete snapshot that the writer knew.
    pub(crate) snapshot: Option<SnapshotRef>,
    /// The transactions, in order. Empty: the record only claims, renews or releases.
    pub(crate) transactions: Vec<Changes>,
    /// What the state after the record starts from, if not from the state before it.
    pub(crate) start: Option<Start>,
    /// Whether the object was deleted and does not exist after this record.
    pub(crate) deleted: bool,
}

/// A record's bytes and their hash.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) bytes: Bytes,
    pub(crate) hash: Hash,
}

impl Record {
    /// Encodes the record.
    ///
    /// # Errors
    ///
    /// `TooLarge` when they would be more than [`RECORD_BYTES_MAX`].
    pub(crate) fn encode(&self) -> Result<Encoded> {
        let body = codec::encode(self);
        let plain_len = body.len();
        check_bytes(plain_len, record_bytes_max())?;
        let (body, flags) = compress(body)?;
        let version = if self.start.is_some() { VERSION_ANEW } else { VERSION };
        Ok(seal(&body, Envelope { version, flags, plain_len: plain_len as u64 }))
    }

    /// The size of the body in `bytes` once it is uncompressed, according to its header: it does not
    /// become larger than that.
    pub(super) fn plain_bytes(bytes: &[u8]) -> u64 {
        bytes.get(20..28).and_then(|field| field.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// Parses the record in `bytes`, which were found under `key` of `tenant`: a record names the
    /// class and the id of its object only.
    ///
    /// # Errors
    ///
    /// `Corrupt`, with the key and what was expected, unless every byte is as it was written.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn decode(key: &Key, bytes: &[u8], tenant: &Tenant) -> Result<(Self, Hash)> {
        Opened::open(key, bytes)?.decode(key, tenant)
    }
}

/// A record whose checksum fits, uncompressed, and not parsed yet.
pub(super) struct Opened {
    version: u16,
    body: Vec<u8>,
    hash: Hash,
}

impl Opened {
    /// Checks and uncompresses the record in `bytes`, which were found under `key`.
    ///
    /// # Errors
    ///
    /// `Corrupt`, with the key and what was expected.
    pub(super) fn open(key: &Key, bytes: &[u8]) -> Result<Self> {
        let corrupt = |what: String| Error::corrupt(key, what);
        if bytes.len() < HEADER_BYTES + HASH_BYTES {
            return Err(corrupt(format!(
                "expected a log record of at least {} bytes, got {}",
                HEADER_BYTES + HASH_BYTES,
                bytes.len()
            )));
        }
        if &bytes[..8] != MAGIC {
            return Err(corrupt("expected the magic number of a log record".to_owned()));
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if !(VERSION..=VERSION_ANEW).contains(&version) {
            return Err(corrupt(format!(
                "expected log format version {VERSION} or {VERSION_ANEW}, got {version}; use a version of the program that reads it"
            ))
            .with_code("UNKNOWN_VERSION"));
        }
        let (content, trailer) = bytes.split_at(bytes.len() - HASH_BYTES);
        let hash = Hash(*blake3::hash(content).as_bytes());
        if hash.0 != trailer {
            return Err(corrupt("the checksum does not match the content".to_owned()));
        }
        let body = decompress(content).map_err(corrupt)?;
        Ok(Self { version, body, hash })
    }

    /// A bound of the memory that the parsed record takes, in bytes.
    pub(super) fn weight(&self) -> u64 {
        codec::weight(&self.body)
    }

    /// Size of the uncompressed body, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Parses it; it is a record of an object of `tenant`.
    ///
    /// # Errors
    ///
    /// `Corrupt`, with the key and what was expected.
    pub(super) fn decode(self, key: &Key, tenant: &Tenant) -> Result<(Record, Hash)> {
        let record = codec::decode(&self.body, tenant)
            .map_err(|cause| Error::corrupt(key, format!("cannot parse the body: {cause}")))?;
        if record.start.is_some() != (self.version == VERSION_ANEW) {
            let what = "expected a record of version 2 that starts anew, or one of version 1";
            return Err(Error::corrupt(key, what));
        }
        Ok((record, self.hash))
    }
}

/// What an envelope says of the body in it.
pub(super) struct Envelope {
    pub(super) version: u16,
    pub(super) flags: u16,
    /// Length of the body uncompressed, in bytes.
    pub(super) plain_len: u64,
}

/// Encloses a stored body in an envelope.
pub(super) fn seal(body: &[u8], Envelope { version, flags, plain_len }: Envelope) -> Encoded {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len() + HASH_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&flags.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&plain_len.to_le_bytes());
    bytes.extend_from_slice(body);
    let hash = Hash(*blake3::hash(&bytes).as_bytes());
    bytes.extend_from_slice(&hash.0);
    Encoded { bytes: bytes.into(), hash }
}

/// The size of one transaction's changes in a record, in bytes.
///
/// # Errors
///
/// `TooLarge` when that is more than a record of their own could hold.
pub(crate) fn check_size(changes: &Changes) -> Result<usize> {
    let bytes = codec::changes_bytes(changes);
    check_bytes(bytes, record_bytes_max() - RECORD_HEAD_BYTES_MAX)?;
    Ok(bytes)
}

fn check_bytes(bytes: usize, bytes_max: usize) -> Result<()> {
    if bytes <= bytes_max {
        return Ok(());
    }
    let text = format!(
        "expected changes of at most {bytes_max} bytes in one commit, got {bytes}; change less in one request"
    );
    Err(Error::new(crate::error::ErrorKind::TooLarge, text))
}

#[cfg(not(test))]
const fn record_bytes_max() -> usize {
    RECORD_BYTES_MAX
}

#[cfg(test)]
pub(crate) use small::{record_bytes_max, set_record_bytes_max};

/// The stored body, and its flags.
fn compress(body: Vec<u8>) -> Result<(Vec<u8>, u16)> {
    if body.len() < COMPRESS_BYTES_MIN {
        return Ok((body, 0));
    }
    let packed = zstd::bulk::compress(&body, 1)
        .map_err(|cause| Error::internal(format!("zstd: {cause}")))?;
    Ok(if packed.len() < body.len() { (packed, FLAG_ZSTD) } else { (body, 0) })
}

/// The uncompressed body of a record whose checksum is correct.
fn decompress(content: &[u8]) -> Result<Vec<u8>, String> {
    let flags = u16::from_le_bytes([content[10], content[11]]);
    let number =
        |at: usize| u64::from_le_bytes(content[at..at + 8].try_into().expect("eight bytes"));
    let (stored_len, plain_len) = (number(12), number(20));
    let body = &content[HEADER_BYTES..];
    if stored_len != body.len() as u64 || plain_len > RECORD_BYTES_MAX as u64 {
        return Err(format!(
            "the header says {stored_len} stored and {plain_len} plain bytes, got {}",
            body.len()
        ));
    }
    match flags {
        0 => Ok(body.to_vec()),
        FLAG_ZSTD => inflate(body, usize::try_from(plain_len).unwrap_or(RECORD_BYTES_MAX)),
        other => Err(format!("flags {other:#06x} are unknown")),
    }
}

/// `body` uncompressed, which must be `plain_len` bytes.
fn inflate(body: &[u8], plain_len: usize) -> Result<Vec<u8>, String> {
    let plain = zstd::bulk::decompress(body, plain_len).map_err(|cause| cause.to_string())?;
    if plain.len() != plain_len {
        return Err(format!("the header says {plain_len} plain bytes, got {}", plain.len()));
    }
    Ok(plain)
}

/// A lower limit for tests, which can't make records of a gigabyte.
#[cfg(test)]
mod small {
    use std::cell::Cell;

    use super::RECORD_BYTES_MAX;

    thread_local! {
        static BYTES_MAX: Cell<usize> = const { Cell::new(RECORD_BYTES_MAX) };
    }

    /// The maximum size of a record on this thread.
    pub(crate) fn record_bytes_max() -> usize {
        BYTES_MAX.get()
    }

    /// Sets the maximum size of a record on this thread.
    pub(crate) fn set_record_bytes_max(bytes: usize) {
        BYTES_MAX.set(bytes);
    }
}
