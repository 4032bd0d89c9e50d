//! What manifests say of the columns of a data file, so that engines skip files that a filter
//! excludes (<https://iceberg.apache.org/spec/#data-file-fields>).
//!
//! It follows from the statistics in the file's own footer, which are about the cells: a value that
//! is kept in the column of exact values is null in its own, for engines as for these.

use parquet::data_type::AsBytes;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::layout::{ColumnKind, EXACT_FIELD, Field};

/// Maximum number of columns with metrics: the first ones, as many as Iceberg's own writers give
/// them (`write.metadata.metrics.max-inferred-column-defaults`).
const COLUMNS_MAX: usize = 100;

/// Maximum length of a bound, in characters of a text or bytes of a blob, as in Iceberg's own
/// writers (`truncate(16)`).
const BOUND_LENGTH_MAX: usize = 16;

/// What is known of a data file's columns and row groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Its first columns.
    pub(crate) columns: Vec<ColumnMetrics>,
    /// Where its row groups begin, in bytes.
    pub(crate) splits: Vec<u64>,
}

/// What is known of a column in a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnMetrics {
    /// The column's field id.
    pub(crate) field: i32,
    /// Its size in the file.
    pub(crate) bytes: u64,
    /// Number of rows without a value.
    pub(crate) nulls: u64,
    /// No cell is less, in Iceberg's binary form of a single value.
    pub(crate) lower: Option<Vec<u8>>,
    /// No cell is greater.
    pub(crate) upper: Option<Vec<u8>>,
}

impl Metrics {
    /// Those of the file with this footer, whose columns are `fields`.
    pub(super) fn of(fields: &[Field], footer: &ParquetMetaData) -> Self {
        let columns = fields.iter().enumerate().take(COLUMNS_MAX);
        let chunks = |at: usize| footer.row_groups().iter().map(move |group| group.column(at));
        Self {
            columns: columns.map(|(at, field)| ColumnMetrics::of(field, chunks(at))).collect(),
            splits: footer.row_groups().iter().map(|group| begin(group.column(0))).collect(),
        }
    }
}

fn begin(chunk: &ColumnChunkMetaData) -> u64 {
    chunk.byte_range().0
}

impl ColumnMetrics {
    fn of<'a>(field: &Field, chunks: impl Iterator<Item = &'a ColumnChunkMetaData>) -> Self {
        let (mut bytes, mut nulls) = (0, 0);
        let mut range = Range::Empty;
        for chunk in chunks {
            bytes += chunk.compressed_size().unsigned_abs();
            let statistics = chunk.statistics();
            let values = chunk.num_values().unsigned_abs();
            let missing = statistics.and_then(Statistics::null_count_opt).unwrap_or(0);
            nulls += missing;
            if missing < values {
                range = range.with(statistics.and_then(|found| Cells::of(field.kind, found)));
            }
        }
        let known = match range {
            Range::Known(cells) if field.id != EXACT_FIELD => Some(cells),
            _ => None,
        };
        let (lower, upper) = known.map_or((None, None), Cells::bounds);
        Self { field: field.id, bytes, nulls, lower, upper }
    }
}

/// The least and the greatest cell of some row groups.
enum Range<'a> {
    /// There is no cell.
    Empty,
    Known(Cells<'a>),
    /// Some row group does not say.
    Unknown,
}

impl<'a> Range<'a> {
    fn with(self, more: Option<Cells<'a>>) -> Self {
        match (self, more) {
            (Self::Empty, Some(cells)) => Self::Known(cells),
            (Self::Known(cells), Some(more)) => cells.with(more).map_or(Self::Unknown, Self::Known),
            _ => Self::Unknown,
        }
    }
}

enum Cells<'a> {
    Long(i64, i64),
    Double(f64, f64),
    String(&'a str, &'a str),
    Binary(&'a [u8], &'a [u8]),
}

impl<'a> Cells<'a> {
    fn of(kind: ColumnKind, statistics: &'a Statistics) -> Option<Self> {
        Some(match (kind, statistics) {
            (ColumnKind::Long, Statistics::Int64(found)) => {
                Self::Long(*found.min_opt()?, *found.max_opt()?)
            }
            // Statistics have -0.0 as the least zero and 0.0 as the greatest, as Iceberg orders
            // them, and no NaN.
            (ColumnKind::Double, Statistics::Double(found)) => {
                Self::Double(*found.min_opt()?, *found.max_opt()?)
            }
            (ColumnKind::String, Statistics::ByteArray(found)) => Self::String(
                std::str::from_utf8(found.min_opt()?.as_bytes()).ok()?,
                std::str::from_utf8(found.max_opt()?.as_bytes()).ok()?,
            ),
            (ColumnKind::Binary, Statistics::ByteArray(found)) => {
                Self::Binary(found.min_opt()?.as_bytes(), found.max_opt()?.as_bytes())
            }
            _ => return None,
        })
    }

    fn with(self, more: Self) -> Option<Self> {
        Some(match (self, more) {
            (Self::Long(a, b), Self::Long(c, d)) => Self::Long(a.min(c), b.max(d)),
            (Self::Double(a, b), Self::Double(c, d)) => {
                let least = if c.total_cmp(&a).is_lt() { c } else { a };
                Self::Double(least, if d.total_cmp(&b).is_gt() { d } else { b })
            }
            // Texts are ordered by their UTF-8, which is the order of their characters.
            (Self::String(a, b), Self::String(c, d)) => Self::String(a.min(c), b.max(d)),
            (Self::Binary(a, b), Self::Binary(c, d)) => Self::Binary(a.min(c), b.max(d)),
            _ => return None,
        })
    }

    fn bounds(self) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        match self {
            Self::Long(least, greatest) => {
                (Some(least.to_le_bytes().into()), Some(greatest.to_le_bytes().into()))
            }
            Self::Double(least, greatest) if least.is_nan() || greatest.is_nan() => (None, None),
            Self::Double(least, greatest) => {
                (Some(least.to_le_bytes().into()), Some(greatest.to_le_bytes().into()))
            }
            Self::String(least, greatest) => {
                let (begin, _) = split(least);
                (Some(begin.into()), text_above(greatest).map(String::into_bytes))
            }
            Self::Binary(least, greatest) => {
                let begin = &least[..least.len().min(BOUND_LENGTH_MAX)];
                (Some(begin.into()), bytes_above(greatest))
            }
        }
    }
}

/// The beginning of a text that a bound may have, and the rest.
fn split(text: &str) -> (&str, &str) {
    let end = text.char_indices().nth(BOUND_LENGTH_MAX).map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

/// A short text that is not less than `text`; `None` if there is none.
fn text_above(text: &str) -> Option<String> {
    let (begin, rest) = split(text);
    if rest.is_empty() {
        return Some(begin.to_owned());
    }
    let mut begin = begin.to_owned();
    while let Some(last) = begin.pop() {
        // Between U+D7FF and U+E000, there are no characters.
        let next = (u32::from(last) + 1..).take(2049).find_map(char::from_u32);
        if let Some(next) = next {
            begin.push(next);
            return Some(begin);
        }
    }
    None
}

/// A short blob that is not less than `bytes`; `None` if there is none.
fn bytes_above(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() <= BOUND_LENGTH_MAX {
        return Some(bytes.into());
    }
    let mut begin = bytes[..BOUND_LENGTH_MAX].to_vec();
    while let Some(last) = begin.pop() {
        if let Some(next) = last.checked_add(1) {
            begin.push(next);
            return Some(begin);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_above_a_long_text_is_short_and_not_less() {
        let long = |text: &str| format!("{text}{}", "x".repeat(20));
        let last = char::MAX.to_string();
        for (text, above) in [
            (String::new(), Some(String::new())),
            ("a".repeat(16), Some("a".repeat(16))),
            ("a".repeat(17), Some(format!("{}b", "a".repeat(15)))),
            (long(&"é".repeat(16)), Some(format!("{}ê", "é".repeat(15)))),
            (long(&"\u{d7ff}".repeat(16)), Some(format!("{}\u{e000}", "\u{d7ff}".repeat(15)))),
            (long(&format!("a{}", last.repeat(15))), Some("b".to_owned())),
            (long(&last.repeat(16)), None),
            (long(&"🦀".repeat(16)), Some(format!("{}🦁", "🦀".repeat(15)))),
        ] {
            assert_eq!(text_above(&text), above, "above {text:?}");
            assert!(above.is_none_or(|above| above.as_str() >= text.as_str()));
        }
    }

    #[test]
    fn a_bound_above_a_long_blob_is_short_and_not_less() {
        assert_eq!(bytes_above(&[0xff; 16]), Some(vec![0xff; 16]));
        assert_eq!(bytes_above(&[0xff; 17]), None);
        assert_eq!(bytes_above(&[&[1, 2][..], &[0xff; 30]].concat()), Some(vec![1, 3]));
        assert_eq!(bytes_above(&[7; 17]), Some([&[7; 15][..], &[8]].concat()));
    }
}
