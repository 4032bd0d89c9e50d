//! Values of SQLite's callbacks, an order of values, and quoted names.

use std::cmp::Ordering;

use dotdo_sqlite_sys as ffi;

use super::statement::bytes;
use crate::change::{Value, ValueRef};

/// Copies a value that is borrowed from SQLite; `None` when memory is short.
///
/// # Safety
/// `raw` is a live value, used by this thread alone.
pub(super) unsafe fn copy(raw: *mut ffi::sqlite3_value) -> Option<Value> {
    // SAFETY: the caller's promise; the length is asked after the pointer, as the API requires, and
    // the bytes are copied at once.
    unsafe {
        Some(match ffi::sqlite3_value_type(raw) {
            ffi::SQLITE_INTEGER => Value::Integer(ffi::sqlite3_value_int64(raw)),
            ffi::SQLITE_FLOAT => Value::Real(ffi::sqlite3_value_double(raw)),
            ffi::SQLITE_TEXT => {
                let start = ffi::sqlite3_value_text(raw);
                // Not null, even when it is empty.
                if start.is_null() {
                    return None;
                }
                Value::Text(bytes(start, ffi::sqlite3_value_bytes(raw)).to_vec())
            }
            ffi::SQLITE_BLOB => {
                let start = ffi::sqlite3_value_blob(raw);
                let length = ffi::sqlite3_value_bytes(raw);
                if start.is_null() && length > 0 {
                    return None;
                }
                Value::Blob(bytes(start.cast(), length).to_vec())
            }
            _ => Value::Null,
        })
    }
}

/// An order in which only identical values are equal: NULL, integers, reals, texts, blobs, each by
/// its bits.
pub(super) fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Real(a), ValueRef::Real(b)) => a.total_cmp(&b),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

/// The same order for the values of a key.
pub(super) fn order_all(a: &[Value], b: &[Value]) -> Ordering {
    let by_value = a.iter().zip(b).map(|(a, b)| order(a.as_ref(), b.as_ref()));
    by_value.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn rank(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) => 1,
        ValueRef::Real(_) => 2,
        ValueRef::Text(_) => 3,
        ValueRef::Blob(_) => 4,
    }
}

/// A name, quoted for SQL.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
