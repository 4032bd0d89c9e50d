//! Sums over the records since an object's newest snapshot, which determine when the next one is
//! due.

use crate::change::Changes;

/// Sums of the records since the newest snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SinceSnapshot {
    /// Rows that were changed or deleted; a change that is no row's counts as one.
    pub(crate) rows: u64,
    /// Size of the records in the bucket.
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    /// When the newest of them that changes something was written, in milliseconds since 1970; 0 if
    /// none of them does.
    pub(crate) changed_ms: i64,
}

impl SinceSnapshot {
    /// The sums of one record with these transactions, which was written at `time_ms` and whose size
    /// in the bucket is `bytes`.
    pub(crate) fn record(transactions: &[Changes], time_ms: i64, bytes: u64) -> Self {
        let rows = transactions.iter().map(Changes::weight).sum();
        let changed_ms = if transactions.is_empty() { 0 } else { time_ms };
        Self { rows, bytes, records: 1, changed_ms }
    }

    /// Adds later records.
    pub(crate) fn add(&mut self, written: Self) {
        self.rows += written.rows;
        self.bytes += written.bytes;
        self.records += written.records;
        self.changed_ms = self.changed_ms.max(written.changed_ms);
    }

    /// Subtracts the records that a new snapshot covers.
    pub(crate) fn remove(&mut self, covered: Self) {
        self.rows = self.rows.saturating_sub(covered.rows);
        self.bytes = self.bytes.saturating_sub(covered.bytes);
        self.records = self.records.saturating_sub(covered.records);
    }
}
