//! The column of exact values, which stores as readable JSON what no typed column can hold.
//!
//! `{"3":{"integer":"9223372036854775807"},"5":{"text_base64":"/w=="}}`: by field id, the storage
//! class and the value. Numbers are strings, because many JSON readers round them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::layout::ExactValues;
use crate::change::{Value, ValueRef};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredValue {
    Null,
    Integer(String),
    Real(String),
    Text(String),
    TextBase64(String),
    BlobBase64(String),
}

/// The values of one row that no typed column can hold.
#[derive(Default)]
pub(super) struct ExactRow(BTreeMap<i32, StoredValue>);

impl ExactRow {
    /// Adds the value of the column `field`.
    pub(super) fn insert(&mut self, field: i32, value: ValueRef<'_>) {
        let stored = match value {
            ValueRef::Null => StoredValue::Null,
            ValueRef::Integer(value) => StoredValue::Integer(value.to_string()),
            // Rust prints the shortest digits that read back as the same bits, and `-0.0`, `inf`
            // and `-inf` as such.
            ValueRef::Real(value) => StoredValue::Real(format!("{value:?}")),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => StoredValue::Text(text.to_owned()),
                Err(_) => StoredValue::TextBase64(STANDARD.encode(bytes)),
            },
            ValueRef::Blob(bytes) => StoredValue::BlobBase64(STANDARD.encode(bytes)),
        };
        self.0.insert(field, stored);
    }

    /// Takes the JSON; `None` when there are no values. The row is empty afterwards.
    pub(super) fn take_json(&mut self) -> Option<String> {
        let values = std::mem::take(&mut self.0);
        (!values.is_empty())
            .then(|| serde_json::to_string(&values).expect("maps of strings are always JSON"))
    }
}

/// Reads what [`ExactRow::take_json`] wrote; the error says what is wrong with it.
pub(super) fn parse(json: &str) -> Result<ExactValues, String> {
    let stored: BTreeMap<i32, StoredValue> =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    stored.into_iter().map(|(field, value)| Ok((field, revive(value)?))).collect()
}

fn revive(stored: StoredValue) -> Result<Value, String> {
    Ok(match stored {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(digits) => Value::Integer(
            digits.parse().map_err(|_| format!("expected a 64-bit integer, got {digits:?}"))?,
        ),
        StoredValue::Real(digits) => {
            Value::Real(digits.parse().map_err(|_| format!("expected a number, got {digits:?}"))?)
        }
        StoredValue::Text(text) => Value::Text(text.into_bytes()),
        StoredValue::TextBase64(base64) => {
            Value::Text(STANDARD.decode(base64).map_err(|error| error.to_string())?)
        }
        StoredValue::BlobBase64(base64) => {
            Value::Blob(STANDARD.decode(base64).map_err(|error| error.to_string())?)
        }
    })
}
