//! Decodes Parquet files to rows, directly from Arrow's buffers.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Schema};
use bytes::Bytes;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::exact;
use super::inspect::inspect;
use super::layout::{Cell, ColumnKind, EXACT_FIELD, Layout, ROWID_FIELD, from_cell};
use crate::change::{Affinity, ValueRef};
use crate::error::{Error, Result};

/// Receives a row: its position in the file, its rowid, and one value per stored column.
pub(crate) type EachRow<'a> = dyn FnMut(u32, Option<i64>, &[ValueRef<'_>]) -> Result<()> + 'a;

/// Reads a file of rows of `layout`: calls `each` with the row's position, its rowid and one value
/// per stored column.
///
/// Columns that the file does not have are NULL: they were added later. `name` is the file's name
/// in errors.
///
/// # Errors
///
/// `Corrupt`, naming the file, when it is not what [`RowEncoder`](super::RowEncoder) wrote for this
/// layout; what `each` returns.
pub(crate) fn read_rows(
    layout: &Layout,
    name: &str,
    file: Bytes,
    each: &mut EachRow<'_>,
) -> Result<()> {
    contained(name, || {
        let mut position = 0;
        for batch in open(name, file)? {
            let batch = batch.map_err(|error| {
                Error::corrupt(name, format!("expected Parquet rows, got: {error}"))
            })?;
            let columns = BatchColumns::new(layout, name, &batch)?;
            position = columns.read(layout, name, position, each)?;
        }
        Ok(())
    })
}

/// Reads the file `name`, and turns panics of the library on damaged files into errors.
pub(super) fn contained<T>(name: &str, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Error::corrupt(name, "expected a Parquet file, got one that the reader can't parse"))
    })
}

/// A reader of the batches of a Parquet file in memory, which is looked at first.
pub(super) fn open(name: &str, file: Bytes) -> Result<ParquetRecordBatchReader> {
    let batch_rows = inspect(name, &file)?.batch_rows;
    // Without the page index, because all pages are read; without Arrow's schema, because the Parquet
    // types say all.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .and_then(|builder| builder.with_batch_size(batch_rows).build())
        .map_err(|error| Error::corrupt(name, format!("expected a Parquet file, got: {error}")))
}

/// Finds columns by their field id.
pub(super) fn columns_by_id(schema: &Schema) -> HashMap<i32, usize> {
    let id =
        |field: &arrow_schema::Field| field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok();
    schema.fields().iter().enumerate().filter_map(|(at, field)| Some((id(field)?, at))).collect()
}

/// A typed column of a batch, checked once, so that reading a value branches only on its kind.
enum Cells<'a> {
    Absent,
    Long(&'a Int64Array),
    Double(&'a Float64Array),
    String(&'a StringArray),
    Binary(&'a BinaryArray),
}

pub(super) struct BatchColumns<'a> {
    columns: Vec<(Affinity, Cells<'a>)>,
    rowid: Option<&'a Int64Array>,
    exact: Option<&'a StringArray>,
    rows: usize,
}

impl<'a> BatchColumns<'a> {
    pub(super) fn new(layout: &Layout, name: &str, batch: &'a RecordBatch) -> Result<Self> {
        let by_id = columns_by_id(batch.schema_ref());
        let find = |id: i32, kind| {
            by_id
                .get(&id)
                .map_or(Ok(Cells::Absent), |at| Cells::new(name, id, kind, batch.column(*at)))
        };
        let columns = layout
            .columns()
            .iter()
            .map(|(id, column)| Ok((column.affinity, find(*id, ColumnKind::of(column))?)))
            .collect::<Result<Vec<_>>>()?;
        let rowid = match find(ROWID_FIELD, ColumnKind::Long)? {
            Cells::Long(array) if layout.hidden_rowid() => Some(array),
            _ if layout.hidden_rowid() => {
                return Err(Error::corrupt(name, "expected a column of rowids, found none"));
            }
            _ => None,
        };
        let exact = match find(EXACT_FIELD, ColumnKind::String)? {
            Cells::String(array) if array.null_count() < array.len() => Some(array),
            _ => None,
        };
        Ok(Self { columns, rowid, exact, rows: batch.num_rows() })
    }

    /// Reads every row; `position` is the first row's. Returns the position after the last.
    pub(super) fn read(
        &self,
        layout: &Layout,
        name: &str,
        mut position: u32,
        each: &mut EachRow<'_>,
    ) -> Result<u32> {
        let mut values = Vec::with_capacity(self.columns.len());
        for row in 0..self.rows {
            values.clear();
            values.extend(
                self.columns.iter().map(|(affinity, cells)| from_cell(*affinity, cells.get(row))),
            );
            match self.exact.filter(|exact| exact.is_valid(row)) {
                None => each(position, self.rowid(layout, row, &values), &values)?,
                Some(exact) => {
                    let kept = exact::parse(exact.value(row)).map_err(|what| {
                        Error::corrupt(
                            name,
                            format!("expected exact values in row {position}, got: {what}"),
                        )
                    })?;
                    let mut values = values.clone();
                    for (field, value) in &kept {
                        if let Some(at) = layout.columns().iter().position(|(id, _)| id == field) {
                            values[at] = value.as_ref();
                        }
                    }
                    each(position, self.rowid(layout, row, &values), &values)?;
                }
            }
            position = position
                .checked_add(1)
                .ok_or_else(|| Error::corrupt(name, "expected fewer than 2^32 rows"))?;
        }
        Ok(position)
    }

    fn rowid(&self, layout: &Layout, row: usize, values: &[ValueRef<'_>]) -> Option<i64> {
        match (self.rowid, layout.alias().map(|at| values[at])) {
            (Some(rowid), _) => Some(rowid.value(row)),
            (None, Some(ValueRef::Integer(rowid))) => Some(rowid),
            _ => None,
        }
    }
}

impl<'a> Cells<'a> {
    fn new(name: &str, id: i32, kind: ColumnKind, array: &'a dyn Array) -> Result<Self> {
        Ok(match (kind, array.data_type()) {
            (ColumnKind::Long, DataType::Int64) => Self::Long(array.as_primitive::<Int64Type>()),
            (ColumnKind::Double, DataType::Float64) => {
                Self::Double(array.as_primitive::<Float64Type>())
            }
            (ColumnKind::String, DataType::Utf8) => Self::String(array.as_string()),
            (ColumnKind::Binary, DataType::Binary) => Self::Binary(array.as_binary()),
            (kind, found) => {
                return Err(Error::corrupt(
                    name,
                    format!("expected column {id} to be {}, found {found}", kind.name()),
                ));
            }
        })
    }

    fn get(&self, row: usize) -> Cell<'a> {
        match self {
            Self::Long(array) if array.is_valid(row) => Cell::Long(array.value(row)),
            Self::Double(array) if array.is_valid(row) => Cell::Double(array.value(row)),
            Self::String(array) if array.is_valid(row) => Cell::String(array.value(row)),
            Self::Binary(array) if array.is_valid(row) => Cell::Binary(array.value(row)),
            _ => Cell::Null,
        }
    }
}
