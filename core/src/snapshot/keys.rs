//! Keys of rows, as bytes and as hashes.

use std::collections::BTreeSet;

use roaring::RoaringTreemap;

use crate::change::{KeyShape, Row, RowKey, TableShape, Value, ValueRef};

/// The bytes of a primary key of a `WITHOUT ROWID` table: a tag and the value, one after the other.
pub(super) type KeyBytes = Box<[u8]>;

/// Maps rowids to unsigned numbers with the same order.
pub(super) fn rowid_to_bits(rowid: i64) -> u64 {
    rowid.cast_unsigned() ^ (1 << 63)
}

/// The inverse of [`rowid_to_bits`].
pub(super) fn bits_to_rowid(bits: u64) -> i64 {
    (bits ^ (1 << 63)).cast_signed()
}

/// A set of rows' keys; all of a table's keys are of one kind.
#[derive(Debug, Clone)]
pub(super) enum KeySet {
    Rowids(RoaringTreemap),
    Primary(BTreeSet<KeyBytes>),
}

impl KeySet {
    pub(super) fn new(shape: &TableShape) -> Self {
        match shape.key {
            KeyShape::Rowid { .. } => Self::Rowids(RoaringTreemap::new()),
            KeyShape::Primary(_) => Self::Primary(BTreeSet::new()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Rowids(rowids) => rowids.is_empty(),
            Self::Primary(keys) => keys.is_empty(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Rowids(rowids) => rowids.len(),
            Self::Primary(keys) => keys.len() as u64,
        }
    }

    /// Adds a key. `false`: it is of the other kind, so the set does not have it.
    #[must_use]
    pub(super) fn insert_key(&mut self, key: &RowKey) -> bool {
        match (self, key) {
            (Self::Rowids(rowids), RowKey::Rowid(rowid)) => {
                _ = rowids.insert(rowid_to_bits(*rowid))
            }
            (Self::Primary(keys), RowKey::Primary(values)) => {
                _ = keys.insert(encode(values.iter().map(Value::as_ref)))
            }
            _ => return false,
        }
        true
    }

    /// Adds the key of `row`. `false`: the row or the set is not of this shape, so the set does not
    /// have it.
    #[must_use]
    pub(super) fn insert_row(&mut self, shape: &TableShape, row: &Row) -> bool {
        match (self, &shape.key, row.rowid) {
            (Self::Rowids(rowids), KeyShape::Rowid { .. }, Some(rowid)) => {
                _ = rowids.insert(rowid_to_bits(rowid))
            }
            (Self::Primary(keys), KeyShape::Primary(_), None)
                if row.values.len() == shape.columns.len() =>
            {
                let values: Vec<ValueRef<'_>> = row.values.iter().map(Value::as_ref).collect();
                keys.insert(key_of_row(shape, &values));
            }
            _ => return false,
        }
        true
    }

    /// Whether the row with this rowid and these values has its key in the set.
    pub(super) fn contains_row(
        &self,
        shape: &TableShape,
        rowid: Option<i64>,
        values: &[ValueRef<'_>],
    ) -> bool {
        match self {
            Self::Rowids(rowids) => {
                rowid.is_some_and(|rowid| rowids.contains(rowid_to_bits(rowid)))
            }
            Self::Primary(keys) => keys.contains(&key_of_row(shape, values)),
        }
    }

    /// Adds all of `other`. `false`: it is of the other kind, so the set does not have it.
    #[must_use]
    pub(super) fn merge(&mut self, other: Self) -> bool {
        match (self, other) {
            (Self::Rowids(rowids), Self::Rowids(more)) => *rowids |= more,
            (Self::Primary(keys), Self::Primary(more)) => keys.extend(more),
            _ => return false,
        }
        true
    }
}

/// The primary key of a row of a `WITHOUT ROWID` table; empty for other tables.
pub(super) fn key_of_row(shape: &TableShape, values: &[ValueRef<'_>]) -> KeyBytes {
    match &shape.key {
        KeyShape::Primary(columns) => {
            encode(columns.iter().filter_map(|column| values.get(*column).copied()))
        }
        KeyShape::Rowid { .. } => KeyBytes::default(),
    }
}

/// The bytes of these values: equal where the values are identical, and nowhere else.
pub(super) fn encode<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> KeyBytes {
    let mut bytes = Vec::new();
    for value in values {
        let (tag, content): (u8, &[u8]) = match value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(value) => (1, &value.to_be_bytes()),
            ValueRef::Real(value) => (2, &value.to_bits().to_be_bytes()),
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(blob) => (4, blob),
        };
        bytes.push(tag);
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(content);
    }
    bytes.into()
}

/// Decodes a key of a [`KeySet`].
pub(super) fn decode(bytes: &[u8]) -> RowKey {
    RowKey::Primary(parts(bytes).map(ValueRef::to_owned).collect())
}

fn parts(mut bytes: &[u8]) -> impl Iterator<Item = ValueRef<'_>> {
    std::iter::from_fn(move || {
        let (&tag, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (content, rest) = rest.split_at(usize::try_from(u64::from_be_bytes(*length)).ok()?);
        bytes = rest;
        let number = || <[u8; 8]>::try_from(content).expect("numbers have eight bytes");
        Some(match tag {
            0 => ValueRef::Null,
            1 => ValueRef::Integer(i64::from_be_bytes(number())),
            2 => ValueRef::Real(f64::from_bits(u64::from_be_bytes(number()))),
            3 => ValueRef::Text(content),
            _ => ValueRef::Blob(content),
        })
    })
}

/// A hash of a key in two halves: the upper is the same for all keys that SQLite may take for equal
/// under any of its collations (`a` and `A`, `1` and `1.0`), the lower tells their bytes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyHash(pub(super) u128);

impl KeyHash {
    pub(super) fn new(key: &[u8]) -> Self {
        let own = blake3::hash(key);
        let folded = parts(key).any(is_folded_away).then(|| blake3::hash(&encode_folded(key)));
        let half = |hash: &blake3::Hash, at: usize| {
            let bytes = hash.as_bytes()[at..].first_chunk().expect("a hash has 32 bytes");
            u128::from(u64::from_be_bytes(*bytes))
        };
        Self(half(folded.as_ref().unwrap_or(&own), 0) << 64 | half(&own, 8))
    }

    /// The half that equal keys share.
    pub(super) fn family(self) -> u64 {
        u64::try_from(self.0 >> 64).expect("half of the bits")
    }
}

/// The key with everything left out that a collation may ignore.
fn encode_folded(key: &[u8]) -> KeyBytes {
    let folded: Vec<Value> = parts(key).map(fold).collect();
    encode(folded.iter().map(Value::as_ref))
}

/// Whether [`fold`] changes the value. Most keys need no copy.
fn is_folded_away(value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Text(text) => {
            text.last() == Some(&b' ') || text.iter().any(u8::is_ascii_uppercase)
        }
        ValueRef::Real(_) => true,
        _ => false,
    }
}

fn fold(value: ValueRef<'_>) -> Value {
    match value {
        // NOCASE folds ASCII, RTRIM ignores spaces at the end.
        ValueRef::Text(text) => {
            let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
            Value::Text(text[..end].to_ascii_lowercase())
        }
        // Whole doubles equal integers; those beyond 64 bits have no integer that could be equal.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "compared after the round trip"
        )]
        ValueRef::Real(real) if (real as i64) as f64 == real => Value::Integer(real as i64),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Affinity, Column};

    fn key(values: &[Value]) -> KeyBytes {
        encode(values.iter().map(Value::as_ref))
    }

    #[test]
    fn a_key_comes_back_from_its_bytes() {
        let values = vec![
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Real(-0.0),
            Value::Text(vec![0xff, 0]),
            Value::Blob(Vec::new()),
            Value::Text(b"a".to_vec()),
        ];
        let RowKey::Primary(read) = decode(&key(&values)) else { panic!("a primary key") };
        assert!(
            read.iter().zip(&values).all(|(a, b)| a.as_ref().is_identical(b.as_ref()))
                && read.len() == values.len()
        );
    }

    #[test]
    fn keys_that_sqlite_may_take_for_equal_are_one_family() {
        let same = [
            (Value::Text(b"Key  ".to_vec()), Value::Text(b"kEY".to_vec())),
            (Value::Integer(1), Value::Real(1.0)),
            (Value::Integer(0), Value::Real(-0.0)),
            (Value::Integer(i64::MIN), Value::Real(-9_223_372_036_854_775_808.0)),
        ];
        for (a, b) in same {
            let (a, b) = (KeyHash::new(&key(&[a])), KeyHash::new(&key(&[b])));
            assert_eq!(a.family(), b.family());
            assert_ne!(a, b);
        }
        let different = (
            KeyHash::new(&key(&[Value::Blob(b"k".to_vec())])),
            KeyHash::new(&key(&[Value::Text(b"k".to_vec())])),
        );
        assert_ne!(different.0.family(), different.1.family());
    }

    #[test]
    fn a_key_or_a_row_of_another_shape_is_refused_and_does_not_panic() {
        let column = |name: &str| Column {
            name: name.to_owned(),
            declared: String::new(),
            affinity: Affinity::Blob,
        };
        let shape =
            |key| TableShape { name: "t".to_owned(), columns: vec![column("a"), column("b")], key };
        let (by_rowid, by_key) =
            (shape(KeyShape::Rowid { alias: None }), shape(KeyShape::Primary(vec![1])));
        let (mut rowids, mut keys) = (KeySet::new(&by_rowid), KeySet::new(&by_key));
        let row = |rowid, count| Row { rowid, values: vec![Value::Integer(1); count] };
        assert!(
            !rowids.insert_key(&RowKey::Primary(vec![Value::Null]))
                && !keys.insert_key(&RowKey::Rowid(1))
        );
        assert!(
            !rowids.insert_row(&by_rowid, &row(None, 2))
                && !rowids.insert_row(&by_key, &row(Some(1), 2))
        );
        assert!(
            !keys.insert_row(&by_key, &row(None, 1))
                && !keys.insert_row(&by_rowid, &row(Some(1), 2))
        );
        assert!(!rowids.merge(keys.clone()) && !keys.merge(rowids.clone()));
        assert!(rowids.is_empty() && keys.is_empty());
        assert!(
            rowids.insert_row(&by_rowid, &row(Some(1), 2))
                && keys.insert_row(&by_key, &row(None, 2))
        );
    }

    #[test]
    fn rowids_keep_their_order() {
        let rowids = [i64::MIN, -1, 0, 1, i64::MAX];
        let bits = rowids.map(rowid_to_bits);
        assert!(bits.is_sorted() && bits.map(bits_to_rowid) == rowids);
    }
}
