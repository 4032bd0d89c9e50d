//! Checks, before the first write, the property of a store on which everything depends: of several
//! creates of one key, exactly one succeeds, and every later read sees what it wrote.
//!
//! A store without it is refused with an error that names the store. A store without clear
//! responses is not refused but unavailable. The verdict is stored in the bucket under [`VERDICT`],
//! so that later starts cost one request.

mod holder;

use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{Bucket, Key, StoreError};
use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::HINT_BYTES_MAX;

/// The folder of all keys of probes.
pub(crate) const FOLDER: &str = ".dotdo";
/// The key of the verdict.
const VERDICT: &str = ".dotdo/probe.json";
/// The prefix of the keys of probes, which are deleted at the end.
const SCRATCH: &str = ".dotdo/probe";
/// The version of the verdict's format, raised when the probe checks more.
const VERSION: u32 = 1;
/// Number of concurrent creates of one key.
const RIVALS: usize = 8;
/// Number of concurrent races.
const RACES: usize = 4;
/// Size of a rival's object, in bytes. A store that checks first and writes later is caught while
/// the bytes are in transit: with four races and this size one was caught every time, with a few
/// bytes every second time.
const RIVAL_BYTES: usize = 64 << 10;
/// Maximum number of probes if the responses are unclear.
const TRIES: usize = 3;

/// The content of [`VERDICT`].
#[derive(Debug, Serialize, Deserialize)]
struct Verdict {
    version: u32,
    /// [`Bucket::location`]; a copied bucket is another store.
    location: String,
    /// When the probe ended, in milliseconds since 1970 by the prober's clock; for people.
    checked_ms: i64,
    /// The identity of the store that holds the log, if it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

impl Verdict {
    /// Whether it is about this bucket, and this version of the probe.
    fn counts(&self, bucket: &dyn Bucket) -> bool {
        self.version == VERSION && self.location == bucket.location()
    }
}

/// Why a store failed the probe.
enum Failure {
    /// Its responses contradict each other or the contract.
    Broken(String),
    /// It did not respond, or refused.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Probes the store unless it has passed before.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::engine::probe;
/// use dotdo::testing::{CountingRandom, ManualClock};
///
/// # let bucket = dotdo_core::testing::examples::bucket();
/// let (clock, random) = (ManualClock::new(), CountingRandom::starting_at(1));
/// probe(&*bucket, &clock, &random).await?;
/// // From now on it is one request, which reads the verdict.
/// probe(&*bucket, &clock, &random).await?;
/// # Ok(())
/// # });
/// ```
///
/// # Errors
///
/// `StoreRefused` when the store violates the contract or does not allow writes, with a message
/// that says what to do; `Unavailable` when it does not respond.
pub async fn probe(bucket: &dyn Bucket, clock: &dyn Clock, random: &dyn Random) -> Result<()> {
    probe_below(bucket, &Key::new(""), (clock, random)).await
}

/// The same with keys below `root`, for a process that can reach no others.
///
/// # Errors
///
/// Those of [`probe`].
pub(crate) async fn probe_below(
    bucket: &dyn Bucket,
    root: &Key,
    (clock, random): (&dyn Clock, &dyn Random),
) -> Result<()> {
    if let Some(stores) = bucket.stores() {
        return holder::probe(stores, root, (clock, random)).await;
    }
    let verdict = stored_verdict(bucket, root).await?;
    if let Some(verdict) = verdict {
        if verdict.log.is_some() {
            return Err(holder::elsewhere(bucket));
        }
        if verdict.counts(bucket) {
            return Ok(());
        }
    }
    run(bucket, root, random).await?;
    write_verdict(bucket, root, (clock, None)).await?;
    if holder::others(bucket, root, None).await? { Err(holder::elsewhere(bucket)) } else { Ok(()) }
}

/// Runs the checks until they are clear.
async fn run(bucket: &dyn Bucket, root: &Key, random: &dyn Random) -> Result<()> {
    let mut tries = 1;
    while let Err(failure) = checks(bucket, &below(root, SCRATCH), random).await {
        match failure {
            Failure::Store(StoreError::Unavailable { .. } | StoreError::Exists { .. })
                if tries < TRIES =>
            {
                tries += 1
            }
            Failure::Store(error) => return Err(unanswered(bucket, &error)),
            Failure::Broken(promise) => return Err(refusal(bucket, &promise)),
        }
    }
    Ok(())
}

/// Remembers that the bucket has passed; `log` is the identity of the store that holds its log, if
/// that is another one.
async fn write_verdict(
    bucket: &dyn Bucket,
    root: &Key,
    (clock, log): (&dyn Clock, Option<String>),
) -> Result<()> {
    let verdict = Verdict {
        version: VERSION,
        location: bucket.location().to_owned(),
        checked_ms: clock.wall_ms(),
        log,
    };
    let bytes =
        serde_json::to_vec_pretty(&verdict).map_err(|error| Error::internal(error.to_string()))?;
    let put = bucket.put(&below(root, VERDICT), bytes.into()).await;
    put.map_err(|error| unanswered(bucket, &error))
}

/// Checks what [`probe`] checks with keys below `scratch`, whatever an earlier verdict says, and
/// removes them: for people who ask whether a store can be used. Of a bucket that is made of two,
/// each is checked for what it is needed for.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::engine::{Bucket, Key, check_store};
/// use dotdo::testing::CountingRandom;
///
/// # let bucket = dotdo_core::testing::examples::bucket();
/// check_store(&*bucket, &Key::new(".dotdo/check"), &CountingRandom::starting_at(1)).await?;
/// assert!(bucket.list(&Key::new(""), None, 1).await?.is_empty(), "nothing is left behind");
/// # Ok(())
/// # });
/// ```
///
/// # Errors
///
/// Those of [`probe`].
pub async fn check_store(bucket: &dyn Bucket, scratch: &Key, random: &dyn Random) -> Result<()> {
    let log = match bucket.stores() {
        Some(stores) => {
            holder::check_files(stores.files, scratch).await?;
            stores.log
        }
        None => bucket,
    };
    checks(log, scratch, random).await.map_err(|failure| match failure {
        Failure::Store(error) => unanswered(log, &error),
        Failure::Broken(promise) => refusal(log, &promise),
    })
}

fn below(root: &Key, name: &str) -> Key {
    Key::new(format!("{}{name}", root.below()))
}

/// The verdict in the bucket. An unreadable one is ignored.
async fn stored_verdict(bucket: &dyn Bucket, root: &Key) -> Result<Option<Verdict>> {
    let bytes = small(bucket, &below(root, VERDICT)).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The content of a small object; `None` if it is missing, or large and so not ours.
async fn small(bucket: &dyn Bucket, key: &Key) -> Result<Option<Bytes>> {
    match bucket.get_within(key, HINT_BYTES_MAX).await {
        Err(StoreError::TooLarge { .. }) => Ok(None),
        found => Ok(found.map_err(|error| unanswered(bucket, &error))?.map(|stored| stored.bytes)),
    }
}

/// Runs every check under fresh keys, and removes them.
async fn checks(bucket: &dyn Bucket, scratch: &Key, random: &dyn Random) -> Result<(), Failure> {
    let folder = scratch.join(hex(&random.bytes16()));
    let single = folder.join("single");
    let races: Vec<Key> = (0..RACES).map(|number| folder.join(format!("race-{number}"))).collect();
    let mut verdict = one_after_another(bucket, &folder, &single).await;
    if verdict.is_ok() {
        // Opens connections first, because rivals that wait for a connection do not race.
        join_all((0..RACES * RIVALS).map(|_| bucket.get_within(&races[0], RIVAL_BYTES as u64)))
            .await;
        verdict = join_all(races.iter().map(|key| race(bucket, key))).await.into_iter().collect();
    }
    let leftovers: Vec<Key> = races.into_iter().chain([single]).collect();
    // Leftovers are a few bytes under the probe's keys; the verdict matters more.
    let removed = bucket.delete(&leftovers).await;
    verdict?;
    removed?;
    Ok(())
}

/// Create, create again, read back, list.
async fn one_after_another(bucket: &dyn Bucket, folder: &Key, key: &Key) -> Result<(), Failure> {
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    if let Err(error) = bucket.create(key, first.clone()).await {
        // Whoever may put and may not create asks a store that has no creates.
        if matches!(error, StoreError::Refused { .. }) && bucket.put(key, first).await.is_ok() {
            return broken(&format!("it has no create-if-absent: {error}"));
        }
        return Err(error.into());
    }
    match bucket.create(key, second).await {
        Err(StoreError::Exists { .. }) => {}
        Ok(()) => {
            return broken(
                "a second create of the same key succeeded (`If-None-Match: *` is not honoured)",
            );
        }
        Err(error) => return Err(error.into()),
    }
    match bucket.get_within(key, HINT_BYTES_MAX).await? {
        Some(stored) if stored.bytes == first => {}
        Some(_) => return broken("a create that was answered with \"exists\" replaced the object"),
        None => return broken("an object that was just created can't be read"),
    }
    let listed = bucket.list(folder, None, 10).await?;
    if !listed.iter().any(|entry| entry.key == *key && entry.bytes == first.len() as u64) {
        return broken("an object that was just created is not listed");
    }
    Ok(())
}

/// Several creates of one key at the same time: exactly one may succeed, and its bytes must be
/// there.
async fn race(bucket: &dyn Bucket, key: &Key) -> Result<(), Failure> {
    let objects: Vec<Bytes> =
        (0..).take(RIVALS).map(|rival: u8| Bytes::from(vec![rival; RIVAL_BYTES])).collect();
    let answers = join_all(objects.iter().map(|bytes| bucket.create(key, bytes.clone()))).await;
    let winners: Vec<usize> = (0..RIVALS).filter(|rival| answers[*rival].is_ok()).collect();
    let stored = bucket.get_within(key, RIVAL_BYTES as u64).await?.map(|stored| stored.bytes);
    match (winners.as_slice(), stored) {
        ([winner], Some(stored)) if stored == objects[*winner] => Ok(()),
        ([_], Some(_)) => broken("a create that was answered with success is not what is stored"),
        ([_], None) => broken("an object that was just created can't be read"),
        ([], _) => {
            // No winner: unclear, unless every response was clear.
            let unclear = answers
                .into_iter()
                .filter_map(Result::err)
                .find(|error| !matches!(error, StoreError::Exists { .. }));
            Err(unclear.unwrap_or_else(|| StoreError::Exists { key: key.clone() }).into())
        }
        (many, _) => broken(&format!(
            "{} of {RIVALS} creates of one key at the same time succeeded",
            many.len()
        )),
    }
}

fn broken(promise: &str) -> Result<(), Failure> {
    Err(Failure::Broken(promise.to_owned()))
}

fn refusal(bucket: &dyn Bucket, promise: &str) -> Error {
    let message = format!(
        "the store {} can't be used: {promise}. Without create-if-absent two servers could both believe that they wrote, and writes would be lost. Use a store that supports it (Amazon S3, R2, GCS, Azure, Tigris, SeaweedFS 4 or a local folder), or a newer version of this one, or let a libSQL database hold the log (TURSO_URL)",
        bucket.location()
    );
    Error::new(ErrorKind::StoreRefused, message)
        .with_details(serde_json::json!({ "store": bucket.location(), "broken": promise }))
}

fn unanswered(bucket: &dyn Bucket, error: &StoreError) -> Error {
    let (kind, what) = match error {
        StoreError::Refused { .. } => (
            ErrorKind::StoreRefused,
            "can't be used; check the bucket's name, the endpoint and the credentials",
        ),
        _ => (ErrorKind::Unavailable, "cannot be probed now"),
    };
    Error::new(kind, format!("the store {} {what}: {error}", bucket.location()))
        .with_details(serde_json::json!({ "store": bucket.location() }))
        .telling_of_store()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
