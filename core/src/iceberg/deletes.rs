//! Position deletes, which name deleted rows of data files
//! (<https://iceberg.apache.org/spec/#position-delete-files>).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use roaring::RoaringBitmap;

use super::decode::{columns_by_id, contained, open};
use super::encode::{EncodedFile, OffsetIndex, arrow_schema, parquet_writer};
use super::encode_error;
use super::layout::{ColumnKind, Field};
use crate::error::{Error, Result};

/// The field ids that the specification reserves for the two columns.
pub(super) const FILE_PATH_FIELD: i32 = 2_147_483_546;
const POSITION_FIELD: i32 = 2_147_483_545;

/// Number of rows per batch for Parquet.
const BATCH_ROWS: usize = 65_536;

/// A position delete file: for every data file (by its absolute URI) the positions of deleted rows.
///
/// # Errors
///
/// `Internal` when Parquet can't write it.
pub(crate) fn write_deletes(positions: &BTreeMap<String, &RoaringBitmap>) -> Result<EncodedFile> {
    let fields = [
        Field { id: FILE_PATH_FIELD, name: "file_path".to_owned(), kind: ColumnKind::String },
        Field { id: POSITION_FIELD, name: "pos".to_owned(), kind: ColumnKind::Long },
    ];
    let schema = arrow_schema(&fields, |_| false);
    let mut writer = parquet_writer(&schema, OffsetIndex::Absent)?;
    let (mut paths, mut rows) = (StringBuilder::new(), Int64Builder::new());
    let mut count = 0;
    let mut flush = |paths: &mut StringBuilder, rows: &mut Int64Builder| {
        let arrays: Vec<ArrayRef> = vec![Arc::new(paths.finish()), Arc::new(rows.finish())];
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
            .map_err(|error| encode_error("deletes", error))?;
        writer.write(&batch).map_err(|error| encode_error("a delete file", error))
    };
    // The map and the bitmaps are sorted, as the specification wants the rows to be.
    for (path, bitmap) in positions {
        for position in *bitmap {
            paths.append_value(path);
            rows.append_value(i64::from(position));
            count += 1;
            if count % BATCH_ROWS == 0 {
                flush(&mut paths, &mut rows)?;
            }
        }
    }
    flush(&mut paths, &mut rows)?;
    let bytes = writer.into_inner().map_err(|error| encode_error("a delete file", error))?;
    Ok(EncodedFile { bytes: bytes.into(), rows: count as u64, metrics: None })
}

/// Reads a position delete file. `name` is its name in errors.
///
/// # Errors
///
/// `Corrupt`, naming the file, when it is not a position delete file.
pub(crate) fn read_deletes(name: &str, file: Bytes) -> Result<BTreeMap<String, RoaringBitmap>> {
    contained(name, || read(name, file))
}

fn read(name: &str, file: Bytes) -> Result<BTreeMap<String, RoaringBitmap>> {
    let mut deletes: BTreeMap<String, RoaringBitmap> = BTreeMap::new();
    for batch in open(name, file)? {
        let batch = batch.map_err(|error| {
            Error::corrupt(name, format!("expected position deletes, got: {error}"))
        })?;
        let by_id = columns_by_id(batch.schema_ref());
        let column = |id: i32, kind: &DataType| {
            let array = by_id
                .get(&id)
                .map(|at| batch.column(*at))
                .filter(|array| array.data_type() == kind && array.null_count() == 0);
            array.ok_or_else(|| {
                Error::corrupt(
                    name,
                    format!("expected column {id} of position deletes to be {kind} without nulls"),
                )
            })
        };
        let paths = column(FILE_PATH_FIELD, &DataType::Utf8)?.as_string::<i32>();
        let positions = column(POSITION_FIELD, &DataType::Int64)?.as_primitive::<Int64Type>();
        let mut current: Option<(&str, RoaringBitmap)> = None;
        for (path, position) in paths.iter().flatten().zip(positions.values()) {
            let position = u32::try_from(*position).map_err(|_| {
                Error::corrupt(name, format!("expected the position of a row, got {position}"))
            })?;
            match &mut current {
                Some((known, bitmap)) if *known == path => _ = bitmap.insert(position),
                _ => {
                    merge(&mut deletes, current.take());
                    current = Some((path, RoaringBitmap::from_iter([position])));
                }
            }
        }
        merge(&mut deletes, current);
    }
    Ok(deletes)
}

fn merge(deletes: &mut BTreeMap<String, RoaringBitmap>, found: Option<(&str, RoaringBitmap)>) {
    if let Some((path, bitmap)) = found {
        *deletes.entry(path.to_owned()).or_default() |= bitmap;
    }
}
