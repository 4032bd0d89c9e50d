//! Builds a bucket from a configuration: the backend, then wrappers that each do one thing.

use std::sync::Arc;

use uuid::Uuid;

use super::Bucket;
use super::config::StoreConfig;
use super::folder::Folder;
use super::memory::Memory;
use super::metrics::Metered;
use super::remote::{Parts, Remote, azure, gcs, s3};
use super::retry::Retrying;
use super::time::StoreTime;
use crate::clock::{Clock, Random};
use crate::error::Result;

/// Opens the store that `config` names, for the server that calls itself `instance` in the log.
///
/// Nothing is sent to a network store yet; a folder is created. Whether the store keeps its
/// promises is [`probe`](super::probe())'s job.
///
/// # Errors
///
/// `Invalid` when the configuration can't name a store, `Unavailable` when a folder can't be
/// created or written.
pub fn open(
    config: &StoreConfig,
    instance: Uuid,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Bucket>> {
    let time = Arc::new(StoreTime::new(Arc::clone(&clock)));
    let parts: Parts = match config {
        StoreConfig::Memory => {
            return Ok(Arc::new(Metered::new(Memory::new(Arc::clone(&clock)), clock)));
        }
        StoreConfig::Folder { path } => {
            return Ok(Arc::new(Metered::new(Folder::open(path, instance, time)?, clock)));
        }
        StoreConfig::S3(config) => s3(config, time)?,
        StoreConfig::Gcs(config) => gcs(config, time)?,
        StoreConfig::Azure(config) => azure(config, time)?,
    };
    let bucket = Metered::new(Remote::new(parts, Arc::clone(&clock)), Arc::clone(&clock));
    Ok(Arc::new(Retrying::new(bucket, clock, random)))
}
