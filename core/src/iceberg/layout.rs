//! The mapping of SQLite columns to Iceberg columns.
//!
//! A column gets the Iceberg type of its declared affinity. Two columns of our own follow the
//! user's: the rowid where no column shows it, and the exact values that no typed column can hold.

use std::collections::HashSet;

use crate::change::{Affinity, Column, TableShape, Value, ValueRef};

/// Field id of the hidden rowid's column.
pub(crate) const ROWID_FIELD: i32 = 1;
/// Field id of the column of exact values.
pub(super) const EXACT_FIELD: i32 = 2;
/// The first field id that a user's column can have.
pub(crate) const FIRST_FIELD: i32 = 3;

/// The type of an Iceberg column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// 64-bit integer.
    Long,
    /// 64-bit float.
    Double,
    /// UTF-8.
    String,
    /// Bytes.
    Binary,
}

impl ColumnKind {
    /// The name of the type in Iceberg's JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
        }
    }

    /// The inverse of [`ColumnKind::name`].
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Long, Self::Double, Self::String, Self::Binary]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The type for a column.
    ///
    /// A NUMERIC column holds numbers, unless its declared type says otherwise: dates and times are
    /// text in SQLite, booleans are 0 and 1. A column without a type, or of `ANY`, can hold
    /// everything; text is what engines can always show.
    pub(crate) fn of(column: &Column) -> Self {
        let declared = column.declared.to_ascii_uppercase();
        match column.affinity {
            _ if declared.is_empty() || declared == "ANY" => Self::String,
            Affinity::Integer => Self::Long,
            Affinity::Real => Self::Double,
            Affinity::Text => Self::String,
            Affinity::Blob => Self::Binary,
            Affinity::Numeric if declared.contains("DATE") || declared.contains("TIME") => {
                Self::String
            }
            Affinity::Numeric if declared.contains("BOOL") => Self::Long,
            Affinity::Numeric => Self::Double,
        }
    }
}

/// One column of an Iceberg schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// The permanent id of the column, whose name may change.
    pub(crate) id: i32,
    /// The name that engines show.
    pub(crate) name: String,
    /// The type.
    pub(crate) kind: ColumnKind,
}

/// An Iceberg schema: the columns of a table at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// The schema's id within its table.
    pub(crate) id: i32,
    /// The columns, in the order that engines show.
    pub(crate) fields: Vec<Field>,
}

/// The layout of a table's rows in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The stored columns in the table's order, each with its field id.
    columns: Vec<(i32, Column)>,
    /// The column that shows the rowid.
    alias: Option<usize>,
    /// Whether rows have a rowid that no column shows.
    hidden_rowid: bool,
}

impl Layout {
    /// The layout of `shape`, whose columns have these field ids.
    ///
    /// # Panics
    ///
    /// When the number of ids differs from the number of columns.
    pub(crate) fn new(shape: &TableShape, ids: &[i32]) -> Self {
        assert_eq!(shape.columns.len(), ids.len(), "every column of {} has a field id", shape.name);
        let alias = match shape.key {
            crate::change::KeyShape::Rowid { alias } => alias,
            crate::change::KeyShape::Primary(_) => None,
        };
        let columns = ids.iter().copied().zip(shape.columns.iter().cloned()).collect();
        Self { columns, alias, hidden_rowid: shape.has_hidden_rowid() }
    }

    /// Field ids for a new table with `columns` columns.
    pub(crate) fn fresh_ids(columns: usize) -> Vec<i32> {
        (FIRST_FIELD..).take(columns).collect()
    }

    /// The stored columns with their field ids.
    pub(crate) fn columns(&self) -> &[(i32, Column)] {
        &self.columns
    }

    /// The column that shows the rowid.
    pub(super) fn alias(&self) -> Option<usize> {
        self.alias
    }

    /// Whether rows have a rowid that no column shows.
    pub(super) fn hidden_rowid(&self) -> bool {
        self.hidden_rowid
    }

    /// The Iceberg columns: the user's, then ours under names that the user does not have. No name is
    /// one of Iceberg's own.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut taken: HashSet<String> = RESERVED.map(str::to_owned).into();
        let mut fields: Vec<Field> = self
            .columns
            .iter()
            .map(|(id, column)| Field {
                id: *id,
                name: free_name(&mut taken, &column.name),
                kind: ColumnKind::of(column),
            })
            .collect();
        if self.hidden_rowid {
            fields.push(Field {
                id: ROWID_FIELD,
                name: free_name(&mut taken, "_dotdo_rowid"),
                kind: ColumnKind::Long,
            });
        }
        fields.push(Field {
            id: EXACT_FIELD,
            name: free_name(&mut taken, "_dotdo_exact"),
            kind: ColumnKind::String,
        });
        fields
    }
}

/// The names of Iceberg's metadata columns, which engines add to every table
/// (<https://iceberg.apache.org/spec/#reserved-field-ids>): with a column of such a name, Spark refuses
/// a table, and others show their own column instead.
const RESERVED: [&str; 10] = [
    "_file",
    "_pos",
    "_deleted",
    "_spec_id",
    "_partition",
    "_row_id",
    "_last_updated_sequence_number",
    "_change_type",
    "_change_ordinal",
    "_commit_snapshot_id",
];

/// `wanted`, or a similar name when it is empty or taken; engines compare names case-insensitively.
fn free_name(taken: &mut HashSet<String>, wanted: &str) -> String {
    let wanted = if wanted.is_empty() { "_" } else { wanted };
    let mut name = wanted.to_owned();
    let mut number = 2;
    while !taken.insert(name.to_lowercase()) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

/// The value of a typed column in a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Long(i64),
    Double(f64),
    String(&'a str),
    Binary(&'a [u8]),
}

/// The cell for `value` in a column of `kind`; `None` when reading the cell would not give exactly
/// `value` back.
pub(super) fn to_cell<'a>(
    affinity: Affinity,
    kind: ColumnKind,
    value: ValueRef<'a>,
) -> Option<Cell<'a>> {
    let cell = match (kind, value) {
        (_, ValueRef::Null) => Cell::Null,
        (ColumnKind::Long, ValueRef::Integer(value)) => Cell::Long(value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "whether it is lossless is what the comparison below finds out"
        )]
        (ColumnKind::Double, ValueRef::Integer(value)) => Cell::Double(value as f64),
        (ColumnKind::Double, ValueRef::Real(value)) => Cell::Double(value),
        (ColumnKind::String, ValueRef::Text(bytes)) => {
            Cell::String(std::str::from_utf8(bytes).ok()?)
        }
        (ColumnKind::Binary, ValueRef::Blob(bytes)) => Cell::Binary(bytes),
        _ => return None,
    };
    from_cell(affinity, cell).is_identical(value).then_some(cell)
}

/// The value that a cell stands for.
///
/// SQLite stores a whole number in a NUMERIC column as an integer, so a whole double there means an
/// integer.
pub(super) fn from_cell(affinity: Affinity, cell: Cell<'_>) -> ValueRef<'_> {
    match cell {
        Cell::Null => ValueRef::Null,
        Cell::Long(value) => ValueRef::Integer(value),
        Cell::Double(value) if affinity == Affinity::Numeric => {
            whole(value).map_or(ValueRef::Real(value), ValueRef::Integer)
        }
        Cell::Double(value) => ValueRef::Real(value),
        Cell::String(text) => ValueRef::Text(text.as_bytes()),
        Cell::Binary(bytes) => ValueRef::Blob(bytes),
    }
}

/// The integer that equals `value`, within the range where doubles have no gaps.
fn whole(value: f64) -> Option<i64> {
    const GAPLESS: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range by the condition")]
    (value.fract() == 0.0 && value.abs() <= GAPLESS).then_some(value as i64)
}

/// The exact value of a field, if it was stored separately.
pub(super) type ExactValues = Vec<(i32, Value)>;
