//! The key that is looked for.

use crate::change::{Affinity, Column, TableShape, Value, ValueRef};
use crate::snapshot::keys::{KeyHash, encode};

/// What identifies the wanted rows of a table.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The columns of the key, as indexes in the table's; empty for the rowid.
    pub(super) columns: Vec<usize>,
    /// What all keys share that SQLite may take for equal to this one.
    pub(super) family: u64,
    /// The rowid, if that is the key.
    pub(super) rowid: i64,
}

impl Key {
    /// The key with `values` in the `columns` of `shape`; no columns mean the rowid. `None` when it
    /// is not certain which stored values SQLite takes for equal to these.
    pub(crate) fn new(shape: &TableShape, columns: &[usize], values: &[Value]) -> Option<Self> {
        if columns.is_empty() {
            let [value] = values else { return None };
            let Value::Integer(rowid) = coerced(Affinity::Integer, value)? else { return None };
            return Some(Self { columns: Vec::new(), family: 0, rowid });
        }
        if columns.len() != values.len() {
            return None;
        }
        let affinity = |at: &usize| shape.columns.get(*at).map(|column: &Column| column.affinity);
        let values = columns.iter().zip(values).map(|(at, value)| coerced(affinity(at)?, value));
        let values = values.collect::<Option<Vec<Value>>>()?;
        let family = family(values.iter().map(Value::as_ref));
        Some(Self { columns: columns.to_vec(), family, rowid: 0 })
    }

    /// Whether a row may have the key.
    pub(super) fn may_be_of(&self, rowid: Option<i64>, values: &[ValueRef<'_>]) -> bool {
        if self.columns.is_empty() {
            return rowid == Some(self.rowid);
        }
        family(self.columns.iter().filter_map(|at| values.get(*at).copied())) == self.family
    }
}

/// What all keys share that SQLite may take for equal to these values.
pub(super) fn family<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> u64 {
    KeyHash::new(&encode(values)).family()
}

/// The value as SQLite compares it with those of a column, by their affinity
/// (<https://www.sqlite.org/datatype3.html#type_conversions_prior_to_comparison>); `None` when that
/// is left to SQLite.
fn coerced(affinity: Affinity, value: &Value) -> Option<Value> {
    match (affinity, value) {
        (Affinity::Blob, value) => Some(value.clone()),
        (Affinity::Text, Value::Integer(number)) => Some(Value::Text(number.to_string().into())),
        (Affinity::Text, Value::Real(_)) => None,
        (Affinity::Text, value) => Some(value.clone()),
        (_, Value::Text(text)) => {
            let text = std::str::from_utf8(text).ok()?;
            let digits = text.strip_prefix('-').unwrap_or(text);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return text.parse().ok().map(Value::Integer);
            }
            // Whatever may be a number in some notation.
            let may_be_number = text
                .trim_start()
                .starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
            (!may_be_number).then(|| value.clone())
        }
        (_, value) => Some(value.clone()),
    }
}
