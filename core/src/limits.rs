//! All fixed limits, with unit and reason. The compiler checks relations between limits.

mod rollups;

pub(crate) use rollups::*;
use std::time::Duration;

/// Maximum age of a commit's proof that the previous slot was the head; older proofs are renewed.
pub(crate) const PROOF_AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a request that was sent may still take effect in the store: S3 refuses signatures older
/// than 15 minutes.
pub(crate) const REQUEST_IN_FLIGHT_MAX: Duration = Duration::from_secs(15 * 60);

/// Minimum of [`Settings::retention`](crate::Settings::retention).
/// [`Settings`](crate::Settings) has an example.
///
/// A key of the log may be deleted only when no writer can still believe that it is the next one.
pub const RETENTION_MIN: Duration = Duration::from_secs(3600);

const _: () = assert!(
    RETENTION_MIN.as_secs() >= 2 * (PROOF_AGE_MAX.as_secs() + REQUEST_IN_FLIGHT_MAX.as_secs())
);

/// Maximum number of records that are replayed to verify a snapshot before they are deleted. Each
/// is one request to the store: two thousand cost less than a tenth of a cent on S3.
pub(crate) const VERIFIED_RECORDS_MAX: usize = 2000;

/// Maximum number of bytes that are read from the bucket for a verification, for records and
/// snapshots each. They are in memory in encoded form, with one database.
pub(crate) const VERIFIED_BYTES_MAX: u64 = 64 << 20;

/// Maximum size of an encoded record, in bytes. A schema change may contain a whole table.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 30;

/// Minimum for the limit of SQL's memory besides the database, in bytes: compiling a statement of a
/// wide table needs about this much.
pub(crate) const TEMPORARY_BYTES_MIN: u64 = 1 << 20;

/// Maximum share of a transaction's temporary memory in the budget, as a divisor.
pub(crate) const TEMPORARY_SHARE: u64 = 8;

/// SQL's temporary memory beyond [`SMALL_BYTES`], and what a database grows by, is reserved in
/// steps that double up to this many bytes: a step costs a lock, and unused reserved memory is not
/// available to others until the transaction ends.
pub(crate) const SQL_RESERVATION_STEP: u64 = 256 << 10;

const _: () = assert!(SQL_RESERVATION_STEP > SMALL_BYTES);

/// Maximum overdraft, as a divisor of the budget: memory that must be available at once, and is
/// covered when idle objects are evicted. Small charges may overdraw a little more.
pub(crate) const OVERDRAFT_SHARE: u64 = 8;

/// Maximum size of a record as it is stored, in bytes: its body, its header and its hash.
pub(crate) const RECORD_STORED_BYTES_MAX: u64 = RECORD_BYTES_MAX as u64 + 60;

/// Maximum number of a record, and of an epoch: one is added to them everywhere, and nobody writes
/// so many records in thousands of years.
pub(crate) const SEQUENCE_MAX: u64 = 1 << 62;

/// Maximum size of a hint in the bucket (`lock`, a marker, the probe's verdict), in bytes. They are
/// some hundred bytes, with names of at most 600.
pub(crate) const HINT_BYTES_MAX: u64 = 16 << 10;

/// Maximum size of `snapshot.json`, in bytes: a hundred thousand files.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 32 << 20;

/// Memory of such a description as a multiple of its size: its text, and what is made of it.
pub(crate) const DOCUMENT_FACTOR: u64 = 4;

/// Maximum number of tables, indexes, views and triggers of an object. Some steps of a restore
/// compare each with each.
pub(crate) const SCHEMA_OBJECTS_MAX: usize = 16 << 10;

/// Size of a record besides its transactions, in bytes: names, numbers, an address.
pub(crate) const RECORD_HEAD_BYTES_MAX: usize = 64 << 10;

/// Maximum number of bytes that are processed on the current thread: encoding, compressing and
/// hashing them takes less than a millisecond.
pub(crate) const COMPUTE_BYTES_INLINE_MAX: usize = 128 << 10;

/// Maximum number of snapshots that are read, encoded and uploaded concurrently; each holds its
/// files in memory.
pub(crate) const SNAPSHOTS_MAX: usize = 8;

/// Time after which a slow upload releases its place and continues next to others.
pub(crate) const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(1);

/// Maximum number of such slow uploads; a further one is abandoned and retried later.
pub(crate) const SLOW_SNAPSHOTS_MAX: usize = 64;

/// Maximum time of a slow upload before it is abandoned.
pub(crate) const SNAPSHOT_TIME_MAX: Duration = Duration::from_secs(5 * 60);

/// Maximum size of the changes of a group commit, in bytes; a request with more has its own record.
pub(crate) const GROUP_BYTES_MAX: usize = 8 << 20;

const _: () = assert!(GROUP_BYTES_MAX + RECORD_HEAD_BYTES_MAX <= RECORD_BYTES_MAX);

/// Maximum length of a key in a bucket, in bytes: S3's limit.
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// Maximum time that a handler runs after it has left its turn. It keeps nobody waiting but its
/// client: long enough for whatever a client waits for.
pub(crate) const CONTINUATION_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// How long the handler of an alarm that has left its turn is believed to be under way at first. Its
/// process puts that off after half of the time, and doubles it: this long after a crash at least the
/// alarm runs again, and a record is written for each doubling.
pub(crate) const ALARM_UNDER_WAY_MIN: Duration = Duration::from_secs(60);

/// Maximum length of a chain of calls between objects.
pub(crate) const CALL_DEPTH_MAX: usize = 16;

/// Number of times that a request is forwarded to the current owner without a pause.
pub(crate) const FORWARDS_AT_ONCE: u32 = 4;

/// The pause after that, before the owner is looked up again; it doubles, up to
/// [`FORWARD_PAUSE_MAX`].
pub(crate) const FORWARD_PAUSE: Duration = Duration::from_millis(25);

/// The maximum pause.
pub(crate) const FORWARD_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Maximum time of forwarding before the client must retry. An owner that shuts down writes until
/// it has answered all accepted requests, and accepts no new ones.
pub(crate) const FORWARD_WITHIN: Duration = Duration::from_secs(15);

/// Maximum number of servers that may forward a request, one after another.
/// [`RequestContext`](crate::RequestContext) has an example.
pub const HOPS_MAX: usize = 3;

/// Maximum number of concurrent requests of a restore to the store.
pub(crate) const RESTORE_CONCURRENCY: usize = 32;

/// Maximum number of objects that are restored at the same time: each has some requests to the store
/// under way, and what comes of them in memory before it is paid.
pub(crate) const RESTORES_MAX: usize = 256;

/// Maximum number of receivers to which all objects of a process deliver messages at the same time.
pub(crate) const COURIERS_MAX: usize = 1024;

/// Timeout to connect to a store.
#[cfg(feature = "network")]
pub(crate) const STORE_CONNECT_MAX: Duration = Duration::from_secs(3);

/// Timeout of a request to a store, besides the time for its bytes at
/// [`STORE_BYTES_PER_SECOND_MIN`].
#[cfg(any(feature = "network", test))]
pub(crate) const STORE_ANSWER_MAX: Duration = Duration::from_secs(5);

/// Minimum transfer rate to or from a store; a slower one counts as hanging.
#[cfg(feature = "network")]
pub(crate) const STORE_BYTES_PER_SECOND_MIN: u64 = 256 << 10;

/// Maximum number of attempts of a read, a listing, a plain put or a delete. A create is always
/// tried once.
pub(crate) const STORE_TRIES: u32 = 3;

/// Maximum time after the first attempt for a further one to start.
pub(crate) const STORE_RETRY_WITHIN: Duration = Duration::from_secs(5);

/// The pause before the second attempt; it doubles, and up to as much again is added at random.
pub(crate) const STORE_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Number of objects per page of a listing: the maximum of S3.
pub(crate) const STORE_PAGE_MAX: usize = 1000;

/// Maximum length of a key below an object's prefix, in bytes: a file of a snapshot.
pub(crate) const KEY_SUFFIX_BYTES_MAX: usize = 220;

/// Minimum duration of a lease: with less, an owner would renew all the time.
pub(crate) const LEASE_MIN: Duration = Duration::from_millis(200);

/// Number of lost slots in a row after which a per-request process takes a short lease.
pub(crate) const LOSSES_MAX: u32 = 3;

/// Duration of that lease: long enough for a handler and two round trips to the store; a frozen
/// holder blocks the others for this time.
pub(crate) const CONTENTION_LEASE: Duration = Duration::from_secs(2);

const _: () = assert!(CONTENTION_LEASE.as_millis() >= LEASE_MIN.as_millis());

/// Pause between two checks while waiting for such a lease; up to as much again is added at random.
pub(crate) const CONTENTION_PAUSE: Duration = Duration::from_millis(20);

/// The longest lease of another instance that a request waits for; a longer one is refused at once.
pub(crate) const TAKE_OVER_WAIT_MAX: Duration = Duration::from_secs(15);

/// Pause between two looks at the log of an object whose server may be gone.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Maximum pause between two looks while a per-request process waits for a lease: the pauses
/// double, beginning with `CONTENTION_PAUSE`.
pub(crate) const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// Maximum number of requests in a record of a per-request process.
pub(crate) const BATCH_REQUESTS_MAX: usize = 256;

/// Maximum time after the first handler for a further one to join such a record.
pub(crate) const BATCH_TIME_MAX: Duration = Duration::from_millis(20);

/// Number of records behind which an object is restored instead of caught up.
pub(crate) const CATCH_UP_RECORDS_MAX: u64 = 256;

/// Maximum number of concurrent requests with `X-DO-At`: each restores its own database.
pub(crate) const TIME_TRAVELS_MAX: usize = 4;

/// Maximum size of a record that is read only to know its object, in bytes.
pub(crate) const LOOKED_AT_BYTES_MAX: u64 = 8 << 20;

/// Maximum number of objects on one page of a list of them.
pub(crate) const LISTED_OBJECTS_MAX: usize = 1000;

/// Number of objects of a list that are looked at concurrently: each is one or two requests to the
/// store.
pub(crate) const LISTED_AT_ONCE: usize = 16;

/// Maximum number of folders that are looked at for one page of a list of objects, as a multiple of
/// the page: some have no object, or one that was deleted.
pub(crate) const LISTED_FOLDERS_FACTOR: usize = 4;

/// Maximum number of keys that are counted for the size of an object.
pub(crate) const COUNTED_KEYS_MAX: usize = 100_000;

/// Size of a chunk of a database that is sent as a file, in bytes.
pub(crate) const FILE_CHUNK_BYTES: usize = 256 << 10;

/// Maximum time that work waits for memory: long enough to evict idle objects, and short enough
/// that clients still wait for the response.
pub(crate) const MEMORY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Maximum time that a request waits for one of the places of requests.
pub(crate) const REQUEST_WAIT_MAX: Duration = MEMORY_WAIT_MAX;

/// Maximum size of a charge that does not wait behind larger ones, in bytes: the body of an
/// ordinary request.
pub(crate) const SMALL_BYTES: u64 = 64 << 10;

/// Size of a response, or of parsed data, up to which nothing is charged, in bytes.
pub(crate) const UNCHARGED_BYTES_MAX: u64 = 16 << 10;

/// Memory of an object's entry while the object is not in memory, in bytes: its names, locks and
/// commit state.
pub(crate) const ACTIVATION_BYTES: u64 = 2 << 10;

/// Memory of an object besides its database, in bytes: the connection, the index of its files, the
/// user's value.
pub(crate) const RESIDENT_BYTES: u64 = 40 << 10;

/// Memory of changes during a commit, as a multiple of their size: the changes, and their record.
pub(crate) const CHANGES_FACTOR: u64 = 2;

/// Memory of a restore, as a multiple of the size of the snapshot's files: the files, and their
/// decompressed rows.
pub(crate) const RESTORE_FACTOR: u64 = 5;

/// Maximum time in which a restore may compute, besides the time for what it reads at
/// [`RESTORE_BYTES_PER_SECOND_MIN`]. Definitions in a bucket can compute without end.
pub(crate) const RESTORE_TIME_MAX: Duration = Duration::from_secs(60);

/// Minimum speed of a restore, in bytes of memory per second; machines reach fifty times that.
pub(crate) const RESTORE_BYTES_PER_SECOND_MIN: u64 = 1 << 20;

/// Memory for a batch of rows that is read from a data file, in bytes: it has fewer rows where they
/// can be large.
pub(crate) const BATCH_BYTES_MAX: u64 = 32 << 20;

/// Maximum number of rows that administration returns for a statement, and their approximate size in
/// bytes: they are in memory as values and as text.
pub(crate) const ANSWER_ROWS_MAX: usize = 100_000;
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Maximum length of an idempotency key, in bytes.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Maximum size of the body of a response that is stored for its idempotency key, in bytes.
pub(crate) const STORED_RESPONSE_BYTES_MAX: usize = 1 << 20;

/// Maximum size of the body of a response that is stored because a server, not a client, may retry
/// the request. A larger one is lost if its server crashes.
pub(crate) const ATTEMPT_RESPONSE_BYTES_MAX: usize = 16 << 10;

/// How long such a response is kept, besides the maximum times of two turns and two handlers:
/// longer than a request is forwarded, and than the difference between two servers' clocks, because
/// one server dates it and another one judges its age.
pub(crate) const ATTEMPT_KEPT: Duration = Duration::from_secs(2 * 3600);

const _: () = assert!(ATTEMPT_KEPT.as_secs() >= 4 * FORWARD_WITHIN.as_secs());

/// Maximum size of a message between objects, in bytes: path, headers and body.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Maximum number of receivers to which an object's messages are delivered concurrently.
pub(crate) const RECEIVERS_AT_ONCE: usize = 16;

/// The pause after a message's first failure; it doubles with each further one.
pub(crate) const DELIVERY_PAUSE_MIN: Duration = Duration::from_millis(100);

/// The maximum pause before a message is retried.
pub(crate) const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The pause between two pages of markers, if there are several.
pub(crate) const OUTBOX_PAGE_PAUSE: Duration = Duration::from_secs(1);

/// The list of tenants with messages is read once in so many searches for their messages.
pub(crate) const TENANTS_LIST_ROUNDS: u32 = 10;

/// Number of tenants of which a process keeps what it knows, although it does not use them.
pub(crate) const TENANTS_KEPT_MIN: usize = 1024;

/// How often it is looked at whether a tenant that is used is closed. Each look is a request.
pub(crate) const CLOSED_LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// How long a tenant that was open is taken for open while the store does not answer.
pub(crate) const CLOSED_LOOK_MAX: Duration = Duration::from_secs(120);

/// The pause before such a look is repeated.
pub(crate) const CLOSED_LOOK_RETRY: Duration = Duration::from_secs(5);

/// How long a request that was signed is valid at most (Amazon S3): one of a stalled writer may
/// arrive so late.
const SIGNATURE_MAX: Duration = Duration::from_secs(15 * 60);

/// How long after a tenant was closed its keys are deleted. By then nobody writes any more: who did
/// not know that it is closed sent its last request within [`CLOSED_LOOK_MAX`], and a minute is for
/// the attempts of one request.
pub(crate) const TENANT_DELETE_WAIT: Duration =
    Duration::from_secs(SIGNATURE_MAX.as_secs() + CLOSED_LOOK_MAX.as_secs() + 60);

const _: () = assert!(CLOSED_LOOK_INTERVAL.as_secs() * 2 <= CLOSED_LOOK_MAX.as_secs());

/// Maximum number of objects with undelivered messages that are opened concurrently.
pub(crate) const OUTBOX_LOOKS_AT_ONCE: usize = 8;

/// The pause after an alarm's first failure; it doubles with each further one.
pub(crate) const ALARM_PAUSE_MIN: Duration = Duration::from_secs(2);

/// The maximum pause before an alarm runs again: one that always fails costs two records an hour.
pub(crate) const ALARM_PAUSE_MAX: Duration = Duration::from_secs(3600);

/// How long after its time an alarm is left to the process that has set it, by the clock of whoever
/// looks. Most alarms are done by then; a longer one makes alarms of crashed servers later.
pub(crate) const ALARM_GRACE: Duration = Duration::from_secs(5);

/// The age at which a marker that no alarm refers to is deleted: the record that would refer to it
/// may be on its way until then.
pub(crate) const ALARM_MARKER_KEPT: Duration = RETENTION_MIN;

/// How long after its marker an alarm's record may be in the log; after that its marker is written
/// again.
pub(crate) const ALARM_RECORD_WITHIN: Duration = Duration::from_secs(10 * 60);

const _: () = assert!(
    ALARM_MARKER_KEPT.as_secs()
        >= ALARM_RECORD_WITHIN.as_secs() + 2 * REQUEST_IN_FLIGHT_MAX.as_secs()
);

/// Maximum number of alarms that a process times, some megabytes; the earliest ones. Later ones are
/// found by their markers when they are due soon.
pub(crate) const ALARM_TIMERS_MAX: usize = 16 << 10;

/// How long a process sleeps at most until it compares its alarms with its clock, which may be set.
pub(crate) const ALARM_SLEEP_MAX: Duration = Duration::from_secs(60);

/// Latest time of an alarm, in milliseconds since 1970: the year 9999.
pub(crate) const ALARM_MS_MAX: i64 = 253_402_300_799_999;

/// Maximum number of sockets of an object, as on Cloudflare.
pub(crate) const SOCKETS_PER_OBJECT_MAX: u64 = 32_768;

/// Maximum number of tags of a socket, as on Cloudflare.
pub(crate) const SOCKET_TAGS_MAX: usize = 10;

/// Maximum length of a socket's tag, in characters, as on Cloudflare.
pub(crate) const SOCKET_TAG_CHARS_MAX: usize = 256;

/// Maximum size of a socket's attachment as JSON, in bytes, as on Cloudflare. All sockets of an
/// object are read when it looks for some.
pub(crate) const SOCKET_ATTACHMENT_BYTES_MAX: usize = 16 << 10;

/// Maximum size of each text of an automatic response, in bytes, as on Cloudflare.
pub(crate) const SOCKET_AUTO_RESPONSE_BYTES_MAX: usize = 2048;

/// Maximum size of the reason of a close frame, in bytes (RFC 6455, section 5.5).
pub(crate) const SOCKET_REASON_BYTES_MAX: usize = 123;

/// Memory of an open connection, in bytes: its buffers, its task, and the kernel's share are about
/// as much.
pub(crate) const SOCKET_BYTES: u64 = 8 << 10;

/// The part of the memory for requests that open connections may take, as a divisor.
pub(crate) const SOCKETS_MEMORY_SHARE: u64 = 2;

/// Maximum size of what waits for a client, in bytes, and so of one message to it. One who reads
/// slower is disconnected.
pub(crate) const SOCKET_QUEUE_BYTES_MAX: usize = 4 << 20;

/// Maximum size of what one handler sends to sockets, in bytes; a broadcast counts once.
pub(crate) const SOCKET_SENT_BYTES_MAX: usize = 64 << 20;
