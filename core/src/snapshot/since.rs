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
}

impl SinceSnapshot {
    /// The sums of one record with these transactions, whose size in the bucket is `bytes`.
    pub(crate) fn record(transactions: &[Changes], bytes: u64) -> Self {
        Self { rows: transactions.iter().map(Changes::weight).sum(), bytes, records: 1 }
    }

    /// Adds later records.
    pub(crate) fn add(&mut self, written: Self) {
        self.rows += written.rows;
        self.bytes += written.bytes;
        self.records += written.records;
    }

    /// Subtracts the records that a new snapshot covers.
    pub(crate) fn remove(&mut self, covered: Self) {
        self.rows = self.rows.saturating_sub(covered.rows);
        self.bytes = self.bytes.saturating_sub(covered.bytes);
        self.records = self.records.saturating_sub(covered.records);
    }
}
