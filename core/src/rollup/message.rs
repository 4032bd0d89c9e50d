//! What is said to a roll-up, and what it answers: bytes between processes of a cluster, which may
//! be of two versions.
//!
//! A message is a head in JSON, with its length in front of it (four bytes, little-endian), and the
//! rows of its items, one after the other, as records have them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::change::{Changes, TableChanges};
use crate::error::{Error, Result};
use crate::log::{decode_changes, encode_changes};
use crate::rollup::layout::SourceTable;

const FORMAT: u32 = 1;
const LENGTH_BYTES: usize = 4;

/// The beginning of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    /// The tables that are rolled up.
    pub(super) tables: Vec<String>,
    /// The objects of which the roll-up says what it has.
    #[serde(default)]
    pub(super) ask: Vec<String>,
    /// Whether it says of all objects that it has what that is.
    #[serde(default)]
    pub(super) ask_all: bool,
    #[serde(default)]
    pub(super) items: Vec<Item>,
}

/// What has become of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) object: String,
    /// The last record in it.
    pub(super) to: u64,
    pub(super) what: What,
    /// How many bytes its rows take.
    #[serde(default)]
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// The rows that the records after `from` have changed, and the keys of those that are gone.
    Changes { from: u64 },
    /// The object does not exist any more.
    Gone,
    /// All rows, or a part of them.
    Copy(Piece),
}

/// A part of the copy of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// A name that no other copy has.
    pub(super) copy: String,
    /// Its number, from 0 on.
    pub(super) number: u64,
    pub(super) is_last: bool,
    /// The object's tables; with the first part.
    #[serde(default)]
    pub(super) tables: Vec<SourceTable>,
    /// How they are defined; with the first part.
    #[serde(default)]
    pub(super) schema: String,
}

/// What a roll-up has of the objects that it was asked or told about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) objects: BTreeMap<String, Held>,
}

/// What a roll-up has of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    /// The last record in it; 0: it has nothing.
    pub(super) sequence: u64,
    /// Whether changes can follow: it has all of the tables that are rolled up now.
    pub(super) is_whole: bool,
    /// How these tables were defined.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) schema: String,
    /// Why it did not take what it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// A message that is being put together.
pub(super) struct Writer {
    head: Head,
    rows: Vec<u8>,
}

impl Writer {
    pub(super) fn new(tables: &[String]) -> Self {
        let (tables, ask, items) = (tables.to_vec(), Vec::new(), Vec::new());
        Self { head: Head { format: FORMAT, tables, ask, ask_all: false, items }, rows: Vec::new() }
    }

    pub(super) fn ask(mut self, objects: Vec<String>) -> Self {
        self.head.ask = objects;
        self
    }

    pub(super) fn ask_all(mut self) -> Self {
        self.head.ask_all = true;
        self
    }

    /// Adds an item, whose rows are encoded.
    pub(super) fn push(&mut self, item: Item, rows: &[u8]) {
        self.head.items.push(Item { bytes: rows.len(), ..item });
        self.rows.extend_from_slice(rows);
    }

    /// Number of bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.items.is_empty()
    }

    pub(super) fn finish(self) -> Result<Bytes> {
        let head = serde_json::to_vec(&self.head)?;
        let length = u32::try_from(head.len())
            .map_err(|_| Error::internal("the head of a message to a roll-up is too long"))?;
        let mut bytes = Vec::with_capacity(LENGTH_BYTES + head.len() + self.rows.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.rows);
        Ok(bytes.into())
    }
}

/// The head of a message, and its items with their rows.
///
/// # Errors
///
/// `Invalid` for what is no message of this version.
pub(super) fn read(bytes: &[u8]) -> Result<(Head, Vec<Vec<TableChanges>>)> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or_else(malformed)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| malformed())?;
    let (head, mut rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
    let head: Head = serde_json::from_slice(head).map_err(|_| malformed())?;
    if head.format != FORMAT {
        return Err(malformed());
    }
    let mut rows = Vec::new();
    for item in &head.items {
        let (mine, others) = rest.split_at_checked(item.bytes).ok_or_else(malformed)?;
        rows.push(if mine.is_empty() { Vec::new() } else { decode_changes(mine)?.tables });
        rest = others;
    }
    if rest.is_empty() { Ok((head, rows)) } else { Err(malformed()) }
}

/// What a roll-up has answered.
///
/// # Errors
///
/// `Invalid` for what is no answer of this version.
pub(super) fn read_answer(bytes: &[u8]) -> Result<Answer> {
    serde_json::from_slice(bytes).map_err(|_| malformed())
}

/// Rows as a message has them.
pub(super) fn encode_rows(tables: Vec<TableChanges>) -> Vec<u8> {
    if tables.is_empty() {
        return Vec::new();
    }
    encode_changes(&Changes { tables, ..Changes::default() })
}

fn malformed() -> Error {
    Error::invalid(format!("expected a message to a roll-up in format {FORMAT}"))
        .with_code("BAD_ROLLUP_MESSAGE")
}

/// Fuzz target: reads a message.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_message(data: &[u8]) {
    let _ = read(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Row, RowKey, Value};

    #[test]
    fn a_message_comes_back_and_a_part_of_it_does_not() {
        let rows = vec![TableChanges {
            table: "orders".to_owned(),
            rewritten: false,
            deletes: vec![RowKey::Rowid(3)],
            upserts: vec![Row { rowid: Some(i64::MIN), values: vec![Value::Real(-0.0)] }],
        }];
        let mut writer = Writer::new(&["orders".to_owned()]).ask(vec!["b".to_owned()]);
        let item = |what| Item { object: "a".to_owned(), to: 7, what, bytes: 0 };
        writer.push(item(What::Changes { from: 3 }), &encode_rows(rows.clone()));
        writer.push(item(What::Gone), &encode_rows(Vec::new()));
        let bytes = writer.finish().expect("it is short");
        let (head, read_rows) = read(&bytes).expect("it comes back");
        assert_eq!((head.ask.as_slice(), head.items.len()), (&["b".to_owned()][..], 2));
        assert_eq!(read_rows, [rows, Vec::new()]);
        for end in 0..bytes.len() {
            let error = read(&bytes[..end]).expect_err("it is cut off");
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{end}");
        }
    }
}
