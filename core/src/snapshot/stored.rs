//! The stored form of `snapshot.json`: separate types, a version, and a checksum over the body's
//! bytes.
//!
//! `{"format":1,"blake3":"…","body":{…}}`. docs/FORMAT.md describes every field.

mod body;
mod convert;
mod metrics;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::described;
use super::reference::{SnapshotRef, snapshots_key};
use super::table::{FileRef, TableBase};
use crate::budget::Charge;
use crate::change::{Header, SchemaObject};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
#[cfg(any(test, feature = "fuzzing"))]
use crate::id::Tenant;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::sqlite::{Database, Limits, Restraint};
use crate::store::Key;

/// The only version of the format so far.
const FORMAT: u32 = 1;

/// The contents of `snapshot.json`.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Which snapshot this is.
    pub(crate) reference: SnapshotRef,
    /// The hash of the last record in it.
    pub(crate) record_hash: [u8; 32],
    /// When it was planned, by its writer's clock.
    pub(crate) time_ms: i64,
    /// The snapshot it was built on.
    pub(crate) base: Option<SnapshotRef>,
    /// The object's class and id.
    pub(super) object: ObjectId,
    /// The absolute URI of the object's `snapshots` when it was written.
    pub(super) location: String,
    /// Schema, counters and numbers of the database.
    pub(super) header: Header,
    /// Every table. It has the names and checksums of files, but not which rows they contain.
    pub(super) tables: Vec<Arc<TableBase>>,
    /// What a large description takes of memory, as long as it is there.
    pub(super) _paid: Option<Arc<Charge>>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    format: u32,
    #[serde(default)]
    blake3: String,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

impl Document {
    /// The bytes of `snapshot.json`.
    pub(super) fn encode(&self) -> Result<Bytes> {
        let body = serde_json::value::to_raw_value(&body::Body::from(self)).map_err(unwritable)?;
        let bytes = seal(&body)?;
        if bytes.len() as u64 <= DOCUMENT_BYTES_MAX {
            return Ok(bytes);
        }
        let text = format!(
            "expected a description of a snapshot of at most {DOCUMENT_BYTES_MAX} bytes, got {}; use fewer tables or columns",
            bytes.len()
        );
        Err(Error::new(ErrorKind::TooLarge, text))
    }

    /// Reads the bytes found under `key`, which must describe a snapshot of `object`.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key, when they are damaged, of another version, or describe another
    /// object.
    pub(crate) fn decode(key: &Key, bytes: &[u8], object: &ObjectId) -> Result<Self> {
        let corrupt = |what: String| Error::corrupt(key, what);
        let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| {
            corrupt(format!(
                "expected a description of a snapshot, got {} bytes of something else: {error}",
                bytes.len()
            ))
        })?;
        if envelope.format != FORMAT {
            return Err(corrupt(format!(
                "expected snapshot format {FORMAT}, got {}; use a version of the program that reads it",
                envelope.format
            )));
        }
        let body = envelope.body.map_or("", RawValue::get);
        let found = blake3::hash(body.as_bytes());
        if found.to_hex().as_str() != envelope.blake3 {
            return Err(corrupt(format!(
                "expected a body with the checksum {:?}, found one with {found}",
                envelope.blake3
            )));
        }
        let body: body::Body<'_> = serde_json::from_str(body)
            .map_err(|error| corrupt(format!("expected the fields of format {FORMAT}: {error}")))?;
        let document = body.revive(object.tenant()).map_err(corrupt)?;
        if document.object != *object {
            return Err(corrupt(format!(
                "expected a snapshot of {object}, found one of {}",
                document.object
            )));
        }
        Ok(document)
    }

    /// The bytes for a record that starts from the snapshot: nobody knows its hash yet.
    ///
    /// # Errors
    ///
    /// `TooLarge` when it is too large for a description.
    pub(crate) fn encode_for_record(&self) -> Result<Bytes> {
        Self { record_hash: [0; 32], ..self.clone() }.encode()
    }

    /// The description as it is once the record that starts from it exists.
    pub(crate) fn completed_by(self, record_hash: [u8; 32], time_ms: i64) -> Self {
        Self { record_hash, time_ms, ..self }
    }

    /// `snapshot.json` with this body; `None` when the body is not JSON.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn sealed(body: &str) -> Option<Bytes> {
        seal(serde_json::from_str(body).ok()?).ok()
    }

    /// The object that a body is about, of the local tenant.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn object_of(body: &str) -> Option<ObjectId> {
        let body: body::Body<'_> = serde_json::from_str(body).ok()?;
        Tenant::local().object(&body.class, &body.id).ok()
    }

    /// The size of all its files, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.files().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The number of its tables and of the rows in them.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let rows = |table: &Arc<TableBase>| table.rows();
        (self.tables.len() as u64, self.tables.iter().map(rows).sum())
    }

    /// An empty database with its schema and its counters.
    ///
    /// # Errors
    ///
    /// `Corrupt` when the statements of the schema fail.
    pub(crate) fn empty_database(&self, limits: &Limits, restraint: Restraint) -> Result<Database> {
        Database::load_restrained(limits, self.header.clone(), Some(restraint))?.finish()
    }

    /// Whether some of its tables are made by modules, which need their rows.
    pub(crate) fn has_virtual_tables(&self) -> bool {
        self.header.schema.objects.iter().any(SchemaObject::is_virtual_table)
    }

    /// The names of its tables, in the order of the schema.
    pub(crate) fn table_names(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.shape.name.as_str())
    }

    /// The absolute URI and the bytes of the metadata of the table `name`, if there is one.
    ///
    /// # Errors
    ///
    /// `Internal` when it can't be written.
    pub(crate) fn table_metadata(&self, name: &str) -> Result<Option<(String, Bytes)>> {
        let table = self.tables.iter().find(|table| table.shape.name == name);
        let Some(table) = table else { return Ok(None) };
        let uri = format!("{}/{}", self.location, table.metadata);
        Ok(Some((uri, described::metadata(table, &self.location)?)))
    }

    /// The metadata of the tables that this snapshot wrote, by key.
    ///
    /// # Errors
    ///
    /// `Internal` when it can't be written.
    pub(super) fn metadata(&self, prefix: &Key) -> Result<Vec<(Key, Bytes)>> {
        let snapshots = snapshots_key(prefix);
        let is_own =
            |table: &&Arc<TableBase>| SnapshotRef::of_file(&table.metadata) == Some(self.reference);
        let metadata = |table: &Arc<TableBase>| {
            let bytes = described::metadata(table, &self.location)?;
            Ok((snapshots.join(&table.metadata), bytes))
        };
        self.tables.iter().filter(is_own).map(metadata).collect()
    }

    /// All files with rows or deletes.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileRef> {
        self.tables.iter().flat_map(|table| table.files())
    }
}

fn seal(body: &RawValue) -> Result<Bytes> {
    let blake3 = blake3::hash(body.get().as_bytes()).to_hex().to_string();
    let envelope = Envelope { format: FORMAT, blake3, body: Some(body) };
    Ok(serde_json::to_vec(&envelope).map_err(unwritable)?.into())
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::internal("cannot write the description of a snapshot as JSON").with_source(error)
}
