//! A libSQL database, such as one of Turso, as the store that holds the log of a bucket.
//!
//! Promises: no write is sent twice unless the first answer proves that nothing was written; reads
//! are answered by the primary; every request ends within a time that depends on its size; the token
//! goes to the configured address only and is in no error. Must not know: which keys it holds, and
//! why.

mod access;
#[cfg(feature = "turso")]
mod answer;
#[cfg(feature = "turso")]
mod bucket;
#[cfg(feature = "turso")]
mod link;
#[cfg(feature = "turso")]
mod sql;
#[cfg(feature = "turso")]
mod statement;
#[cfg(feature = "turso")]
mod writer;

#[cfg(feature = "turso")]
use std::sync::Arc;

#[cfg(feature = "turso")]
use dotdo_core::{Bucket, Clock, Error, Random, Result, retried};

pub use self::access::LibsqlAccess;
pub(crate) use self::access::{ACCEPTED, is_database};
#[cfg(feature = "fuzzing")]
pub(crate) use self::answer::fuzz;
#[cfg(feature = "turso")]
use self::{bucket::Database, link::Link};

/// A libSQL database as the store that holds the log of the bucket at `place`
/// ([`Bucket::location`]); several buckets may share a database. Nothing is sent yet.
///
/// ```
/// use std::sync::Arc;
///
/// use dotdo::engine::{
///     Bucket, LibsqlAccess, OsRandom, Secret, StoreConfig, SystemClock, Uuid, open_files,
///     open_libsql, with_log,
/// };
///
/// let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(OsRandom));
/// let files = open_files(&StoreConfig::Memory, Uuid::nil(), clock.clone(), random.clone())?;
/// let url = Some(Secret::new("http://127.0.0.1:8080"));
/// let access = LibsqlAccess { url, ..LibsqlAccess::default() };
/// let log = open_libsql(&access, files.location(), clock, random)?;
/// let bucket = with_log(files, log);
/// assert_eq!(bucket.location(), "memory://");
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// `Invalid` when the URL can't be used.
#[cfg(feature = "turso")]
pub fn open_libsql(
    access: &LibsqlAccess,
    place: &str,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Bucket>> {
    let address = access.address().ok_or_else(|| {
        Error::invalid(format!("turso.url: expected {ACCEPTED}")).with_code("BAD_CONFIG")
    })?;
    let link = Link::new(address, access, Arc::clone(&clock))?;
    Ok(retried(Database::new(link, place), clock, random))
}
