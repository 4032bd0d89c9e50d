//! Iceberg V2 files to and from rows: <https://iceberg.apache.org/spec/>.
//!
//! Promises: [`read_rows`] returns exactly what [`RowEncoder`] was given, bit for bit; any Iceberg
//! engine can read the tables as typed columns. All functions work in memory. Must not know:
//! SQLite, the bucket, where files are stored, why rows changed.

mod check;
mod decode;
mod deletes;
mod encode;
mod exact;
mod inspect;
mod layout;
mod manifest;
mod metadata;
mod metrics;
mod pages;
mod thrift;

pub(crate) use check::{is_same_avro, is_same_manifest, removed_files};
pub(crate) use decode::read_rows;
pub(crate) use deletes::{read_deletes, write_deletes};
pub(crate) use encode::{EncodedFile, LARGE_FILE_BYTES, RowEncoder};
pub(crate) use inspect::inspect;
pub(crate) use layout::{ColumnKind, FIRST_FIELD, Field, FieldSet, Layout, ROWID_FIELD};
pub(crate) use manifest::{FileEntry, FileStatus, ManifestEntries, write_manifests};
pub(crate) use metadata::{Operation, Period, TableDocument, Version, write_metadata};
pub(crate) use metrics::{ColumnMetrics, Metrics};
pub(crate) use pages::{Pages, Parts};

use crate::error::Error;

/// An error while files are created in memory, which only a bug or a lack of memory can cause.
fn encode_error(what: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    Error::internal(format!("cannot write {what}: {cause}")).with_source(cause)
}

#[cfg(test)]
mod tests;
