//! Every fixed limit, with its unit and its reason. Limits that depend on each other say so to the
//! compiler.

use std::time::Duration;

/// A commit's proof that the slot before it was the head is good for this long; older proofs are
/// made again.
pub(crate) const PROOF_AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a request that was sent may still take effect in the store: S3 refuses signatures older
/// than 15 minutes.
pub(crate) const REQUEST_IN_FLIGHT_MAX: Duration = Duration::from_secs(15 * 60);

/// The shortest retention of records that a snapshot covers.
///
/// A slot may be freed only when no writer can still believe that it is the next one.
pub const RETENTION_MIN: Duration = Duration::from_secs(3600);

const _: () = assert!(
    RETENTION_MIN.as_secs() >= 2 * (PROOF_AGE_MAX.as_secs() + REQUEST_IN_FLIGHT_MAX.as_secs())
);

/// How many records are replayed to verify a snapshot before they are deleted. Each is a request to
/// the store, once in its life: two thousand cost less than a tenth of a cent on S3.
pub(crate) const VERIFIED_RECORDS_MAX: usize = 2000;

/// How many bytes in the bucket are read for that at most, records and snapshots each. They are in
/// memory encoded, one database beside them.
pub(crate) const VERIFIED_BYTES_MAX: u64 = 64 << 20;

/// The largest encoded record, in bytes. A schema change may carry a whole table.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 30;

/// The least that SQL may be allowed to take besides the database: compiling a statement of a wide
/// table needs about so much.
pub(crate) const TEMPORARY_BYTES_MIN: u64 = 1 << 20;

/// One transaction's temporary memory is at most this part of what the process may use.
pub(crate) const TEMPORARY_SHARE: u64 = 8;

/// What a record has besides its transactions, in bytes: names, numbers, an address.
pub(crate) const RECORD_HEAD_BYTES_MAX: usize = 64 << 10;

/// Work on at most so many bytes is done where it is: encoding, compressing and hashing them takes
/// less than a millisecond.
pub(crate) const COMPUTE_BYTES_INLINE_MAX: usize = 128 << 10;

/// How many snapshots are read, encoded and uploaded at the same time; each holds its files in
/// memory.
pub(crate) const SNAPSHOTS_MAX: usize = 8;

/// An upload that takes longer lets others have its place, and goes on beside them.
pub(crate) const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(1);

/// How many uploads may go on like this; one more is given up, and tried again later.
pub(crate) const SLOW_SNAPSHOTS_MAX: usize = 64;

/// How long such an upload may take altogether, before it is given up.
pub(crate) const SNAPSHOT_TIME_MAX: Duration = Duration::from_secs(5 * 60);

/// A commit takes requests together until its changes have this many bytes; one whose own are more
/// has a record for itself.
pub(crate) const GROUP_BYTES_MAX: usize = 8 << 20;

const _: () = assert!(GROUP_BYTES_MAX + RECORD_HEAD_BYTES_MAX <= RECORD_BYTES_MAX);

/// The longest key in a bucket, in bytes: S3's limit.
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// How many objects may call each other in a chain before the call is refused.
pub(crate) const CALL_DEPTH_MAX: usize = 16;

/// How often one request goes to whoever owns its object now without a pause in between.
pub(crate) const FORWARDS_AT_ONCE: u32 = 4;

/// The pause after that, before it is found out again who owns the object; it doubles, up to
/// [`FORWARD_PAUSE_MAX`].
pub(crate) const FORWARD_PAUSE: Duration = Duration::from_millis(25);

/// The longest such pause.
pub(crate) const FORWARD_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long this goes on before the request's client is told to come again. An owner that stops in
/// order writes until it has answered everything that it had taken, and takes nothing new
/// meanwhile.
pub(crate) const FORWARD_WITHIN: Duration = Duration::from_secs(15);

/// How many servers may pass one request on.
pub const HOPS_MAX: usize = 3;

/// How many requests a restore sends to the store at the same time.
pub(crate) const RESTORE_CONCURRENCY: usize = 32;

/// How long a connection to a store may take to open.
pub(crate) const STORE_CONNECT_MAX: Duration = Duration::from_secs(3);

/// How long a store may take to answer one request, besides the time that its bytes take at
/// [`STORE_BYTES_PER_SECOND_MIN`].
pub(crate) const STORE_ANSWER_MAX: Duration = Duration::from_secs(5);

/// The slowest transfer to or from a store that is not taken for a hanging one.
pub(crate) const STORE_BYTES_PER_SECOND_MIN: u64 = 256 << 10;

/// How often a read, a listing, a plain put or a delete is tried. A create is tried once, always.
pub(crate) const STORE_TRIES: u32 = 3;

/// No further try begins when this much time has passed since the first.
pub(crate) const STORE_RETRY_WITHIN: Duration = Duration::from_secs(5);

/// The pause before the second try; it doubles, and up to as much again is added at random.
pub(crate) const STORE_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How many objects a listing asks for in one request: what S3 gives at most.
pub(crate) const STORE_PAGE_MAX: usize = 1000;

/// The longest key below an object's prefix, in bytes: a file of a snapshot.
pub(crate) const KEY_SUFFIX_BYTES_MAX: usize = 220;

/// The shortest lease: below it an owner would renew all the time.
pub(crate) const LEASE_MIN: Duration = Duration::from_millis(200);

/// After losing this many slots in a row, an instance that writes per request takes a short lease.
pub(crate) const LOSSES_MAX: u32 = 3;

/// That lease: long enough for a handler and two round trips to the store; a holder that is frozen
/// stops the others for so long.
pub(crate) const CONTENTION_LEASE: Duration = Duration::from_secs(2);

const _: () = assert!(CONTENTION_LEASE.as_millis() >= LEASE_MIN.as_millis());

/// How long whoever waits for such a lease pauses before it asks again; up to as much again is
/// added at random.
pub(crate) const CONTENTION_PAUSE: Duration = Duration::from_millis(20);

/// How many requests one record takes together when an instance writes per request.
pub(crate) const BATCH_REQUESTS_MAX: usize = 256;

/// No further handler joins such a record when this much time has passed since the first began.
pub(crate) const BATCH_TIME_MAX: Duration = Duration::from_millis(20);

/// An object that is this many records behind is restored anew.
pub(crate) const CATCH_UP_RECORDS_MAX: u64 = 256;

/// How many requests to former states are answered at the same time: each restores a database of
/// its own.
pub(crate) const PASTS_MAX: usize = 4;

/// How long work waits for memory before it is refused: long enough to let go of objects that
/// nobody uses, and short enough that a client still waits for the answer.
pub(crate) const MEMORY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Charges of memory of at most this many bytes do not wait behind larger ones: the body of an
/// ordinary request.
pub(crate) const SMALL_BYTES: u64 = 64 << 10;

/// Bytes of a response, or of what is parsed, up to which nothing is charged: every connection has
/// some of its own.
pub(crate) const UNCHARGED_BYTES_MAX: u64 = 16 << 10;

/// What an object's place takes while its memory is not there, in bytes: its names, locks and
/// commit state.
pub(crate) const SLOT_BYTES: u64 = 2 << 10;

/// What an object in memory takes beside its database, in bytes: the connection, what is kept of
/// its files, the user's value.
pub(crate) const RESIDENT_BYTES: u64 = 40 << 10;

/// How many times their size changes take on their way into the bucket: themselves, and the record
/// that is made of them.
pub(crate) const CHANGES_FACTOR: u64 = 2;

/// How many times the size of a snapshot's files restoring it takes: the files, and the rows that
/// they hold compressed.
pub(crate) const RESTORE_FACTOR: u64 = 5;

/// The longest idempotency key, in bytes.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// The longest body of a response that is stored for its idempotency key, in bytes.
pub(crate) const STORED_RESPONSE_BYTES_MAX: usize = 1 << 20;

/// The longest body of a response that is stored although no client has asked for it, because a
/// server may send its request again. A longer one is lost when its server dies with it.
pub(crate) const ATTEMPT_RESPONSE_BYTES_MAX: usize = 16 << 10;

/// How long such a response is kept, besides the times that two turns and two handlers may take:
/// longer than a request is passed on, and than the clocks of two servers are apart: the one that
/// has done a request dates it, the next one asks how old it is.
pub(crate) const ATTEMPT_KEPT: Duration = Duration::from_secs(2 * 3600);

const _: () = assert!(ATTEMPT_KEPT.as_secs() >= 4 * FORWARD_WITHIN.as_secs());

/// The longest message from one object to another, in bytes: path, headers and body.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// To how many receivers one object's messages are delivered at the same time.
pub(crate) const RECEIVERS_AT_ONCE: usize = 16;

/// The pause after a message's first failure; it doubles with each further one.
pub(crate) const DELIVERY_PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause before a message is tried again.
pub(crate) const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The pause between two pages of markers, when there are more than one listing shows.
pub(crate) const OUTBOX_PAGE_PAUSE: Duration = Duration::from_secs(1);

/// How many objects with forgotten messages are opened at the same time.
pub(crate) const OUTBOX_LOOKS_AT_ONCE: usize = 8;
