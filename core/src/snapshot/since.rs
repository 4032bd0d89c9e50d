//! Sums over the records since an object's newest snapshot, which determine when the next one is
//! due.

use crate::change::Changes;

/// What has been written since the newest snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SinceSnapshot {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
}

impl SinceSnapshot {
    /// What one record with these transactions holds.
    pub(crate) fn record(transactions: &[Changes]) -> Self {
        Self {
            rows: transactions.iter().map(Changes::weight).sum(),
            bytes: transactions.iter().map(Changes::bytes).sum::<usize>() as u64,
            records: 1,
        }
    }

    /// Adds what was written after it.
    pub(crate) fn add(&mut self, written: Self) {
        self.rows += written.rows;
        self.bytes += written.bytes;
        self.records += written.records;
    }

    /// Takes away what a new snapshot covers.
    pub(crate) fn remove(&mut self, covered: Self) {
        self.rows = self.rows.saturating_sub(covered.rows);
        self.bytes = self.bytes.saturating_sub(covered.bytes);
        self.records = self.records.saturating_sub(covered.records);
    }
}
