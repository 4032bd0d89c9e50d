//! Fixed limits, with unit and reason.

use std::time::Duration;

/// Maximum memory of a realm, in bytes: what Cloudflare gives an isolate.
pub(crate) const MEMORY_BYTES_MAX: usize = 128 << 20;

/// Maximum stack of JavaScript, in bytes: some thousand calls deep.
pub(crate) const STACK_BYTES_MAX: usize = 1 << 20;

/// Stack of a realm's thread, in bytes: QuickJS looks at its own use only between calls, and
/// regular expressions and our own functions run on top of it.
pub(crate) const THREAD_STACK_BYTES: usize = 8 << 20;

const _: () = assert!(THREAD_STACK_BYTES >= 4 * STACK_BYTES_MAX);

/// Time for which an event may compute, unless the configuration says otherwise: other objects of
/// the realm wait meanwhile. A handler may take 30 s by default, so this ends first.
pub(crate) const TIME_MAX_USUAL: Duration = Duration::from_secs(10);

/// The longest time that a configuration may allow.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(25);

/// Time for which a bundle may compute while it is loaded. A megabyte of modules takes 0.2 s; a
/// function that starts may have a tenth of a processor.
pub(crate) const LOAD_TIME_MAX: Duration = Duration::from_secs(5);

/// Maximum number of realms: each costs some megabytes, and more than there are processors are of
/// no use.
pub(crate) const REALMS_MAX: usize = 16;

/// Maximum time that an event waits for what another one is to do, and that the worker's work goes
/// on after its response: what Cloudflare allows.
pub(crate) const REST_TIME_MAX: Duration = Duration::from_secs(30);

/// Maximum number of operations that one slice begins: each waits outside of the realm's memory.
pub(crate) const BEGUN_MAX: usize = 10_000;

/// Maximum size of all that they carry, in bytes, for the same reason: half of a realm's memory.
pub(crate) const BEGUN_BYTES_MAX: usize = MEMORY_BYTES_MAX / 2;

/// Maximum number of slices with answers of operations that wait for a turn or a realm at a time. Each
/// may block a thread of the server, of which there are 512 besides; who holds a realm needs some, too.
pub(crate) const RESUMING_MAX: usize = 256;

/// Number of times that an object takes the answer of an operation when its turn is not to be had,
/// before its value is given up.
pub(crate) const RESUME_TRIES: u32 = 5;

/// Pause before the second time; before each further one it is longer by this.
pub(crate) const RESUME_PAUSE: Duration = Duration::from_millis(200);

/// Maximum number of calls to objects that an object makes at a time, or the worker for one request;
/// further ones wait.
pub(crate) const CALLS_AT_ONCE: usize = 64;

/// Maximum time to connect to another server.
pub(crate) const FETCH_CONNECT_MAX: Duration = Duration::from_secs(30);

/// Maximum time that a request to another server waits for its response, or for more of it.
pub(crate) const FETCH_TIME_MAX: Duration = Duration::from_secs(5 * 60);

/// Maximum number of redirects that a request follows: what the Fetch standard says.
pub(crate) const REDIRECTS_MAX: usize = 20;

/// Maximum size of a body that is read before code gets its response, in bytes; longer ones, and those
/// of unknown size, are streams. For a short one, an event more would cost more than its memory.
pub(crate) const BODY_WHOLE_BYTES_MAX: u64 = 256 << 10;

/// Maximum number of bodies from outside that an object has not read, or the worker for one request.
pub(crate) const UNREAD_MAX: usize = 64;

/// Size of a piece of a streamed body from which on nothing is added to it, in bytes.
pub(crate) const PIECE_BYTES_MAX: usize = 256 << 10;

/// Number of bytes that a streamed response has queued for its client before the code that makes it
/// waits.
pub(crate) const QUEUED_BYTES_MAX: usize = 256 << 10;

/// Maximum number of WebSockets of which an object has the other end, or the worker for one request.
pub(crate) const LINES_MAX: usize = 1024;

/// Number of frames of such a WebSocket that wait for code before no more is read.
pub(crate) const LINE_WAITING_MAX: usize = 16;

/// Number of bytes that code may have sent on one and that the other end has not read: it breaks off
/// then, as nothing makes code wait.
pub(crate) const LINE_QUEUED_BYTES_MAX: usize = 64 << 20;

/// Maximum size of a message of another server, in bytes: Cloudflare's.
pub(crate) const LINE_MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Maximum time that another server takes to answer the end of a WebSocket.
pub(crate) const LINE_CLOSE_MAX: Duration = Duration::from_secs(10);

/// Maximum time that sending to another server makes no progress.
pub(crate) const LINE_WRITE_MAX: Duration = Duration::from_secs(30);

/// Another server that says nothing gets a ping after this time, and is given up after as long again:
/// an object would stay in memory for it.
pub(crate) const LINE_PING_INTERVAL: Duration = Duration::from_secs(30);

/// Maximum size of an asset, in bytes: Cloudflare's.
pub(crate) const ASSET_BYTES_MAX: u64 = 25 << 20;

/// Maximum size of a file of a bundle, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Maximum length of a line that a bundle logs, in bytes.
pub(crate) const LOGGED_BYTES_MAX: usize = 8 << 10;

/// Maximum size of what is derived from a secret at once, in bytes.
pub(crate) const DERIVED_BYTES_MAX: f64 = 1048576.0;

/// Maximum number of rounds of PBKDF2 for all blocks of what is derived: some seconds, in which nothing
/// stops it. OWASP asks for 1.3 million.
pub(crate) const PBKDF2_ROUNDS_MAX: f64 = 10_000_000.0;

/// Maximum memory of scrypt, in bytes: half of a realm's, which it is not part of.
pub(crate) const SCRYPT_BYTES_MAX: f64 = (MEMORY_BYTES_MAX / 2) as f64;

/// Maximum number of blocks of scrypt: some seconds.
pub(crate) const SCRYPT_BLOCKS_MAX: f64 = 16_777_216.0;

/// Maximum memory of all compressors of a realm, in bytes: as much as the realm's, which they are not part
/// of. Three of Brotli fit, or some hundreds of deflate.
pub(crate) const CODER_BYTES_MAX: usize = MEMORY_BYTES_MAX;

/// Size of a part of what a compressor makes, in bytes.
pub(crate) const CODED_PART_BYTES: usize = 64 << 10;
