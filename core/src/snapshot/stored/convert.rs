//! Converts between stored types and the program's types.

use std::collections::HashSet;
use std::sync::Arc;

use super::Document;
use super::body::{
    AffinityName, Base, Body, ColumnEntry, FileEntry, MetricsEntry, OperationName, PastField,
    PastSchema, PointEntry, SchemaEntry, SchemaEntryKind, Table, TableKey, VersionEntry,
};
use crate::change::{
    Affinity, Column, Header, KeyShape, Schema, SchemaKind, SchemaObject, TableShape,
};
use crate::iceberg::{ColumnKind, FIRST_FIELD, Field, FieldSet, Operation};
use crate::id::Tenant;
use crate::limits::SEQUENCE_MAX;
use crate::snapshot::index::RowIndex;
use crate::snapshot::reference::SnapshotRef;
use crate::snapshot::table::{DataFile, DeleteFile, FileRef, PastVersion, TableBase};

/// Pairs of a stored name and what it stands for, for both directions.
macro_rules! names {
    ($stored:ident = $domain:ident: $($variant:ident),*) => {
        impl From<$domain> for $stored {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),* }
            }
        }
        impl From<$stored> for $domain {
            fn from(value: $stored) -> Self {
                match value { $($stored::$variant => Self::$variant),* }
            }
        }
    };
}

names!(SchemaEntryKind = SchemaKind: Table, Index, View, Trigger);
names!(AffinityName = Affinity: Integer, Real, Text, Blob, Numeric);
names!(OperationName = Operation: Append, Overwrite);

impl<'a> From<&'a Document> for Body<'a> {
    fn from(document: &'a Document) -> Self {
        let header = &document.header;
        Self {
            class: document.object.class().into(),
            id: document.object.id().into(),
            sequence: document.reference.sequence,
            uuid: document.reference.uuid,
            record: blake3::Hash::from_bytes(document.record_hash).to_hex().to_string().into(),
            time_ms: document.time_ms,
            base: document.base.map(|base| Base { sequence: base.sequence, uuid: base.uuid }),
            location: document.location.as_str().into(),
            schema: header.schema.objects.iter().map(SchemaEntry::from).collect(),
            sequences: header
                .sequences
                .iter()
                .map(|(table, counter)| (table.as_str().into(), *counter))
                .collect(),
            user_version: header.user_version,
            application_id: header.application_id,
            tables: document.tables.iter().map(|table| Table::from(&**table)).collect(),
        }
    }
}

impl Body<'_> {
    /// The document of an object of `tenant`; the error says what is wrong with the fields.
    pub(super) fn revive(self, tenant: &Tenant) -> Result<Document, String> {
        let record = blake3::Hash::from_hex(self.record.as_bytes())
            .map_err(|error| format!("the record's hash: {error}"))?;
        let sequences = [Some(self.sequence), self.base.as_ref().map(|base| base.sequence)];
        if sequences.into_iter().flatten().any(|sequence| sequence > SEQUENCE_MAX) {
            return Err(format!("expected records up to {SEQUENCE_MAX}, got {sequences:?}"));
        }
        let object =
            tenant.object(&self.class, &self.id).map_err(|error| error.message().to_owned())?;
        Ok(Document {
            reference: SnapshotRef { sequence: self.sequence, uuid: self.uuid },
            record_hash: *record.as_bytes(),
            time_ms: self.time_ms,
            base: self.base.map(|base| SnapshotRef { sequence: base.sequence, uuid: base.uuid }),
            object,
            location: self.location.into_owned(),
            header: Header {
                schema: Schema {
                    objects: self.schema.into_iter().map(SchemaObject::from).collect(),
                },
                sequences: self
                    .sequences
                    .into_iter()
                    .map(|(table, counter)| (table.into_owned(), counter))
                    .collect(),
                user_version: self.user_version,
                application_id: self.application_id,
            },
            tables: self
                .tables
                .into_iter()
                .map(|table| table.revive().map(Arc::new))
                .collect::<Result<_, _>>()?,
            _paid: None,
        })
    }
}

impl<'a> From<&'a SchemaObject> for SchemaEntry<'a> {
    fn from(object: &'a SchemaObject) -> Self {
        Self {
            kind: object.kind.into(),
            name: object.name.as_str().into(),
            table: object.table.as_str().into(),
            sql: object.sql.as_deref().map(Into::into),
        }
    }
}

impl From<SchemaEntry<'_>> for SchemaObject {
    fn from(entry: SchemaEntry<'_>) -> Self {
        Self {
            kind: entry.kind.into(),
            name: entry.name.into_owned(),
            table: entry.table.into_owned(),
            sql: entry.sql.map(|sql| sql.into_owned()),
        }
    }
}

impl<'a> From<&'a TableBase> for Table<'a> {
    fn from(table: &'a TableBase) -> Self {
        let column = |(id, column): (&i32, &'a Column)| ColumnEntry {
            id: *id,
            name: column.name.as_str().into(),
            declared: column.declared.as_str().into(),
            affinity: column.affinity.into(),
        };
        Self {
            name: table.shape.name.as_str().into(),
            uuid: table.uuid,
            metadata: (&*table.metadata).into(),
            key: match &table.shape.key {
                KeyShape::Rowid { alias } => TableKey::Rowid(*alias),
                KeyShape::Primary(columns) => TableKey::Primary(columns.clone()),
            },
            columns: table.ids.iter().zip(&table.shape.columns).map(column).collect(),
            last_column_id: table.last_column_id,
            schema_id: table.schema_id,
            past_schemas: table.past_schemas.iter().map(PastSchema::from).collect(),
            versions: table.versions.iter().map(VersionEntry::from).collect(),
            data: table.data.iter().map(FileEntry::from).collect(),
            deletes: table.deletes.iter().map(FileEntry::from).collect(),
        }
    }
}

impl Table<'_> {
    fn revive(self) -> Result<TableBase, String> {
        let ids: Vec<i32> = self.columns.iter().map(|column| column.id).collect();
        let count = self.columns.len();
        let columns = self.columns.into_iter().map(Column::from).collect();
        let key = match self.key {
            TableKey::Rowid(alias) => KeyShape::Rowid { alias },
            TableKey::Primary(columns) => KeyShape::Primary(columns),
        };
        check_ids(&self.name, &ids, self.last_column_id)?;
        check_versions(&self.name, self.schema_id, &self.versions)?;
        let named: &[usize] = match &key {
            KeyShape::Rowid { alias } => alias.as_slice(),
            KeyShape::Primary(columns) => columns,
        };
        if named.iter().any(|column| *column >= count) || self.versions.is_empty() {
            return Err(format!(
                "expected a version and a key of existing columns for the table {:?}",
                self.name
            ));
        }
        Ok(TableBase {
            shape: TableShape { name: self.name.into_owned(), columns, key },
            ids,
            uuid: self.uuid,
            metadata: file_key(&self.metadata)?,
            last_column_id: self.last_column_id,
            schema_id: self.schema_id,
            past_schemas: self
                .past_schemas
                .into_iter()
                .map(PastSchema::revive)
                .collect::<Result<_, _>>()?,
            versions: self
                .versions
                .into_iter()
                .map(VersionEntry::revive)
                .collect::<Result<_, _>>()?,
            data: self
                .data
                .into_iter()
                .map(FileEntry::revive_data)
                .collect::<Result<_, String>>()?,
            deletes: self
                .deletes
                .into_iter()
                .map(FileEntry::revive_deletes)
                .collect::<Result<_, String>>()?,
        })
    }
}

/// Fails for ids of columns that this program does not give: the next snapshot adds to them.
fn check_ids(table: &str, ids: &[i32], last_column_id: i32) -> Result<(), String> {
    let own: HashSet<i32> = ids.iter().copied().collect();
    let are_ids = own.len() == ids.len()
        && last_column_id <= NUMBER_MAX
        && ids.iter().all(|id| (FIRST_FIELD..=last_column_id).contains(id));
    if are_ids { Ok(()) } else { Err(no_numbers(table)) }
}

/// Fails for numbers of schemas and versions that this program does not give.
fn check_versions(
    table: &str,
    schema_id: i32,
    versions: &[VersionEntry<'_>],
) -> Result<(), String> {
    let is_version = |version: &VersionEntry<'_>| {
        (0..=NUMBER_MAX).contains(&version.schema_id)
            && (0..=LONG_MAX).contains(&version.sequence)
            && (-LONG_MAX..=LONG_MAX).contains(&version.time_ms)
    };
    let are_numbers = (0..=NUMBER_MAX).contains(&schema_id) && versions.iter().all(is_version);
    if are_numbers { Ok(()) } else { Err(no_numbers(table)) }
}

fn no_numbers(table: &str) -> String {
    format!(
        "expected columns, schemas and versions with their own small numbers for the table {table:?}"
    )
}

/// Maximum id of a column or a schema, and number of a version or time in milliseconds: far more
/// than there can be, and far from where one more overflows.
const NUMBER_MAX: i32 = 1 << 30;
const LONG_MAX: i64 = 1 << 62;

impl From<ColumnEntry<'_>> for Column {
    fn from(entry: ColumnEntry<'_>) -> Self {
        Self {
            name: entry.name.into_owned(),
            declared: entry.declared.into_owned(),
            affinity: entry.affinity.into(),
        }
    }
}

impl<'a> From<&'a FieldSet> for PastSchema<'a> {
    fn from(set: &'a FieldSet) -> Self {
        let field = |field: &'a Field| PastField {
            id: field.id,
            name: field.name.as_str().into(),
            kind: field.kind.name().into(),
        };
        Self { id: set.id, fields: set.fields.iter().map(field).collect() }
    }
}

impl PastSchema<'_> {
    fn revive(self) -> Result<FieldSet, String> {
        let field = |field: PastField<'_>| {
            let kind = ColumnKind::from_name(&field.kind)
                .ok_or_else(|| format!("expected the type of a column, got {:?}", field.kind))?;
            Ok(Field { id: field.id, name: field.name.into_owned(), kind })
        };
        Ok(FieldSet {
            id: self.id,
            fields: self.fields.into_iter().map(field).collect::<Result<_, String>>()?,
        })
    }
}

impl<'a> From<&'a PastVersion> for VersionEntry<'a> {
    fn from(version: &'a PastVersion) -> Self {
        Self {
            snapshot_id: version.snapshot_id,
            sequence: version.sequence,
            time_ms: version.timestamp_ms,
            manifest_list: (&*version.manifest_list).into(),
            schema_id: version.schema_id,
            operation: version.operation.into(),
            log_sequence: version.log_sequence,
            records: version.records,
            deletes: version.deletes,
        }
    }
}

impl VersionEntry<'_> {
    fn revive(self) -> Result<PastVersion, String> {
        Ok(PastVersion {
            snapshot_id: self.snapshot_id,
            sequence: self.sequence,
            timestamp_ms: self.time_ms,
            manifest_list: file_key(&self.manifest_list)?,
            schema_id: self.schema_id,
            operation: self.operation.into(),
            log_sequence: self.log_sequence,
            records: self.records,
            deletes: self.deletes,
        })
    }
}

impl<'a> From<&'a FileRef> for FileEntry<'a> {
    fn from(file: &'a FileRef) -> Self {
        Self {
            key: (&*file.key).into(),
            bytes: file.bytes,
            rows: file.rows,
            blake3: file.blake3.to_hex().to_string().into(),
            added_by: file.added_by,
            sequence: file.sequence,
            of: None,
            metrics: None,
            point: None,
        }
    }
}

impl<'a> From<&'a DataFile> for FileEntry<'a> {
    fn from(data: &'a DataFile) -> Self {
        Self {
            metrics: data.metrics.as_deref().map(Into::into),
            point: data.point.as_deref().map(Into::into),
            ..Self::from(&data.file)
        }
    }
}

impl<'a> From<&'a DeleteFile> for FileEntry<'a> {
    fn from(deletes: &'a DeleteFile) -> Self {
        Self { of: deletes.of.as_deref().map(Into::into), ..Self::from(&deletes.file) }
    }
}

/// A key relative to `snapshots/`, of a file that a snapshot wrote: in a table's folder, or in the
/// snapshot's directory as long as tables had no folders. It leads nowhere else.
fn file_key(text: &str) -> Result<Arc<str>, String> {
    let is_plain = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let is_file = |name: &str| {
        is_plain(name) && [".parquet", ".avro", ".json"].iter().any(|end| name.ends_with(end))
    };
    let is_known = match text.split('/').collect::<Vec<_>>()[..] {
        [_, table, "data" | "metadata", name] => {
            is_plain(table) && !["", ".", ".."].contains(&table) && is_file(name)
        }
        [_, "data" | "manifests" | "metadata", name] => is_file(name),
        _ => false,
    };
    if is_known && SnapshotRef::of_file(text).is_some() {
        return Ok(text.into());
    }
    Err(format!("expected the key of a snapshot's file, got {text:?}"))
}

impl FileEntry<'_> {
    fn revive_data(mut self) -> Result<DataFile, String> {
        let metrics = self.metrics.take().map(MetricsEntry::revive).transpose()?;
        let point = self.point.take().map(PointEntry::revive).transpose()?;
        Ok(DataFile {
            file: self.revive()?,
            index: Arc::new(RowIndex::None),
            metrics: metrics.map(Arc::new),
            point: point.map(Arc::new),
        })
    }

    fn revive_deletes(self) -> Result<DeleteFile, String> {
        let of = self.of.as_deref().map(file_key).transpose()?;
        Ok(DeleteFile { file: self.revive()?, of, positions: Arc::default() })
    }

    fn revive(self) -> Result<FileRef, String> {
        let blake3 = blake3::Hash::from_hex(self.blake3.as_bytes())
            .map_err(|error| format!("the checksum of {}: {error}", self.key))?;
        if self.rows > u64::from(u32::MAX) {
            return Err(format!(
                "expected fewer than 2^32 rows in {}, got {}",
                self.key, self.rows
            ));
        }
        Ok(FileRef {
            key: file_key(&self.key)?,
            bytes: self.bytes,
            rows: self.rows,
            blake3,
            added_by: self.added_by,
            sequence: self.sequence,
        })
    }
}
