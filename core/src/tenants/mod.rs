//! The tenants of a process: where the objects of each are, the bucket through which they are
//! reached, the places that they share, and the end of a tenant.
//!
//! Promises: nothing of the core reads or writes a bucket except through a [`TenantBucket`], which
//! refuses every key of another tenant, whatever made it, and every write of a closed one. Must not
//! know: objects, requests.

mod bucket;
mod buckets;
mod connections;
mod coordinated;
mod deletion;
mod known;
mod places;
mod registry;
mod standing;

pub(crate) use bucket::TenantBucket;
pub use buckets::{BucketOfTenant, Buckets, SHARED_FOLDERS, SharedBucket};
pub(crate) use connections::Connections;
pub use coordinated::with_log;
pub(crate) use known::Tenants;
pub(crate) use places::{Place, Places};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use registry::fuzz;
