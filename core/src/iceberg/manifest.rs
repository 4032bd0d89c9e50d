//! Manifests and the manifest list of one Iceberg snapshot
//! (<https://iceberg.apache.org/spec/#manifests>).
//!
//! Every snapshot gets one data manifest and at most one delete manifest that name all its files,
//! so no snapshot needs another's.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use iceberg::io::{FileIO, FileWrite};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, ManifestFile,
    ManifestListWriter, ManifestWriter, ManifestWriterBuilder, NestedField, PartitionSpec,
    PrimitiveType, Schema, SchemaRef, Type,
};

use super::deletes::FILE_PATH_FIELD;
use super::encode_error;
use super::layout::{ColumnKind, FieldSet};
use super::metadata::Version;
use super::metrics::{ColumnMetrics, Metrics};
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// The status of a file in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileStatus {
    /// It adds the file.
    Added,
    /// It keeps the file of an earlier snapshot.
    Existing {
        /// The snapshot that added it.
        snapshot_id: i64,
        /// The sequence number that it got from that snapshot.
        sequence: i64,
    },
    /// It removes this file of an earlier snapshot.
    Removed {
        /// The sequence number that the file had.
        sequence: i64,
    },
}

/// A data file or a delete file of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    /// Its status in the snapshot.
    pub(crate) status: FileStatus,
    /// Its absolute URI.
    pub(crate) uri: String,
    /// Its rows, deleted ones included.
    pub(crate) rows: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// The absolute URI of the only data file that it is about, if it is a delete file that names
    /// one only.
    pub(crate) of: Option<String>,
    /// What is known of its columns, if it is a data file that the snapshot has.
    pub(crate) metrics: Option<Arc<Metrics>>,
}

/// The Avro files of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Manifests {
    /// The manifest of the data files; `None` when there are none.
    pub(crate) data: Option<Bytes>,
    /// The manifest of the delete files; `None` when there are none.
    pub(crate) deletes: Option<Bytes>,
    /// The manifest list.
    pub(crate) list: Bytes,
}

/// The files of one manifest, and the URI under which the manifest will be stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ManifestEntries<'a> {
    pub(crate) files: &'a [FileEntry],
    pub(crate) uri: &'a str,
}

/// Writes the manifests of `version`: of its data files and of its delete files.
///
/// # Errors
///
/// `Internal` when they can't be written.
pub(crate) fn write_manifests(
    version: &Version,
    schema: &FieldSet,
    data: ManifestEntries<'_>,
    deletes: ManifestEntries<'_>,
) -> Result<Manifests> {
    let schema = Arc::new(iceberg_schema(schema)?);
    let data = write_manifest(version, &schema, DataContentType::Data, data)?;
    let deletes = write_manifest(version, &schema, DataContentType::PositionDeletes, deletes)?;
    let (data, data_line) = data.unzip();
    let (deletes, deletes_line) = deletes.unzip();
    let collected = Collector::default();
    let mut list = ManifestListWriter::v2(
        Box::new(collected.clone()),
        version.snapshot_id,
        version.parent,
        version.sequence,
    );
    list.add_manifests(data_line.into_iter().chain(deletes_line))
        .map_err(|error| encode_error("a manifest list", error))?;
    at_once(list.close())?.map_err(|error| encode_error("a manifest list", error))?;
    Ok(Manifests { data, deletes, list: collected.take() })
}

/// The schema in the iceberg crate's types. Every column is optional, because any SQLite value may
/// be NULL or stored separately.
pub(super) fn iceberg_schema(set: &FieldSet) -> Result<Schema> {
    let fields = set.fields.iter().map(|field| {
        let kind = match field.kind {
            ColumnKind::Long => PrimitiveType::Long,
            ColumnKind::Double => PrimitiveType::Double,
            ColumnKind::String => PrimitiveType::String,
            ColumnKind::Binary => PrimitiveType::Binary,
        };
        Arc::new(NestedField::optional(field.id, &field.name, Type::Primitive(kind)))
    });
    Schema::builder()
        .with_schema_id(set.id)
        .with_fields(fields)
        .build()
        .map_err(|error| encode_error("a schema", error))
}

fn write_manifest(
    version: &Version,
    schema: &SchemaRef,
    content: DataContentType,
    ManifestEntries { files, uri }: ManifestEntries<'_>,
) -> Result<Option<(Bytes, ManifestFile)>> {
    if files.is_empty() {
        return Ok(None);
    }
    let failed = |error| encode_error("a manifest", error);
    let memory = FileIO::new_with_memory();
    let output = memory.new_output("memory:///manifest").map_err(failed)?;
    let builder = ManifestWriterBuilder::new(
        output,
        Some(version.snapshot_id),
        Arc::clone(schema),
        PartitionSpec::unpartition_spec(),
    );
    let mut writer = match content {
        DataContentType::Data => builder.build_v2_data(),
        _ => builder.build_v2_deletes(),
    };
    for entry in files {
        add_entry(&mut writer, schema, content, entry).map_err(failed)?;
    }
    let mut line = at_once(writer.write_manifest_file())?.map_err(failed)?;
    line.manifest_path = uri.to_owned();
    let bytes =
        at_once(memory.new_input("memory:///manifest").map_err(failed)?.read())?.map_err(failed)?;
    Ok(Some((bytes, line)))
}

fn add_entry(
    writer: &mut ManifestWriter,
    schema: &Schema,
    content: DataContentType,
    entry: &FileEntry,
) -> Result<(), iceberg::Error> {
    let file = data_file(schema, content, entry)?;
    match entry.status {
        // Without its own sequence number, the file inherits the snapshot's.
        FileStatus::Added => writer.add_file(file, -1),
        FileStatus::Existing { snapshot_id, sequence } => {
            writer.add_existing_file(file, snapshot_id, sequence, Some(sequence))
        }
        FileStatus::Removed { sequence } => writer.add_delete_file(file, sequence, Some(sequence)),
    }
}

fn data_file(
    schema: &Schema,
    content: DataContentType,
    entry: &FileEntry,
) -> Result<DataFile, iceberg::Error> {
    let mut file = DataFileBuilder::default();
    file.content(content)
        .file_path(entry.uri.clone())
        .file_format(DataFileFormat::Parquet)
        .record_count(entry.rows)
        .file_size_in_bytes(entry.bytes)
        .referenced_data_file(entry.of.clone());
    if let Some(of) = &entry.of {
        // Engines find the deletes of a data file by either of them.
        let path = HashMap::from([(FILE_PATH_FIELD, Datum::string(of))]);
        file.lower_bounds(path.clone()).upper_bounds(path);
    }
    if let Some(metrics) = &entry.metrics {
        add_metrics(&mut file, schema, entry.rows, metrics)?;
    }
    file.build()
        .map_err(|error| iceberg::Error::new(iceberg::ErrorKind::DataInvalid, error.to_string()))
}

/// Adds what is known of the columns. A double is never NaN, because SQLite has none.
fn add_metrics(
    file: &mut DataFileBuilder,
    schema: &Schema,
    rows: u64,
    metrics: &Metrics,
) -> Result<(), iceberg::Error> {
    let (mut lower, mut upper) = (HashMap::new(), HashMap::new());
    let mut nan = HashMap::new();
    for column in &metrics.columns {
        let field = schema.field_by_id(column.field);
        let Some(kind) = field.and_then(|field| field.field_type.as_primitive_type()) else {
            continue;
        };
        for (bound, bounds) in [(&column.lower, &mut lower), (&column.upper, &mut upper)] {
            if let Some(bytes) = bound {
                bounds.insert(column.field, Datum::try_from_bytes(bytes, kind.clone())?);
            }
        }
        if *kind == PrimitiveType::Double {
            nan.insert(column.field, 0);
        }
    }
    let each = |value: fn(&ColumnMetrics, u64) -> u64| -> HashMap<i32, u64> {
        metrics.columns.iter().map(|column| (column.field, value(column, rows))).collect()
    };
    let splits = metrics.splits.iter().filter_map(|at| i64::try_from(*at).ok());
    file.column_sizes(each(|column, _| column.bytes))
        .value_counts(each(|_, rows| rows))
        .null_value_counts(each(|column, _| column.nulls))
        .nan_value_counts(nan)
        .lower_bounds(lower)
        .upper_bounds(upper)
        .split_offsets(Some(splits.collect()));
    Ok(())
}

/// Runs a future that never waits, because everything is in memory.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T> {
    future
        .now_or_never()
        .ok_or_else(|| Error::internal("writing Iceberg metadata to memory blocked"))
}

/// Collects what the manifest list writer writes.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<u8>>>);

impl Collector {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock()).into()
    }
}

#[async_trait::async_trait]
impl FileWrite for Collector {
    async fn write(&mut self, bytes: Bytes) -> iceberg::Result<()> {
        self.0.lock().extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> iceberg::Result<()> {
        Ok(())
    }
}
