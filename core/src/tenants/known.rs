//! The tenants that a process has met: each with its part of a bucket, from one place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::{Clock, Random};
use crate::error::Result;
use crate::id::Tenant;
use crate::limits::TENANTS_KEPT_MIN;
use crate::store::{Bucket, Key, probe};
use crate::sync::Mutex;
use crate::tenants::{Buckets, TenantBucket, deletion, registry};

/// The tenants that this process has met.
pub(crate) struct Tenants {
    buckets: Arc<dyn Buckets>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    met: Mutex<Met>,
}

#[derive(Default)]
struct Met {
    by_tenant: BTreeMap<Tenant, Arc<TenantBucket>>,
    /// When there are so many, those that nobody uses are forgotten.
    forget_at: usize,
}

/// Tenants whose markers are looked after, and where more of them are found.
pub(crate) struct TenantPage {
    pub(crate) tenants: Vec<Tenant>,
    /// Where the next page begins; `None` after the last one.
    pub(crate) next: Option<Key>,
}

impl Tenants {
    pub(crate) fn new(
        buckets: Arc<dyn Buckets>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let met = Met { forget_at: TENANTS_KEPT_MIN, ..Met::default() };
        Self { buckets, clock, random, met: Mutex::new(met) }
    }

    /// Makes sure that the buckets can be used, as far as they are known already.
    ///
    /// # Errors
    ///
    /// `StoreRefused` when a bucket lacks properties that correctness depends on; `Unavailable`
    /// when it can't be reached.
    pub(crate) async fn probe(&self) -> Result<()> {
        if let Some(shared) = self.buckets.shared() {
            return probe(shared.as_ref(), self.clock.as_ref(), self.random.as_ref()).await;
        }
        for tenant in self.buckets.tenants() {
            self.bucket(&tenant)?.ensure_open().await?;
        }
        Ok(())
    }

    /// Whether the store answers.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn ready(&self) -> Result<()> {
        if let Some(shared) = self.buckets.shared() {
            return registry::is_readable(shared.as_ref()).await;
        }
        for tenant in self.buckets.tenants() {
            self.bucket(&tenant)?.list(tenant.prefix(), None, 1).await?;
        }
        Ok(())
    }

    /// The part of a bucket that belongs to `tenant`.
    ///
    /// # Errors
    ///
    /// Those of [`Buckets::of`].
    pub(crate) fn bucket(&self, tenant: &Tenant) -> Result<Arc<TenantBucket>> {
        let mut met = self.met.lock();
        if let Some(bucket) = met.by_tenant.get(tenant) {
            return Ok(bucket.clone());
        }
        let inner = self.buckets.of(tenant)?;
        let probe = match self.buckets.shared() {
            Some(_) => None,
            None => Some(self.random.clone()),
        };
        let bucket = Arc::new(TenantBucket::new(tenant.clone(), inner, self.clock.clone(), probe));
        if met.by_tenant.len() >= met.forget_at {
            met.by_tenant.retain(|_, bucket| Arc::strong_count(bucket) > 1);
            met.forget_at = TENANTS_KEPT_MIN.max(2 * met.by_tenant.len());
        }
        met.by_tenant.insert(tenant.clone(), bucket.clone());
        Ok(bucket)
    }

    /// Makes sure that others find the markers of the tenant of `bucket`. One request for each
    /// tenant that this process meets; the local tenant is known to all.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn register(&self, bucket: &TenantBucket) -> Result<()> {
        let Some(shared) = self.buckets.shared().filter(|_| !bucket.tenant().is_local()) else {
            return Ok(());
        };
        let mut is_registered = bucket.registered().lock().await;
        if !*is_registered {
            registry::register(shared.as_ref(), bucket.tenant()).await?;
            *is_registered = true;
        }
        Ok(())
    }

    /// The tenants whose markers are looked after, a page at a time. The first page, which has no
    /// `after`, begins with those that are on no list.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn page(&self, after: Option<&Key>) -> Result<TenantPage> {
        let Some(shared) = self.buckets.shared() else {
            return Ok(TenantPage { tenants: self.buckets.tenants(), next: None });
        };
        let (mut tenants, next) = registry::page(shared.as_ref(), after).await?;
        if after.is_none() {
            tenants.insert(0, Tenant::local());
        }
        Ok(TenantPage { tenants, next })
    }

    /// The bucket with what all tenants share, if this process reaches it.
    pub(super) fn shared(&self) -> Option<Arc<dyn Bucket>> {
        self.buckets.shared()
    }

    /// The tenants of this process, where nothing is shared.
    pub(super) fn own(&self) -> Vec<Tenant> {
        self.buckets.tenants()
    }

    /// The tenants that this process has met.
    pub(crate) fn met(&self) -> Vec<Tenant> {
        self.met.lock().by_tenant.keys().cloned().collect()
    }

    /// The tenants that are known to be closed, each once.
    pub(crate) fn newly_closed(&self) -> BTreeSet<Tenant> {
        let met = self.met.lock();
        let closed = met.by_tenant.values().filter(|bucket| bucket.is_closed_anew());
        closed.map(|bucket| bucket.tenant().clone()).collect()
    }

    /// Closes `tenant`.
    ///
    /// # Errors
    ///
    /// `Invalid` for the local tenant, those of [`Buckets::of`], and those of the store.
    pub(crate) async fn close(&self, tenant: &Tenant) -> Result<()> {
        deletion::close(self.bucket(tenant)?.as_ref()).await
    }

    /// Deletes all that `tenant`, which is closed, has; returns how many keys that were.
    ///
    /// # Errors
    ///
    /// `Conflict` when it is not closed, `Busy` when that was a short time ago, those of
    /// [`Buckets::of`], and those of the store.
    pub(crate) async fn delete(&self, tenant: &Tenant) -> Result<u64> {
        let deleted = deletion::delete(self.bucket(tenant)?.as_ref()).await?;
        if let Some(shared) = self.buckets.shared() {
            registry::unregister(shared.as_ref(), tenant).await?;
        }
        Ok(deleted)
    }
}
