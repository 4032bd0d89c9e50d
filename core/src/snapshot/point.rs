//! Single rows of a snapshot, without a restore ([why](../../../docs/design/0042-point-lookups.md)).
//!
//! A large data file ends with an index of its keys, between its rows and the footer of Parquet, and
//! with hashes of its blocks, so that parts of it can be believed. Small files are read as a whole.

mod files;
mod index;
mod key;
mod search;

pub(super) use files::FileEnd;
pub(super) use index::PointIndex;
pub(crate) use key::Key;
pub(crate) use search::{POINT_BYTES_MAX, find};
