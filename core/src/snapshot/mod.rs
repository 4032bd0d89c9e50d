//! Snapshots: the state of an object as Iceberg tables in the bucket, and back.
//!
//! Promises: a restored database is the one that was written, bit for bit, or there is an error
//! that names the key and what was expected; the cost of a snapshot depends on what changed since
//! its base; no file that a kept snapshot reaches is deleted. Must not know: the log, leases,
//! owners. It is told the last record of a snapshot, and does not decide when to write one.
//!
//! The life of a snapshot: a [`Tracker`] watches changes, [`Tracker::plan`] encodes files from the
//! database, [`upload`] and [`publish`] put them into the bucket, [`fetch`] and [`Fetched::decode`]
//! read them back, a [`Sweeper`] deletes unneeded files.

mod check;
mod columns;
mod content;
mod deletes;
mod described;
mod digest;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod index;
mod kept;
mod keys;
mod list;
mod plan;
mod point;
mod publish;
mod reference;
mod restore;
mod revise;
mod since;
mod sink;
mod stored;
mod sweep;
mod table;
mod tiers;
mod tracker;

pub(crate) use check::FileCheck;
pub(crate) use digest::Digest;
pub(crate) use kept::Kept;
pub(crate) use list::{SnapshotEntry, Source, list, read};
pub(crate) use plan::{Plan, PlanContext};
pub(crate) use point::{Key as PointKey, POINT_BYTES_MAX, find};
pub(crate) use publish::{Target, check_age, publish, publish_named, upload};
pub(crate) use reference::{SnapshotRef, differs_key, latest_key, snapshots_key};
pub(crate) use restore::{Fetched, fetch};
pub(crate) use since::SinceSnapshot;
pub(crate) use stored::Document;
pub(crate) use sweep::{Sweeper, Unfinished};
pub(crate) use tracker::Tracker;

use crate::error::{Error, ErrorKind};
use crate::store::StoreError;

/// Translates a store's error for a snapshot: nothing is lost and it can be retried, unless the
/// store refuses permanently.
fn store_error(error: StoreError) -> Error {
    let kind = match error {
        StoreError::Refused { .. } => ErrorKind::StoreRefused,
        StoreError::TooLarge { .. } => return error.into(),
        StoreError::Exists { .. } | StoreError::Unavailable { .. } => ErrorKind::Unavailable,
    };
    Error::new(kind, error.to_string()).with_source(error).telling_of_store()
}

#[cfg(test)]
mod tests;
