//! Converts what a description says of the columns and the index of a data file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::body::{ColumnMetricsEntry, MetricsEntry, PointEntry};
use crate::iceberg::{ColumnMetrics, Metrics};
use crate::snapshot::point::PointIndex;

impl<'a> From<&'a Metrics> for MetricsEntry<'a> {
    fn from(metrics: &'a Metrics) -> Self {
        let text =
            |bound: &Option<Vec<u8>>| bound.as_ref().map(|bytes| STANDARD.encode(bytes).into());
        let column = |column: &'a ColumnMetrics| ColumnMetricsEntry {
            id: column.field,
            bytes: column.bytes,
            nulls: column.nulls,
            lower: text(&column.lower),
            upper: text(&column.upper),
        };
        Self {
            columns: metrics.columns.iter().map(column).collect(),
            splits: metrics.splits.clone(),
        }
    }
}

impl MetricsEntry<'_> {
    pub(super) fn revive(self) -> Result<Metrics, String> {
        let columns = self.columns.into_iter().map(ColumnMetricsEntry::revive);
        Ok(Metrics { columns: columns.collect::<Result<_, _>>()?, splits: self.splits })
    }
}

impl ColumnMetricsEntry<'_> {
    fn revive(self) -> Result<ColumnMetrics, String> {
        let bytes = |bound: Option<std::borrow::Cow<'_, str>>| {
            let decoded = bound.map(|text| STANDARD.decode(text.as_bytes())).transpose();
            decoded.map_err(|error| format!("a bound of column {}: {error}", self.id))
        };
        Ok(ColumnMetrics {
            field: self.id,
            bytes: self.bytes,
            nulls: self.nulls,
            lower: bytes(self.lower)?,
            upper: bytes(self.upper)?,
        })
    }
}

impl<'a> From<&'a PointIndex> for PointEntry<'a> {
    fn from(index: &'a PointIndex) -> Self {
        Self {
            at: index.at,
            blake3: index.blake3.to_hex().to_string().into(),
            fields: index.fields.clone(),
            parts: index.parts,
        }
    }
}

impl PointEntry<'_> {
    pub(super) fn revive(self) -> Result<PointIndex, String> {
        let blake3 = blake3::Hash::from_hex(self.blake3.as_bytes())
            .map_err(|error| format!("the checksum of a file's end: {error}"))?;
        Ok(PointIndex { at: self.at, blake3, fields: self.fields, parts: self.parts })
    }
}
