//! Redis as the directory in which servers of a bucket announce their objects.
//!
//! Promises: nothing waits for an unavailable Redis; entries that were not written with the
//! servers' secret are ignored; the URL with its password is never printed. Must not know: how
//! results are used.

mod entry;
mod link;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, ConnectionInfo, IntoConnectionInfo, RedisResult};
use async_trait::async_trait;
use dotdo_core::sync::Mutex;
use dotdo_core::{
    Clock, Directory, Error, Holding, Listener, ObjectId, OwnershipChange, Result, Secret,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

#[cfg(feature = "fuzzing")]
pub(crate) use self::entry::fuzz;
use self::entry::{Entry, Keys};
use self::link::{Announcement, Link};

/// Timeout of a command.
const ANSWER_MAX: Duration = Duration::from_millis(250);

/// Timeout to connect.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// The pause before the second attempt to connect; it doubles with each further one, up to
/// [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The maximum pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Interval of pings on an idle connection.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum time for sending queued announcements at shutdown.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// Maximum number of queued announcements; more are dropped.
const PENDING_MAX: usize = 4096;

/// Maximum number of announcements in one pipeline.
const SENT_AT_ONCE: usize = 64;

/// Maximum size of an entry or message, in bytes: a tenant, an id and an address with space to
/// spare.
const ENTRY_BYTES_MAX: usize = 8192;

/// Supported URL schemes.
const SCHEMES: [&str; 2] = ["redis://", "rediss://"];

/// The form of URLs, as the object of the sentence "expected …".
pub(crate) const ACCEPTED: &str = "redis://host:6379, or rediss:// for TLS, with user:password@ before the host and /number after it where needed";

/// The address of `url`; `None` if it can't be used.
fn understood(url: &str) -> Option<ConnectionInfo> {
    let has_scheme = SCHEMES.iter().any(|scheme| url.starts_with(scheme));
    // A fragment after `#` would turn TLS verification off.
    (has_scheme && !url.contains('#')).then(|| url.into_connection_info().ok())?
}

/// Whether `url` is the URL of a Redis.
pub(crate) fn is_address(url: &str) -> bool {
    understood(url).is_some()
}

/// The settings of the directory in Redis.
pub(crate) struct About<'a> {
    /// Its address.
    pub(crate) url: &'a Secret,
    /// The secret that all servers of the bucket share.
    pub(crate) secret: &'a Secret,
    /// The bucket.
    pub(crate) location: &'a str,
    /// This process.
    pub(crate) me: Uuid,
}

/// A directory in Redis.
pub(crate) struct Redis {
    shared: Arc<Shared>,
    announcements: mpsc::Sender<Announcement>,
    /// The background task, until it is started.
    waiting: Mutex<Option<mpsc::Receiver<Announcement>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// State shared by lookups and the background task.
struct Shared {
    client: Client,
    /// Host and port, for the log.
    address: String,
    keys: Keys,
    me: Uuid,
    clock: Arc<dyn Clock>,
    /// `None` while it is unavailable.
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Notifies that the connection was closed.
    closed: Notify,
    /// Number of queued announcements.
    pending: watch::Sender<usize>,
    /// Whether an entry without the secret was already logged.
    is_suspicious: AtomicBool,
}

impl Redis {
    /// A directory that connects once its listener is set.
    ///
    /// # Errors
    ///
    /// `Invalid` when the URL is invalid.
    pub(crate) fn new(about: &About<'_>, clock: Arc<dyn Clock>) -> Result<Self> {
        let unusable = || {
            Error::invalid(format!(
                "redis_url: expected {ACCEPTED}, got another value (not shown, it may contain a password)"
            ))
        };
        let info = understood(about.url.reveal()).ok_or_else(unusable)?;
        let address = info.addr().to_string();
        let client = Client::open(info).map_err(|_| unusable())?;
        let keys = Keys::new(about.secret, about.location);
        let (announcements, waiting) = mpsc::channel(PENDING_MAX);
        let shared = Shared {
            client,
            address,
            keys,
            me: about.me,
            clock,
            connection: Mutex::default(),
            closed: Notify::new(),
            pending: watch::Sender::new(0),
            is_suspicious: AtomicBool::new(false),
        };
        Ok(Self {
            shared: Arc::new(shared),
            announcements,
            waiting: Mutex::new(Some(waiting)),
            task: Mutex::default(),
        })
    }
}

#[async_trait]
impl Directory for Redis {
    fn listen(&self, listener: Listener) {
        let Some(announcements) = self.waiting.lock().take() else {
            return;
        };
        let link = Link { shared: Arc::clone(&self.shared), announcements, listener };
        *self.task.lock() = Some(tokio::spawn(link.run()));
    }

    async fn find(&self, object: &ObjectId) -> Option<Holding> {
        let (result, holding) = self.shared.look_up(object).await;
        metrics::counter!("dotdo_directory_lookups_total", "result" => result).increment(1);
        holding
    }

    fn announce(&self, object: &ObjectId, holding: Holding, change: OwnershipChange) {
        let entry =
            Entry { object: object.clone(), holding, change, time_ms: self.shared.clock.wall_ms() };
        self.shared.pending.send_modify(|count| *count += 1);
        if self.announcements.try_send(Announcement { entry }).is_err() {
            self.shared.sent("dropped");
        }
    }

    async fn flush(&self) {
        let mut pending = self.shared.pending.subscribe();
        if self.shared.connection().is_some() {
            // Longer is not worth it, because entries expire.
            let _ = timeout(FLUSH_MAX, pending.wait_for(|count| *count == 0)).await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}

impl Shared {
    /// Looks up an object's owner, with the result for the metric.
    async fn look_up(&self, object: &ObjectId) -> (&'static str, Option<Holding>) {
        let Some(mut connection) = self.connection() else { return ("failed", None) };
        // An untrusted writer may have written a long entry.
        let question = ::redis::cmd("GETRANGE")
            .arg(self.entry_key(object))
            .arg(0)
            .arg(ENTRY_BYTES_MAX)
            .to_owned();
        let asked: RedisResult<Vec<u8>> =
            match timeout(ANSWER_MAX, question.query_async(&mut connection)).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.close();
                    return ("failed", None);
                }
            };
        match asked {
            Ok(bytes) if bytes.is_empty() => ("miss", None),
            Ok(bytes) => match self.keys.open(&bytes, self.clock.wall_ms()) {
                Some(entry)
                    if entry.object == *object && entry.change != OwnershipChange::Released =>
                {
                    ("hit", Some(entry.holding))
                }
                _ => {
                    self.suspect();
                    ("refused", None)
                }
            },
            Err(error) => {
                if error.is_unrecoverable_error() {
                    self.close();
                }
                ("failed", None)
            }
        }
    }

    /// The connection, unless Redis is unavailable.
    fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.lock().clone()
    }

    fn set_connection(&self, connection: Option<MultiplexedConnection>) {
        metrics::gauge!("dotdo_directory_up").set(if connection.is_some() { 1.0 } else { 0.0 });
        *self.connection.lock() = connection;
    }

    /// Redis does not respond: no further lookups until it is back.
    fn close(&self) {
        self.set_connection(None);
        self.closed.notify_one();
    }

    /// An announcement was sent or dropped.
    fn sent(&self, result: &'static str) {
        self.pending.send_modify(|count| *count -= 1);
        metrics::counter!("dotdo_directory_announced_total", "result" => result).increment(1);
    }

    /// An entry was written without the secret, or is too old, or the clocks differ. Logged once.
    fn suspect(&self) {
        if !self.is_suspicious.swap(true, Ordering::Relaxed) {
            let address = &self.address;
            tracing::warn!(
                address,
                "Redis has an entry that was not written with this peer_secret, or by a server with a wrong clock; such entries are ignored, and this is logged once"
            );
        }
    }

    /// The key of an object's owner.
    fn entry_key(&self, object: &ObjectId) -> String {
        format!("dotdo:{}:owner:{}", self.keys.bucket(), object.prefix())
    }

    /// The channel for changes.
    fn channel(&self) -> String {
        format!("dotdo:{}:owners", self.keys.bucket())
    }
}
