//! Encodes rows as Parquet.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::encode_error;
use super::exact::ExactRow;
use super::layout::{Cell, ColumnKind, EXACT_FIELD, Field, Layout, ROWID_FIELD, to_cell};
use super::metrics::Metrics;
use crate::change::{Affinity, ValueRef};
use crate::error::{Error, Result};

/// Maximum number of rows per batch for Parquet.
const BATCH_ROWS: usize = 8192;
/// Approximate maximum size of a batch, in bytes.
const BATCH_BYTES: usize = 4 << 20;
/// Engines read row groups in parallel and skip those that a filter excludes.
const ROW_GROUP_ROWS: usize = 131_072;

/// Pages are small, so that a row can be read without many others.
const PAGE_ROWS: usize = 4096;
const PAGE_BYTES: usize = 128 << 10;
/// After so many rows, the size of a page is looked at.
const PAGE_STEP_ROWS: usize = 256;
/// A dictionary is read with each page that needs it.
const DICTIONARY_BYTES: usize = 64 << 10;

/// From so many bytes of rows on, a file has an appendix.
pub(crate) const LARGE_FILE_BYTES: usize = 64 << 10;

/// A finished file.
#[derive(Debug, Clone)]
pub(crate) struct EncodedFile {
    /// The whole file.
    pub(crate) bytes: Bytes,
    /// Number of rows.
    pub(crate) rows: u64,
    /// What is known of its columns; `None` for deletes.
    pub(crate) metrics: Option<Metrics>,
}

/// Writes the rows of one table into one Parquet file, in the given order.
pub(crate) struct RowEncoder {
    columns: Vec<ColumnBuilder>,
    rowid: Option<Int64Builder>,
    exact: StringBuilder,
    exact_row: ExactRow,
    fields: Vec<Field>,
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    batch_rows: usize,
    batch_bytes: usize,
    rows: u64,
}

struct ColumnBuilder {
    field: i32,
    affinity: Affinity,
    kind: ColumnKind,
    cells: CellBuilder,
}

enum CellBuilder {
    Long(Int64Builder),
    Double(Float64Builder),
    String(StringBuilder),
    Binary(BinaryBuilder),
}

impl RowEncoder {
    /// An empty file for rows of `layout`.
    ///
    /// # Errors
    ///
    /// `Internal` when Parquet refuses the columns.
    pub(crate) fn new(layout: &Layout) -> Result<Self> {
        let fields = layout.fields();
        let schema = arrow_schema(&fields, |_| true);
        let writer = parquet_writer(&schema, OffsetIndex::Written)?;
        let columns = layout
            .columns()
            .iter()
            .map(|(field, column)| {
                let kind = ColumnKind::of(column);
                ColumnBuilder {
                    field: *field,
                    affinity: column.affinity,
                    kind,
                    cells: CellBuilder::new(kind),
                }
            })
            .collect();
        let rowid = layout.hidden_rowid().then(Int64Builder::new);
        let has_rowid = fields.iter().any(|field| field.id == ROWID_FIELD);
        if has_rowid != rowid.is_some() || fields.last().is_none_or(|field| field.id != EXACT_FIELD)
        {
            return Err(Error::internal(
                "expected a layout with its rowid where that is hidden, and the exact values last",
            ));
        }
        let (exact, exact_row) = (StringBuilder::new(), ExactRow::default());
        Ok(Self {
            columns,
            rowid,
            exact,
            exact_row,
            fields,
            schema,
            writer,
            batch_rows: 0,
            batch_bytes: 0,
            rows: 0,
        })
    }

    /// Adds a row: one value per stored column. `rowid` is needed if no column shows it.
    ///
    /// # Errors
    ///
    /// `Internal` when Parquet can't take it.
    ///
    /// # Panics
    ///
    /// When the row does not have the layout's columns, or lacks its rowid.
    pub(crate) fn push(&mut self, rowid: Option<i64>, values: &[ValueRef<'_>]) -> Result<()> {
        assert_eq!(values.len(), self.columns.len(), "a row has one value a column");
        for (column, value) in self.columns.iter_mut().zip(values) {
            let cell = to_cell(column.affinity, column.kind, *value);
            if cell.is_none() {
                self.exact_row.insert(column.field, *value);
            }
            self.batch_bytes += column.cells.append(cell.unwrap_or(Cell::Null));
        }
        if let Some(builder) = &mut self.rowid {
            builder.append_value(rowid.expect("a row of a table with hidden rowids has one"));
        }
        let exact = self.exact_row.take_json();
        self.batch_bytes += exact.as_ref().map_or(0, String::len);
        self.exact.append_option(exact);
        self.rows += 1;
        self.batch_rows += 1;
        if self.batch_rows >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Approximate size of the file if it were finished now, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size() + self.batch_bytes
    }

    /// Finishes the file and returns it.
    ///
    /// # Errors
    ///
    /// `Internal` when Parquet can't finish it.
    pub(crate) fn finish(self) -> Result<EncodedFile> {
        self.finish_with(|_| Vec::new())
    }

    /// Finishes the file and returns it. If it is large, what `appendix` makes of its rows' bytes is
    /// put behind these: readers of Parquet don't look there.
    ///
    /// # Errors
    ///
    /// `Internal` when Parquet can't finish it.
    pub(crate) fn finish_with(
        mut self,
        appendix: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<EncodedFile> {
        self.flush()?;
        let failed = |error| encode_error("a data file", error);
        self.writer.flush().map_err(failed)?;
        if self.writer.bytes_written() >= LARGE_FILE_BYTES {
            self.writer.sync().map_err(|error| encode_error("a data file", error))?;
            let appended = appendix(self.writer.inner());
            self.writer.write_all(&appended).map_err(|error| encode_error("a data file", error))?;
        }
        let footer = self.writer.finish().map_err(failed)?;
        let bytes = std::mem::take(self.writer.inner_mut()).into();
        let metrics = Some(Metrics::of(&self.fields, &footer));
        Ok(EncodedFile { bytes, rows: self.rows, metrics })
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch_rows == 0 {
            return Ok(());
        }
        let mut arrays: Vec<ArrayRef> =
            self.columns.iter_mut().map(|column| column.cells.finish()).collect();
        if let Some(rowid) = &mut self.rowid {
            arrays.push(Arc::new(rowid.finish()));
        }
        arrays.push(Arc::new(self.exact.finish()));
        (self.batch_rows, self.batch_bytes) = (0, 0);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| encode_error("a batch of rows", error))?;
        self.writer.write(&batch).map_err(|error| encode_error("a data file", error))
    }
}

impl CellBuilder {
    fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Long => Self::Long(Int64Builder::new()),
            ColumnKind::Double => Self::Double(Float64Builder::new()),
            ColumnKind::String => Self::String(StringBuilder::new()),
            ColumnKind::Binary => Self::Binary(BinaryBuilder::new()),
        }
    }

    /// Adds a cell, which has this builder's type or is null, and returns its approximate size in
    /// bytes.
    fn append(&mut self, cell: Cell<'_>) -> usize {
        match (self, cell) {
            (Self::Long(builder), Cell::Long(value)) => builder.append_value(value),
            (Self::Double(builder), Cell::Double(value)) => builder.append_value(value),
            (Self::String(builder), Cell::String(text)) => {
                builder.append_value(text);
                return text.len() + 4;
            }
            (Self::Binary(builder), Cell::Binary(bytes)) => {
                builder.append_value(bytes);
                return bytes.len() + 4;
            }
            (Self::Long(builder), _) => builder.append_null(),
            (Self::Double(builder), _) => builder.append_null(),
            (Self::String(builder), _) => builder.append_null(),
            (Self::Binary(builder), _) => builder.append_null(),
        }
        8
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Long(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::String(builder) => Arc::new(builder.finish()),
            Self::Binary(builder) => Arc::new(builder.finish()),
        }
    }
}

/// The Arrow schema of `fields`, with the field ids that Iceberg finds columns by.
pub(super) fn arrow_schema(fields: &[Field], nullable: impl Fn(&Field) -> bool) -> SchemaRef {
    let columns: Vec<arrow_schema::Field> = fields
        .iter()
        .map(|field| {
            let kind = match field.kind {
                ColumnKind::Long => DataType::Int64,
                ColumnKind::Double => DataType::Float64,
                ColumnKind::String => DataType::Utf8,
                ColumnKind::Binary => DataType::Binary,
            };
            let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), field.id.to_string())]);
            arrow_schema::Field::new(&field.name, kind, nullable(field)).with_metadata(id)
        })
        .collect();
    Arc::new(Schema::new(columns))
}

/// Whether a file says where its pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetIndex {
    Written,
    Absent,
}

/// A writer of one Parquet file in memory.
///
/// Zstd level 1: level 3 was slower and larger on rows of people's objects. Arrow's own copy of the
/// schema and bounds of pages are left out, because most files are small and no reader needs them.
pub(super) fn parquet_writer(
    schema: &SchemaRef,
    index: OffsetIndex,
) -> Result<ArrowWriter<Vec<u8>>> {
    let level = ZstdLevel::try_new(1).map_err(|error| encode_error("with zstd", error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(index == OffsetIndex::Absent)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(PAGE_STEP_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_created_by("dotdo".to_owned())
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options)
        .map_err(|error| encode_error("a Parquet file", error))
}
