//! Whether the store keeps its promises, how fast it answers, and how far its clock is from ours.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dotdo_core::{
    Bucket, Clock, Error, ErrorKind, Key, Part, Random, Result, StoreConfig, StoreError, Stores,
    check_store,
};

use crate::credentials::{Connected, Storage, Tokens, connect};
use crate::libsql::LibsqlAccess;
use crate::system::buckets::open;
use crate::system::components::{OsRandom, SystemClock};

/// Number of times that each operation is measured.
const ROUNDS: usize = 5;
/// Size of the objects that are written for it, in bytes: about that of a record.
const OBJECT_BYTES: usize = 1 << 10;
/// Maximum time for all of it. A store that takes longer is of no use to a server.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Maximum time for removing what was written.
const CLEANUP_MAX: Duration = Duration::from_secs(15);
/// Maximum number of objects that are written, with those of the check.
const OBJECTS_MAX: usize = 1000;

/// A store that can be used.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use dotdo::ServeOptions;
/// use dotdo::commands::Premises;
///
/// let options = ServeOptions { storage: Some("memory://".to_owned()), ..ServeOptions::default() };
/// let store = Premises::of(options, None)?.check_store().await?;
/// println!("{} takes {} ms for a read", store.location, store.latencies.get_ms);
/// if let Some(database) = store.database {
///     println!("{} takes {:?} ms for a write", database.location, database.latencies.create_ms);
/// }
/// # Ok::<(), dotdo::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreCheck {
    /// Its URI.
    pub location: String,
    /// Whether it is in memory, so that nothing is kept.
    pub is_volatile: bool,
    /// Whether it is a folder that a server would create.
    pub is_new: bool,
    /// The store's clock minus this machine's, in milliseconds. `None` when the store tells no time.
    pub clock_ahead_ms: Option<i64>,
    /// How exact that is, in milliseconds.
    pub clock_error_ms: u64,
    /// How long operations take.
    pub latencies: StoreLatencies,
    /// The database that holds the log, if one does. The store then has the files of snapshots only.
    pub database: Option<DatabaseCheck>,
}

/// A database that can hold the log. [`StoreCheck`] has an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatabaseCheck {
    /// Its URL.
    pub location: String,
    /// The database's clock minus this machine's, in milliseconds. `None` when it tells no time.
    pub clock_ahead_ms: Option<i64>,
    /// How exact that is, in milliseconds.
    pub clock_error_ms: u64,
    /// How long operations take.
    pub latencies: StoreLatencies,
}

/// The median times of operations with an object of 1 KiB, one after another. [`StoreCheck`] has an
/// example.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StoreLatencies {
    /// Creating an object if it is absent, in milliseconds: a durable write. `None` where a database
    /// does that.
    pub create_ms: Option<f64>,
    /// Replacing an object, in milliseconds.
    pub put_ms: f64,
    /// Reading an object, in milliseconds.
    pub get_ms: f64,
    /// Listing objects, in milliseconds.
    pub list_ms: f64,
}

/// Checks the store that the settings name.
///
/// # Errors
///
/// Why a server could not use it.
pub(super) async fn check(
    storage: &Storage,
    tokens: &Tokens,
    database: &LibsqlAccess,
) -> Result<StoreCheck> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let Connected { store, tenant, .. } =
        within(connect(storage, tokens, Arc::clone(&clock))).await??;
    let trial = match &store {
        StoreConfig::Folder { path } => Some(TrialFolder::make(path)?),
        _ => None,
    };
    let tried = match &trial {
        Some(trial) => StoreConfig::Folder { path: trial.path.clone() },
        None => store.clone(),
    };
    let bytes = OsRandom.bytes16();
    let instance = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let bucket = open(&tried, database, instance, Arc::clone(&clock))?;
    let name = format!(".dotdo/doctor-{}", instance.simple());
    let root = match &tenant {
        Some(tenant) => tenant.prefix().join(name),
        None => Key::new(name),
    };
    let (seen, database) = measured(bucket.as_ref(), &root, clock.as_ref()).await?;
    let location = match &store {
        StoreConfig::Folder { path } => absolute(path),
        _ => bucket.location().to_owned(),
    };
    Ok(StoreCheck {
        location,
        is_volatile: matches!(store, StoreConfig::Memory),
        is_new: trial.is_some_and(|trial| trial.is_new),
        clock_ahead_ms: seen.clock_ahead_ms,
        clock_error_ms: seen.clock_error_ms,
        latencies: seen.latencies,
        database,
    })
}

/// What was seen of one store; of the two of a bucket, the one with the log is a database.
type Seen = DatabaseCheck;

/// Checks and measures below `root`, and removes everything below it, also when it was interrupted
/// by Ctrl-C or took too long.
async fn measured(
    bucket: &dyn Bucket,
    root: &Key,
    clock: &dyn Clock,
) -> Result<(Seen, Option<DatabaseCheck>)> {
    let work = async {
        check_store(bucket, &root.join("check"), &OsRandom).await?;
        let times = root.join("times");
        match bucket.stores() {
            None => Ok((seen(bucket, &times, clock, Creates::IfAbsent).await?, None)),
            Some(Stores { log, files }) => Ok((
                seen(files, &times, clock, Creates::No).await?,
                Some(seen(log, &times, clock, Creates::IfAbsent).await?),
            )),
        }
    };
    let outcome = tokio::select! {
        outcome = within(work) => outcome.and_then(|outcome| outcome),
        _ = tokio::signal::ctrl_c() => {
            Err(Error::new(ErrorKind::Unavailable, "interrupted; what was written to the store is removed"))
        }
    };
    let removed = tokio::time::timeout(CLEANUP_MAX, remove(bucket, root)).await;
    let outcome = outcome?;
    match removed {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) => Err(left_over(bucket, root, &error.to_string())),
        Err(_) => Err(left_over(bucket, root, "it does not answer")),
    }
}

fn left_over(bucket: &dyn Bucket, root: &Key, why: &str) -> Error {
    let place = bucket.location();
    Error::new(
        ErrorKind::StoreRefused,
        format!(
            "what the check wrote to {place}/{root} can't be removed: {why}; allow deletes, which snapshots need as well, and remove it"
        ),
    )
}

/// Whether a store is asked to create what is absent.
#[derive(Clone, Copy, PartialEq)]
enum Creates {
    IfAbsent,
    No,
}

async fn seen(store: &dyn Bucket, root: &Key, clock: &dyn Clock, creates: Creates) -> Result<Seen> {
    let latencies = latencies(store, root, creates).await.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("the store can't be measured: {error}"))
    })?;
    Ok(Seen {
        location: store.location().to_owned(),
        // From the answers so far.
        clock_ahead_ms: store.store_time_ms(Part::Log).map(|now_ms| now_ms - clock.wall_ms()),
        clock_error_ms: store.store_time_error().as_millis().try_into().unwrap_or(u64::MAX),
        latencies,
    })
}

async fn latencies(
    bucket: &dyn Bucket,
    root: &Key,
    creates: Creates,
) -> Result<StoreLatencies, StoreError> {
    let bytes = Bytes::from(vec![b'x'; OBJECT_BYTES]);
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..ROUNDS {
        let (created, put) =
            (root.join(format!("create-{round}")), root.join(format!("put-{round}")));
        if creates == Creates::IfAbsent {
            times[0].push(timed(bucket.create(&created, bytes.clone())).await?);
        }
        times[1].push(timed(bucket.put(&put, bytes.clone())).await?);
        times[2].push(timed(bucket.get_within(&put, OBJECT_BYTES as u64)).await?);
        times[3].push(timed(bucket.list(root, None, OBJECTS_MAX)).await?);
    }
    let [create_ms, put_ms, get_ms, list_ms] = times.map(|mut times| median_ms(&mut times));
    let create_ms = (creates == Creates::IfAbsent).then_some(create_ms);
    Ok(StoreLatencies { create_ms, put_ms, get_ms, list_ms })
}

async fn timed<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<Duration, StoreError> {
    let began = Instant::now();
    operation.await?;
    Ok(began.elapsed())
}

fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

async fn remove(bucket: &dyn Bucket, root: &Key) -> Result<(), StoreError> {
    if let Some(Stores { log, files }) = bucket.stores() {
        let (log, files) = tokio::join!(remove_from(log, root), remove_from(files, root));
        return log.and(files);
    }
    remove_from(bucket, root).await
}

async fn remove_from(bucket: &dyn Bucket, root: &Key) -> Result<(), StoreError> {
    let left = bucket.list(root, None, OBJECTS_MAX).await?;
    let keys: Vec<Key> = left.into_iter().map(|entry| entry.key).collect();
    if keys.is_empty() { Ok(()) } else { bucket.delete(&keys).await }
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(TIME_MAX, work).await.map_err(|_| {
        let seconds = TIME_MAX.as_secs();
        Error::new(
            ErrorKind::Unavailable,
            format!("the store took more than {seconds} s; check the endpoint and the network"),
        )
    })
}

/// A folder of its own inside of the folder for the state, on the same file system, so that nothing
/// of the check is seen by a server or left behind.
struct TrialFolder {
    path: PathBuf,
    is_new: bool,
}

impl TrialFolder {
    fn make(state: &Path) -> Result<Self> {
        let is_new = !state.exists();
        // A folder that a server would create is tried in the nearest one that there is.
        let absolute = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
        let place = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
        let name = uuid::Builder::from_random_bytes(OsRandom.bytes16()).into_uuid().simple();
        let path = place.join(format!(".dotdo-doctor-{name}"));
        std::fs::create_dir(&path).map_err(|cause| {
            let place = place.display();
            Error::new(
                ErrorKind::Unavailable,
                format!("cannot use the folder {place} for state: {cause}; choose another storage, or make it writable"),
            )
        })?;
        Ok(Self { path, is_new })
    }
}

impl Drop for TrialFolder {
    fn drop(&mut self) {
        // What is left of it has a name that says whose it is.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("file://{}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        let ms = Duration::from_millis;
        assert!((median_ms(&mut [ms(9), ms(1), ms(5)]) - 5.0).abs() < 1e-9);
        assert!(median_ms(&mut []).abs() < 1e-9);
    }

    #[tokio::test]
    async fn a_folder_is_checked_and_nothing_is_left_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, is_new) in [(folder.path().to_owned(), false), (folder.path().join("a/b"), true)]
        {
            let storage = Storage::Known(StoreConfig::Folder { path });
            let tokens = Tokens::new(&storage, None);
            let found = check(&storage, &tokens, &LibsqlAccess::default()).await;
            let found = found.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(found.is_new, is_new);
            assert!(
                found.location.starts_with("file:///") && found.latencies.create_ms > Some(0.0)
            );
            assert!(found.clock_ahead_ms.expect("files have times").abs() < 60_000);
            assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
        }
    }
}
