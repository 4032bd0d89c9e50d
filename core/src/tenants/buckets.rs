//! Where the objects of each tenant are.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::id::Tenant;
use crate::store::{Bucket, PROBE_FOLDER};
use crate::tenants::registry;

/// The folders of a bucket that belong to no tenant: the verdict of the probe, and the list of
/// tenants. What [`Buckets::shared`] returns must reach no others.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Key, SHARED_FOLDERS};
///
/// /// Whether a key is for [`Buckets::shared`](dotdo::engine::Buckets::shared).
/// fn is_shared(key: &Key) -> bool {
///     let folder = key.as_str().split('/').next();
///     folder.is_some_and(|folder| SHARED_FOLDERS.contains(&folder))
/// }
///
/// assert!(is_shared(&Key::new(".dotdo/probe.json")));
/// assert!(!is_shared(&Key::new("acme/web/do/shop/north/lock")));
/// ```
pub const SHARED_FOLDERS: [&str; 2] = [PROBE_FOLDER, registry::FOLDER];

/// The buckets of the tenants that a process serves.
///
/// Usually all have the same one ([`SharedBucket`]). Tenants may have buckets of their own, or one
/// with credentials of their own; then this finds them.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Buckets, Tenant};
/// use dotdo::{Error, ErrorKind, Result};
///
/// /// A bucket for each tenant.
/// struct Separate(BTreeMap<Tenant, Arc<dyn Bucket>>);
///
/// impl Buckets for Separate {
///     fn of(&self, tenant: &Tenant) -> Result<Arc<dyn Bucket>> {
///         let none = || Error::new(ErrorKind::Forbidden, format!("{tenant} has no bucket here"));
///         self.0.get(tenant).cloned().ok_or_else(none)
///     }
///
///     fn shared(&self) -> Option<Arc<dyn Bucket>> {
///         None
///     }
///
///     fn tenants(&self) -> Vec<Tenant> {
///         self.0.keys().cloned().collect()
///     }
/// }
/// # let buckets = Separate(BTreeMap::from([(Tenant::local(), dotdo_core::testing::examples::bucket())]));
/// # assert!(buckets.of(&Tenant::local()).is_ok());
/// ```
pub trait Buckets: Send + Sync + 'static {
    /// The bucket that has the objects of `tenant`. It is asked for when the first object of a
    /// tenant is used and answers at once: what takes time, such as getting credentials, is done by
    /// the bucket's operations.
    ///
    /// # Errors
    ///
    /// `Forbidden` when this process does not reach the objects of `tenant`, and whatever else is a
    /// reason to have no bucket for it.
    fn of(&self, tenant: &Tenant) -> Result<Arc<dyn Bucket>>;

    /// The bucket that all tenants share, if there is one and this process reaches all of it: it
    /// has the list of tenants, and tells whether the process is ready.
    fn shared(&self) -> Option<Arc<dyn Bucket>>;

    /// The tenants whose objects are looked after without being asked for, where there is no shared
    /// bucket with a list of them.
    fn tenants(&self) -> Vec<Tenant> {
        Vec::new()
    }
}

/// One bucket for all tenants.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::sync::Arc;
///
/// use dotdo::engine::{Buckets, Memory, SharedBucket, Tenant};
/// use dotdo::testing::ManualClock;
///
/// let buckets = SharedBucket(Arc::new(Memory::new(Arc::new(ManualClock::new()))));
/// assert!(buckets.of(&Tenant::new("acme", "web")?).is_ok());
/// assert!(buckets.shared().is_some());
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedBucket(pub Arc<dyn Bucket>);

impl Buckets for SharedBucket {
    fn of(&self, _: &Tenant) -> Result<Arc<dyn Bucket>> {
        Ok(self.0.clone())
    }

    fn shared(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.0.clone())
    }
}

/// The bucket of a single tenant, for a process whose credentials reach no more than its prefix.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::ErrorKind;
/// use dotdo::engine::{BucketOfTenant, Buckets, Tenant};
///
/// let tenant = Tenant::new("acme", "web")?;
/// # let bucket = dotdo_core::testing::examples::bucket();
/// let buckets = BucketOfTenant { tenant: tenant.clone(), bucket };
/// assert!(buckets.of(&tenant).is_ok());
/// let error =
///     buckets.of(&Tenant::new("acme", "shop")?).err().expect("it is of another tenant");
/// assert_eq!(error.kind(), ErrorKind::Forbidden);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Clone)]
pub struct BucketOfTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// The bucket with its objects.
    pub bucket: Arc<dyn Bucket>,
}

impl Buckets for BucketOfTenant {
    fn of(&self, tenant: &Tenant) -> Result<Arc<dyn Bucket>> {
        if *tenant == self.tenant {
            return Ok(self.bucket.clone());
        }
        let text = format!("this server serves the tenant {} only", self.tenant);
        Err(Error::new(ErrorKind::Forbidden, text).with_code("WRONG_TENANT"))
    }

    fn shared(&self) -> Option<Arc<dyn Bucket>> {
        None
    }

    fn tenants(&self) -> Vec<Tenant> {
        vec![self.tenant.clone()]
    }
}
