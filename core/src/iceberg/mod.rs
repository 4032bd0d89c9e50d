//! Iceberg V2 files from rows, and rows from them: <https://iceberg.apache.org/spec/>.
//!
//! Promises: what [`RowEncoder`] is given, [`read_rows`] gives back bit for bit; every table that
//! is described here is read by any Iceberg engine as typed columns. Everything is a function from
//! memory to memory. Must not know: SQLite, the bucket, where a file is kept or why a row changed.

mod decode;
mod deletes;
mod encode;
mod exact;
mod layout;
mod manifest;
mod metadata;

pub(crate) use decode::read_rows;
pub(crate) use deletes::{read_deletes, write_deletes};
pub(crate) use encode::{EncodedFile, RowEncoder};
pub(crate) use layout::{ColumnKind, Field, FieldSet, Layout};
pub(crate) use manifest::{FileEntry, FileStatus, write_manifests};
pub(crate) use metadata::{Operation, TableDocument, Version, write_metadata};

use crate::error::Error;

/// A failure while files are made from rows in memory: only a bug or a lack of memory can cause it.
fn encode_error(what: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    Error::internal(format!("cannot write {what}: {cause}")).with_source(cause)
}

#[cfg(test)]
mod tests;
