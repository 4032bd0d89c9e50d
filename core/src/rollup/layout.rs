//! How the tables of an object lie in those of a roll-up: which of its columns is which there, and
//! what identifies a row.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::change::{
    Affinity, Column, KeyShape, Row, RowKey, Schema, SchemaKind, TableShape, Value,
};

/// The column of a roll-up's table that names the object.
pub(super) const OBJECT_COLUMN: &str = "_dotdo_object";

/// The column that names the row within its object.
pub(super) const ROW_COLUMN: &str = "_dotdo_row";

/// A table of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SourceTable {
    /// Its name, as the program has it.
    pub(super) name: String,
    pub(super) columns: Vec<SourceColumn>,
    /// The columns of the primary key of a `WITHOUT ROWID` table, in the key's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Vec<usize>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SourceColumn {
    pub(super) name: String,
    /// The type that its column in the roll-up is declared with.
    pub(super) kind: String,
}

/// How the tables of some objects lie in a roll-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    /// The tables that were rolled up when it was made.
    pub(super) wanted: Vec<String>,
    /// Those that the objects have.
    pub(super) tables: Vec<LaidTable>,
    /// What the objects' definitions of these tables are, as [`schema_of`] says.
    pub(super) schema: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LaidTable {
    pub(super) name: String,
    /// For each column of the object, the one of the roll-up.
    pub(super) columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Vec<usize>>,
}

impl SourceTable {
    /// The table of `shape`, which the program calls `name`.
    pub(super) fn of(name: &str, shape: &TableShape) -> Self {
        let column =
            |column: &Column| SourceColumn { name: column.name.clone(), kind: kind(column).into() };
        let key = match &shape.key {
            KeyShape::Rowid { .. } => None,
            KeyShape::Primary(columns) => Some(columns.clone()),
        };
        Self { name: name.to_owned(), columns: shape.columns.iter().map(column).collect(), key }
    }
}

impl Layout {
    /// Where the table is that an object calls `name`.
    pub(super) fn table(&self, name: &str) -> Option<&LaidTable> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }
}

impl LaidTable {
    /// The name of a row within its object.
    pub(super) fn name_of(&self, row: &Row) -> String {
        match (row.rowid, &self.key) {
            (Some(rowid), _) => rowid.to_string(),
            (None, columns) => {
                let columns = columns.as_deref().unwrap_or_default();
                joined(columns.iter().filter_map(|column| row.values.get(*column)))
            }
        }
    }
}

/// A hash of how the tables `wanted` are defined. While it stays the same, their columns do.
pub(super) fn schema_of(wanted: &[String], schema: &Schema) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in wanted {
        let is_it = |name: &&String, other: &str| name.eq_ignore_ascii_case(other);
        let found = schema
            .objects
            .iter()
            .find(|object| object.kind == SchemaKind::Table && is_it(&name, &object.name));
        for text in [Some(name), found.and_then(|object| object.sql.as_ref())] {
            let text = text.map_or("", String::as_str);
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The name of a row within its object: its rowid, or the values of its primary key as SQL writes
/// them, with commas between. Different keys have different names.
pub(super) fn name_of_key(key: &RowKey) -> String {
    match key {
        RowKey::Rowid(rowid) => rowid.to_string(),
        RowKey::Primary(values) => joined(values.iter()),
    }
}

fn joined<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    let mut name = String::new();
    for value in values {
        if !name.is_empty() {
            name.push(',');
        }
        push(&mut name, value);
    }
    name
}

fn push(name: &mut String, value: &Value) {
    let mut hex = |start: &str, bytes: &[u8]| {
        name.push_str(start);
        bytes.iter().for_each(|byte| _ = write!(name, "{byte:02x}"));
        name.push('\'');
    };
    match value {
        Value::Null => name.push_str("NULL"),
        Value::Integer(number) => _ = write!(name, "{number}"),
        // Its bits, because not all of them have a decimal number that is as short.
        Value::Real(number) => hex("r'", &number.to_bits().to_be_bytes()),
        Value::Blob(bytes) => hex("x'", bytes),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => _ = write!(name, "'{}'", text.replace('\'', "''")),
            Err(_) => hex("t'", bytes),
        },
    }
}

/// The type of a column in a roll-up: one for each affinity, and for each kind of column that
/// engines see, so that every value stays exactly what it is.
fn kind(column: &Column) -> &'static str {
    let declared = column.declared.to_ascii_uppercase();
    match column.affinity {
        _ if declared.is_empty() => "",
        Affinity::Integer => "INTEGER",
        Affinity::Real => "REAL",
        Affinity::Text => "TEXT",
        Affinity::Blob if declared == "ANY" => "",
        Affinity::Blob => "BLOB",
        Affinity::Numeric if declared.contains("DATE") || declared.contains("TIME") => "DATETIME",
        Affinity::Numeric if declared.contains("BOOL") => "BOOLEAN",
        Affinity::Numeric => "NUMERIC",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            (-3_i64..3).prop_map(Value::Integer),
            prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(f64::INFINITY)]
                .prop_map(Value::Real),
            "[a',]{0,3}".prop_map(|text| Value::Text(text.into_bytes())),
            proptest::collection::vec(prop_oneof![Just(0xff_u8), Just(b'a')], 0..3)
                .prop_map(Value::Text),
            proptest::collection::vec(prop_oneof![Just(0_u8), Just(b'a')], 0..3)
                .prop_map(Value::Blob),
        ]
    }

    fn is_same(one: &[Value], other: &[Value]) -> bool {
        one.len() == other.len()
            && one.iter().zip(other).all(|(a, b)| a.as_ref().is_identical(b.as_ref()))
    }

    proptest! {
        #[test]
        fn different_keys_have_different_names(
            one in proptest::collection::vec(value(), 1..3),
            other in proptest::collection::vec(value(), 1..3),
        ) {
            let same = is_same(&one, &other);
            let name = |values| name_of_key(&RowKey::Primary(values));
            prop_assert_eq!(name(one) == name(other), same);
        }
    }
}
