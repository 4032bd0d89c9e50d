//! Parquet files that nobody of ours wrote.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field as ArrowField, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::*;
use crate::iceberg::inspect::inspect;
use crate::limits::BATCH_BYTES_MAX;

/// A file around this footer.
fn around(footer: &[u8]) -> Bytes {
    let mut file = b"PAR1".to_vec();
    file.extend_from_slice(footer);
    file.extend_from_slice(&u32::try_from(footer.len()).expect("a small footer").to_le_bytes());
    file.extend_from_slice(b"PAR1");
    file.into()
}

fn write(column: ArrayRef, properties: WriterProperties) -> Bytes {
    let kind = column.data_type().clone();
    let schema = Arc::new(Schema::new(vec![ArrowField::new("a", kind, true)]));
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).expect("a writer");
    let batch = RecordBatch::try_new(schema, vec![column]).expect("a batch");
    writer.write(&batch).expect("it is written");
    writer.into_inner().expect("it is finished").into()
}

fn zstd() -> parquet::file::properties::WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()))
}

fn assert_refused(name: &str, file: Bytes) {
    let error = inspect(name, &file).expect_err(name);
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains(name), "{error}");
    let layout = layout(&shape(KeyShape::Rowid { alias: None }));
    read_rows(&layout, name, file.clone(), &mut |_, _, _| Ok(())).expect_err(name);
    read_deletes(name, file).expect_err(name);
}

/// The library allocates as many elements as a list claims to have: two thousand million row groups
/// end the process, and with it all tenants.
#[test]
fn a_footer_whose_lists_claim_more_than_they_have_is_refused() {
    const HUGE: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];
    // The version, then a schema of 2^31 - 1 elements.
    assert_refused("elements", around(&[&[0x15, 2, 0x19, 0xfc], &HUGE[..], &[0; 8]].concat()));
    // A schema of one element, no rows, 2^31 - 1 row groups.
    let schema = [0x15, 2, 0x19, 0x1c, 0x48, 1, b'r', 0x15, 0, 0, 0x16, 0];
    assert_refused("groups", around(&[&schema[..], &[0x19, 0xfc], &HUGE[..], &[0; 8]].concat()));
}

#[test]
fn a_schema_of_groups_within_groups_is_refused() {
    // Each element says that the next one is its only child.
    let element = [0x48, 1, b'r', 0x15, 2, 0];
    let schema: Vec<u8> =
        [&[0x15, 2, 0x19, 0xfc, 0xa0, 0x8d, 0x06][..], &element.repeat(100_000)].concat();
    assert_refused("nested", around(&[&schema[..], &[0x16, 0, 0x19, 0x0c, 0]].concat()));
    let item = Arc::new(ArrowField::new("item", DataType::Int64, true));
    let offsets = arrow_buffer::OffsetBuffer::from_lengths([3]);
    let list = ListArray::new(item, offsets, Arc::new(Int64Array::from(vec![1, 2, 3])), None);
    assert_refused("list", write(Arc::new(list), zstd().build()));
}

/// In this encoding a row costs two bytes and becomes as long as the one before it.
#[test]
fn encodings_that_this_program_does_not_write_are_refused() {
    let text = "x".repeat(10_000);
    let rows = StringArray::from(vec![text.as_str(); 100]);
    let delta = zstd().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BYTE_ARRAY);
    assert_refused("delta", write(Arc::new(rows), delta.build()));
    let numbers = zstd().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BINARY_PACKED);
    assert_refused("packed", write(Arc::new(Int64Array::from(vec![7; 1000])), numbers.build()));
}

#[test]
fn rows_that_are_all_the_same_large_value_are_read_a_few_at_a_time() {
    let text = "x".repeat(1 << 20);
    let rows = StringArray::from(vec![text.as_str(); 200]);
    let file = write(Arc::new(rows), zstd().set_dictionary_page_size_limit(4 << 20).build());
    assert!(file.len() < 64 << 10, "{} bytes become 200 MiB", file.len());
    let inspected = inspect("same", &file).expect("it is a good file");
    assert!(inspected.batch_rows <= 32 && inspected.rows == 200, "{inspected:?}");
    assert!(inspected.reading_bytes <= 2 * BATCH_BYTES_MAX, "{inspected:?}");
}

#[test]
fn a_page_that_claims_to_become_huge_is_not_decompressed_to_find_out() {
    let numbers: Vec<i64> = (0..100).collect();
    let file = write(
        Arc::new(Int64Array::from(numbers)),
        WriterProperties::builder().set_dictionary_enabled(false).build(),
    );
    // The head of the first page: its kind, its size, its stored size.
    let good = inspect("page", &file).expect("it is a good file");
    let at = 4;
    assert_eq!(&file[at..at + 3], &[0x15, 0, 0x15], "the size follows");
    assert!(good.plain_bytes < 1000 && file[at + 3] & 0x80 != 0 && file[at + 4] & 0x80 == 0);
    let mut larger = file.to_vec();
    // The same two bytes for the largest number that has two.
    larger[at + 3..at + 5].copy_from_slice(&[0xfe, 0x7f]);
    let larger = inspect("page", &larger.into()).expect("it is only paid for");
    assert!(larger.plain_bytes > 8000 && larger.reading_bytes > 8000, "{larger:?}");
}

#[test]
fn what_this_program_writes_is_read_in_large_batches() {
    let shape = shape(KeyShape::Rowid { alias: None });
    let rows: Rows = (0..3000)
        .map(|number| (Some(number), vec![Value::Integer(number); shape.columns.len()]))
        .collect();
    let file = encode(&layout(&shape), &rows);
    let inspected = inspect("ours", &file.bytes).expect("it is ours");
    assert_eq!((inspected.rows, inspected.batch_rows), (3000, 8192), "{inspected:?}");
    assert!(inspected.reading_bytes < 8 << 20, "{inspected:?}");
}
