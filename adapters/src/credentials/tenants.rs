//! Keys for each tenant's part of a bucket, on a server of many tenants: the process never has keys
//! of more than one part at once in a request, so that not even a bug of its own lets one tenant's
//! request reach another's objects.
//!
//! Promises: keys are cached by tenant until they end, and renewed by one exchange at a time for
//! each; those of tenants that nobody uses are forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use dotdo_core::sync::Mutex;
use dotdo_core::{
    Bucket, Buckets, Clock, ProvidedKeys, Random, Result, S3Config, S3Credentials, S3Opener,
    StoreConfig, Tenant,
};

use super::broker::Broker;
use super::cache::{KeySource, RenewedKeys};
use super::parts::Part;
use super::sts::Sts;

/// Number of tenants from which on those that nobody uses are forgotten, with their keys. Keys and
/// client of a tenant take about 10 KiB.
const KEPT_MIN: usize = 4096;

/// Who gives keys for the parts of a bucket.
pub(super) enum Giver {
    Sts(Sts),
    /// It is asked for keys of what all tenants share.
    Broker(Arc<Broker>),
}

/// Where the keys of a bucket's parts come from.
pub(crate) struct KeysByTenant {
    place: S3Config,
    giver: Giver,
    clock: Arc<dyn Clock>,
}

impl KeysByTenant {
    pub(super) fn new(place: S3Config, giver: Giver, clock: Arc<dyn Clock>) -> Self {
        Self { place, giver, clock }
    }

    /// The bucket with keys for what all tenants share.
    ///
    /// # Errors
    ///
    /// `Internal` when no policy can name its part.
    pub(super) fn shared(&self) -> Result<StoreConfig> {
        let credentials = S3Credentials::Provided(self.keys(&Part::Shared)?);
        Ok(StoreConfig::S3(S3Config { credentials, ..self.place.clone() }))
    }

    /// The buckets of all tenants, where `shared` has the keys for what they share.
    pub(crate) fn buckets(
        self,
        shared: Arc<dyn Bucket>,
        random: Arc<dyn Random>,
    ) -> Arc<dyn Buckets> {
        let opener = S3Opener::new(self.place.clone(), Arc::clone(&self.clock), random);
        Arc::new(ByTenant { keys: self, opener, shared, kept: Mutex::default() })
    }

    fn keys(&self, part: &Part) -> Result<ProvidedKeys> {
        let source: Arc<dyn KeySource> = match (&self.giver, part) {
            (Giver::Sts(sts), part) => Arc::new(sts.for_part(&self.place, part)?),
            (Giver::Broker(broker), Part::Shared) => Arc::clone(broker) as _,
            (Giver::Broker(broker), Part::Tenant(tenant)) => Arc::new(broker.for_tenant(tenant)),
        };
        Ok(ProvidedKeys::new(Arc::new(RenewedKeys::new(source, Arc::clone(&self.clock)))))
    }
}

impl std::fmt::Debug for KeysByTenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeysByTenant").field("bucket", &self.place.bucket).finish_non_exhaustive()
    }
}

/// One bucket, reached with other keys for each tenant.
struct ByTenant {
    keys: KeysByTenant,
    opener: S3Opener,
    shared: Arc<dyn Bucket>,
    kept: Mutex<HashMap<Tenant, Arc<dyn Bucket>>>,
}

impl Buckets for ByTenant {
    fn of(&self, tenant: &Tenant) -> Result<Arc<dyn Bucket>> {
        let mut kept = self.kept.lock();
        if let Some(bucket) = kept.get(tenant) {
            return Ok(Arc::clone(bucket));
        }
        if kept.len() >= KEPT_MIN && kept.len().is_power_of_two() {
            kept.retain(|_, bucket| Arc::strong_count(bucket) > 1);
        }
        let bucket = self.opener.open(self.keys.keys(&Part::Tenant(tenant.clone()))?)?;
        kept.insert(tenant.clone(), Arc::clone(&bucket));
        Ok(bucket)
    }

    fn shared(&self) -> Option<Arc<dyn Bucket>> {
        Some(Arc::clone(&self.shared))
    }
}
