//! Builds a bucket from a configuration: the backend, then wrappers that each do one thing.

use std::sync::Arc;

use uuid::Uuid;

use super::Bucket;
use super::config::StoreConfig;
#[cfg(feature = "s3")]
use super::config::{S3Config, S3Credentials};
use super::folder::Folder;
#[cfg(feature = "s3")]
use super::keys::ProvidedKeys;
use super::memory::Memory;
use super::metrics::Metered;
#[cfg(feature = "network")]
use super::remote;
use super::retry::Retrying;
use super::time::StoreTime;
use crate::clock::{Clock, Random};
#[cfg(any(test, not(all(feature = "s3", feature = "gcs", feature = "azure-blob"))))]
use crate::error::Error;
use crate::error::Result;

/// Opens the store that `config` names, for the server that calls itself `instance` in the log.
///
/// Nothing is sent to a network store yet; a folder is created. Whether the store keeps its
/// promises is [`probe`](super::probe())'s job.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, StoreConfig, Uuid, open};
/// use dotdo::testing::{CountingRandom, ManualClock};
///
/// let (clock, random) =
///     (Arc::new(ManualClock::new()), Arc::new(CountingRandom::starting_at(1)));
/// let bucket = open(&StoreConfig::Memory, Uuid::from_u128(1), clock, random)?;
/// bucket.put(&Key::new("report"), "3 orders".into()).await?;
/// assert!(bucket.get(&Key::new("report")).await?.is_some());
/// # Ok(())
/// # });
/// ```
///
/// # Errors
///
/// `Invalid` when the configuration can't name a store, or names one that the program was built
/// without (a cargo feature), `Unavailable` when a folder can't be created or written.
pub fn open(
    config: &StoreConfig,
    instance: Uuid,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Bucket>> {
    Ok(open_files(config, instance, clock, random)?.bucket)
}

/// Opens one S3 bucket with several keys, such as those of each tenant: what is opened shares its
/// connections and its knowledge of the store's clock.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::sync::Arc;
///
/// use dotdo::engine::{
///     AccessKeyProvider, AccessKeys, AccessKeysError, Bucket, ProvidedKeys, S3Config,
///     S3Opener, Secret, async_trait,
/// };
/// use dotdo::testing::{CountingRandom, ManualClock};
///
/// /// The keys of one tenant.
/// struct Fixed(Arc<AccessKeys>);
///
/// #[async_trait]
/// impl AccessKeyProvider for Fixed {
///     async fn keys(&self) -> Result<Arc<AccessKeys>, AccessKeysError> {
///         Ok(self.0.clone())
///     }
///
///     fn refused(&self, _: &str) {}
/// }
///
/// let config = S3Config { bucket: "state".to_owned(), ..S3Config::default() };
/// let (clock, random) =
///     (Arc::new(ManualClock::new()), Arc::new(CountingRandom::starting_at(1)));
/// let opener = S3Opener::new(config, clock, random);
/// let keys = AccessKeys {
///     access_key_id: "AKIA…".to_owned(),
///     secret_access_key: Secret::new("…"),
///     session_token: None,
/// };
/// let bucket = opener.open(ProvidedKeys::new(Arc::new(Fixed(Arc::new(keys)))))?;
/// assert_eq!(bucket.location(), "s3://state");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[cfg(feature = "s3")]
pub struct S3Opener {
    config: S3Config,
    door: remote::S3Door,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

#[cfg(feature = "s3")]
impl S3Opener {
    /// Opens the bucket of `config`, whose credentials are not used.
    pub fn new(config: S3Config, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let door = remote::S3Door::new(&config, Arc::new(StoreTime::new(Arc::clone(&clock))));
        Self { config, door, clock, random }
    }

    /// The bucket with these keys.
    ///
    /// # Errors
    ///
    /// `Invalid` when the configuration can't name a bucket.
    pub fn open(&self, keys: ProvidedKeys) -> Result<Arc<dyn Bucket>> {
        let config = S3Config { credentials: S3Credentials::Provided(keys), ..self.config.clone() };
        let parts = remote::s3(&config, &self.door)?;
        Ok(on_network(parts, Arc::clone(&self.clock), Arc::clone(&self.random)).bucket)
    }
}

/// A store for the files of snapshots, beside another one that holds the log. It needs no
/// create-if-absent, because the other one coordinates. [`with_log`](crate::with_log) has an example.
pub struct Files {
    pub(crate) bucket: Arc<dyn Bucket>,
    /// The same store, whose puts are one request.
    pub(crate) once: Arc<dyn Bucket>,
}

impl Files {
    /// [`Bucket::location`].
    pub fn location(&self) -> &str {
        self.bucket.location()
    }
}

/// Opens the store that `config` names for the files beside a log that another store holds
/// ([`with_log`](crate::with_log)).
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::sync::Arc;
///
/// use dotdo::engine::{S3Config, StoreConfig, Uuid, open_files};
/// use dotdo::testing::{CountingRandom, ManualClock};
///
/// let config = S3Config {
///     bucket: "snapshots".to_owned(),
///     endpoint: Some("https://fsn1.your-objectstorage.com".to_owned()),
///     ..S3Config::default()
/// };
/// let (clock, random) =
///     (Arc::new(ManualClock::new()), Arc::new(CountingRandom::starting_at(1)));
/// let files = open_files(&StoreConfig::S3(config), Uuid::from_u128(1), clock, random)?;
/// assert_eq!(files.location(), "s3://snapshots");
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`open`].
#[cfg_attr(
    not(feature = "network"),
    expect(unused_variables, reason = "only requests to a network are tried again")
)]
pub fn open_files(
    config: &StoreConfig,
    instance: Uuid,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Files> {
    let time = Arc::new(StoreTime::new(Arc::clone(&clock)));
    match config {
        StoreConfig::Memory => Ok(local(Memory::new(Arc::clone(&clock)), clock)),
        StoreConfig::Folder { path } => Ok(local(Folder::open(path, instance, time)?, clock)),
        #[cfg(feature = "s3")]
        StoreConfig::S3(config) => {
            let door = remote::S3Door::new(config, time);
            Ok(on_network(remote::s3(config, &door)?, clock, random))
        }
        #[cfg(feature = "gcs")]
        StoreConfig::Gcs(config) => Ok(on_network(remote::gcs(config, time)?, clock, random)),
        #[cfg(feature = "azure-blob")]
        StoreConfig::Azure(config) => Ok(on_network(remote::azure(config, time)?, clock, random)),
        #[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure-blob")))]
        other => Err(left_out(other)),
    }
}

/// A bucket of another client: its requests are counted, and sent again where that is safe and they
/// were unavailable.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory, retried};
/// use dotdo::testing::{CountingRandom, Fault, FaultyBucket, ManualClock, Operation};
///
/// let clock = Arc::new(ManualClock::moved_by_sleep());
/// let faulty = FaultyBucket::around(Arc::new(Memory::new(clock.clone())));
/// faulty.fail_next(Operation::Get, [Fault::NotApplied]);
/// let bucket = retried(faulty, clock, Arc::new(CountingRandom::starting_at(1)));
/// assert!(bucket.get(&Key::new("report")).await?.is_none(), "the second try has an answer");
/// # Ok(())
/// # });
/// ```
pub fn retried(
    bucket: impl Bucket,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Arc<dyn Bucket> {
    let bucket = Metered::new(bucket, Arc::clone(&clock));
    Arc::new(Retrying::new(bucket, clock, random))
}

/// A bucket on this machine: counted, and asked once.
fn local(bucket: impl Bucket, clock: Arc<dyn Clock>) -> Files {
    let bucket: Arc<dyn Bucket> = Arc::new(Metered::new(bucket, clock));
    Files { once: Arc::clone(&bucket), bucket }
}

/// A bucket on the network: counted, and asked again where that is safe.
#[cfg(feature = "network")]
fn on_network(parts: remote::Parts, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Files {
    let once = remote::Remote::new(parts.clone(), Arc::clone(&clock));
    let remote = remote::Remote::new(parts, Arc::clone(&clock));
    Files {
        once: Arc::new(Metered::new(once, Arc::clone(&clock))),
        bucket: retried(remote, clock, random),
    }
}

/// The program has no client for this store.
#[cfg(any(test, not(all(feature = "s3", feature = "gcs", feature = "azure-blob"))))]
fn left_out(config: &StoreConfig) -> Error {
    let feature = config.feature().unwrap_or_default();
    Error::invalid(format!(
        "this program was built without the feature `{feature}`, which its storage needs; add the feature to the dependency `dotdo` in Cargo.toml, or choose another storage"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::config::{AzureConfig, GcsConfig, S3Config};
    use super::*;

    #[test]
    fn a_store_that_was_left_out_is_named_with_its_feature() {
        for (config, feature) in [
            (StoreConfig::S3(S3Config::default()), "`s3`"),
            (StoreConfig::Gcs(GcsConfig::default()), "`gcs`"),
            (StoreConfig::Azure(AzureConfig::default()), "`azure-blob`"),
        ] {
            let error = left_out(&config);
            assert!(error.message().contains(feature), "{}", error.message());
        }
    }
}
