mod manifests;
mod untrusted;

use std::collections::BTreeMap;

use iceberg::spec::{FormatVersion, Manifest, ManifestList, ManifestStatus, TableMetadata};
use proptest::prelude::*;
use roaring::RoaringBitmap;
use uuid::Uuid;

use super::*;
use crate::change::{Affinity, Column, KeyShape, TableShape, Value, ValueRef};
use crate::error::ErrorKind;

fn column(name: &str, declared: &str, affinity: Affinity) -> Column {
    Column { name: name.to_owned(), declared: declared.to_owned(), affinity }
}

fn every_kind() -> Vec<Column> {
    vec![
        column("from", "INTEGER", Affinity::Integer),
        column("order", "REAL", Affinity::Real),
        column("a \"quoted\".name", "TEXT", Affinity::Text),
        column("_dotdo_exact", "BLOB", Affinity::Blob),
        column("", "", Affinity::Blob),
        column("price", "DECIMAL(10,2)", Affinity::Numeric),
        column("at", "DATETIME", Affinity::Numeric),
        column("done", "BOOLEAN", Affinity::Numeric),
    ]
}

fn shape(key: KeyShape) -> TableShape {
    TableShape { name: "things".to_owned(), columns: every_kind(), key }
}

fn layout(shape: &TableShape) -> Layout {
    Layout::new(shape, &Layout::fresh_ids(shape.columns.len()))
}

type Rows = Vec<(Option<i64>, Vec<Value>)>;

fn encode(layout: &Layout, rows: &Rows) -> EncodedFile {
    let mut encoder = RowEncoder::new(layout).expect("an encoder");
    for (rowid, values) in rows {
        let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
        encoder.push(*rowid, &values).expect("a row");
    }
    encoder.finish().expect("a file")
}

fn decode(layout: &Layout, file: &EncodedFile) -> Rows {
    let mut rows = Rows::new();
    read_rows(
        layout,
        "data/things-0.parquet",
        file.bytes.clone(),
        &mut |position, rowid, values| {
            assert_eq!(position as usize, rows.len());
            rows.push((rowid, values.iter().map(|value| ValueRef::to_owned(*value)).collect()));
            Ok(())
        },
    )
    .expect("rows");
    rows
}

fn assert_identical(left: &Rows, right: &Rows) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left.0, right.0);
        for (left, right) in left.1.iter().zip(&right.1) {
            assert!(left.as_ref().is_identical(right.as_ref()), "{left:?} became {right:?}");
        }
    }
}

/// Values that like to break: extremes, gaps of doubles, signed zeros, infinities, text that is not
/// UTF-8.
fn value() -> impl Strategy<Value = Value> {
    let integers = prop_oneof![
        any::<i64>(),
        -5..5_i64,
        Just(i64::MAX),
        Just(i64::MIN),
        Just((1 << 53) + 1),
        Just(1 << 53),
        Just(-(1 << 53) - 1)
    ];
    let reals = prop_oneof![
        any::<f64>().prop_filter("SQLite has no NaN", |value| !value.is_nan()),
        Just(-0.0),
        Just(0.0),
        Just(5.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(9_007_199_254_740_993.5),
        Just(f64::MIN_POSITIVE / 2.0),
        Just(1e300)
    ];
    prop_oneof![
        Just(Value::Null),
        integers.prop_map(Value::Integer),
        reals.prop_map(Value::Real),
        "\\PC{0,20}".prop_map(|text| Value::Text(text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Blob),
    ]
}

fn rows() -> impl Strategy<Value = Rows> {
    let row = (any::<i64>(), prop::collection::vec(value(), every_kind().len()));
    prop::collection::vec(row.prop_map(|(rowid, values)| (Some(rowid), values)), 0..40)
}

proptest! {
    #[test]
    fn any_value_in_any_column_comes_back_bit_for_bit(rows in rows()) {
        let layout = layout(&shape(KeyShape::Rowid { alias: None }));
        let file = encode(&layout, &rows);
        prop_assert_eq!(file.rows, rows.len() as u64);
        assert_identical(&decode(&layout, &file), &rows);
    }
}

#[test]
fn a_column_that_was_added_later_is_null_and_a_dropped_one_is_skipped() {
    let old = TableShape {
        columns: every_kind()[..3].to_vec(),
        ..shape(KeyShape::Rowid { alias: Some(0) })
    };
    let new = TableShape {
        columns: vec![
            every_kind()[0].clone(),
            column("renamed", "TEXT", Affinity::Text),
            column("new", "INT", Affinity::Integer),
        ],
        ..old.clone()
    };
    let text = Value::Text(b"kept".to_vec());
    let rows = vec![(Some(7), vec![Value::Integer(7), Value::Integer(1), text.clone()])];
    let file = encode(&layout(&old), &rows);
    let decoded = decode(&Layout::new(&new, &[3, 5, 6]), &file);
    assert_identical(&decoded, &vec![(Some(7), vec![Value::Integer(7), text, Value::Null])]);
}

#[test]
fn names_that_engines_would_confuse_are_made_different() {
    let names: Vec<String> = layout(&shape(KeyShape::Rowid { alias: None }))
        .fields()
        .into_iter()
        .map(|field| field.name)
        .collect();
    assert_eq!(
        names[3..],
        ["_dotdo_exact", "_", "price", "at", "done", "_dotdo_rowid", "_dotdo_exact_2"]
    );
}

#[test]
fn names_that_iceberg_reserves_are_changed_in_every_spelling() {
    let names = ["_file", "_POS", "_Row_Id", "_partition", "_partition_2", "file", "pos"];
    let columns = names.iter().map(|name| column(name, "TEXT", Affinity::Text)).collect();
    let shape = TableShape { columns, ..shape(KeyShape::Rowid { alias: Some(0) }) };
    let shown: Vec<String> = layout(&shape).fields().into_iter().map(|field| field.name).collect();
    let others = ["_partition_2", "_partition_2_2", "file", "pos", "_dotdo_exact"];
    assert_eq!(shown[..3], ["_file_2", "_POS_2", "_Row_Id_2"]);
    assert_eq!(shown[3..], others);
}

#[test]
fn a_damaged_file_is_corrupt_and_named() {
    let layout = layout(&shape(KeyShape::Rowid { alias: None }));
    let good = encode(&layout, &vec![(Some(1), vec![Value::Null; 8])]).bytes;
    for bad in [good.slice(..good.len() - 1), good.slice(..4), bytes::Bytes::new()] {
        let error =
            read_rows(&layout, "a/b.parquet", bad, &mut |_, _, _| Ok(())).expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().starts_with("a/b.parquet: expected"), "{error}");
    }
}

#[test]
fn many_deletes_of_many_files_come_back() {
    let first: RoaringBitmap = (0..200_000).step_by(3).collect();
    let second = RoaringBitmap::from_iter([0, u32::MAX]);
    let written = BTreeMap::from([
        ("s3://b/x.parquet".to_owned(), &first),
        ("s3://b/y.parquet".to_owned(), &second),
    ]);
    let file = write_deletes(&written).expect("a delete file");
    assert_eq!(file.rows, first.len() + second.len());
    let read = read_deletes("d.parquet", file.bytes).expect("deletes");
    assert_eq!(read, written.into_iter().map(|(path, bitmap)| (path, bitmap.clone())).collect());
}

fn version(schema_id: i32) -> Version {
    Version {
        snapshot_id: 42,
        parent: Some(41),
        sequence: 7,
        timestamp_ms: 1_700_000_000_000,
        manifest_list: "file:///x/list.avro".to_owned(),
        schema_id,
        operation: Operation::Overwrite,
        log_sequence: 99,
        records: 10,
        deletes: 1,
    }
}

fn field_set(id: i32) -> FieldSet {
    FieldSet { id, fields: layout(&shape(KeyShape::Rowid { alias: None })).fields() }
}

fn entry(status: FileStatus, uri: &str) -> FileEntry {
    FileEntry { status, uri: uri.to_owned(), rows: 5, bytes: 100, of: None, metrics: None }
}

#[test]
fn manifests_say_which_data_file_a_delete_file_is_about() {
    let of = "u://a/long/folder/with/data.parquet".to_owned();
    let deletes = [
        FileEntry { of: Some(of.clone()), ..entry(FileStatus::Added, "one") },
        entry(FileStatus::Added, "several"),
    ];
    let written = write_manifests(
        &version(0),
        &field_set(0),
        ManifestEntries { files: &[], uri: "u://data.avro" },
        ManifestEntries { files: &deletes, uri: "u://deletes.avro" },
    )
    .expect("manifests");
    let manifest = Manifest::parse_avro(&written.deletes.expect("a manifest")).expect("a manifest");
    let about = |index: usize| manifest.entries()[index].data_file().referenced_data_file();
    assert_eq!([about(0), about(1)], [Some(of), None]);
}

#[test]
fn manifests_say_which_snapshot_added_each_file() {
    let data = [
        entry(FileStatus::Existing { snapshot_id: 40, sequence: 3 }, "old"),
        entry(FileStatus::Removed { sequence: 5 }, "gone"),
        entry(FileStatus::Added, "new"),
    ];
    let deletes = [entry(FileStatus::Added, "deletes")];
    let written = write_manifests(
        &version(0),
        &field_set(0),
        ManifestEntries { files: &data, uri: "u://data.avro" },
        ManifestEntries { files: &deletes, uri: "u://deletes.avro" },
    )
    .expect("manifests");

    let list = ManifestList::parse_with_version(&written.list, FormatVersion::V2).expect("a list");
    let lines: Vec<_> = list
        .entries()
        .iter()
        .map(|line| (line.manifest_path.as_str(), line.sequence_number, line.min_sequence_number))
        .collect();
    assert_eq!(lines, [("u://data.avro", 7, 3), ("u://deletes.avro", 7, 7)]);
    let manifest =
        Manifest::parse_avro(&written.data.expect("a data manifest")).expect("a manifest");
    let found: Vec<_> = manifest
        .entries()
        .iter()
        .map(|entry| {
            (entry.file_path(), entry.status(), entry.snapshot_id(), entry.sequence_number())
        })
        .collect();
    assert_eq!(
        found,
        [
            ("old", ManifestStatus::Existing, Some(40), Some(3)),
            ("gone", ManifestStatus::Deleted, Some(42), Some(5)),
            ("new", ManifestStatus::Added, Some(42), None)
        ]
    );
}

#[test]
fn metadata_is_what_the_specification_asks_for() {
    let versions =
        [Version { snapshot_id: 41, parent: Some(40), sequence: 6, ..version(0) }, version(1)];
    let table = TableDocument {
        name: "things",
        uuid: Uuid::from_u128(5),
        location: "file:///x",
        schemas: &[field_set(0), field_set(1)],
        last_column_id: 12,
        versions: &versions,
    };
    let bytes = write_metadata(&table).expect("metadata");
    let read: TableMetadata = serde_json::from_slice(&bytes).expect("the iceberg crate reads it");
    assert_eq!(read.uuid(), Uuid::from_u128(5));
    assert_eq!(read.current_snapshot_id(), Some(42));
    assert_eq!(read.current_schema_id(), 1);
    assert_eq!(read.last_sequence_number(), 7);
    assert_eq!(read.snapshots().len(), 2);
    assert_eq!(read.current_schema().field_by_id(3).map(|field| field.name.as_str()), Some("from"));
}
