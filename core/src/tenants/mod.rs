//! The tenants of a process: where the objects of each are, and the bucket through which they are
//! reached.
//!
//! Promises: nothing of the core reads or writes a bucket except through a [`TenantBucket`], which
//! refuses every key of another tenant, whatever made it. Must not know: objects, requests.

mod bucket;
mod buckets;

pub(crate) use bucket::TenantBucket;
pub use buckets::{BucketOfTenant, Buckets, SharedBucket};
