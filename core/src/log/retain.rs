//! Deletion of records that a snapshot has covered for longer than the retention time.
//!
//! A slot that was written must never become free for a writer that may still believe it is the
//! next one (rule R4). So a record is deleted only when a snapshot that covers it is older than the
//! retention, by the store's own clock. The retention is longer than any proof is valid and any
//! request is in flight. The head is never deleted.

use crate::error::Result;
use crate::log::Log;
use crate::store::{Bucket as _, Entry, Key};

/// Number of records per delete request.
const PAGE: usize = 1000;

/// Maximum number of pages that one call deletes, so that it never takes long.
const PAGES_MAX: usize = 100;

/// Deletes records up to `covered`, a sequence number that a whole snapshot older than the
/// retention covers, as far as the records themselves were written before `before_ms` by the
/// store's clock and are not `head`. Returns the number of deleted records.
///
/// # Errors
///
/// `Unavailable` when the store does not respond; deleted records stay deleted, the rest is deleted
/// another time.
pub(crate) async fn delete_covered(
    log: &Log,
    covered: u64,
    head: u64,
    before_ms: i64,
) -> Result<usize> {
    let newest = covered.min(head.saturating_sub(1));
    if newest == 0 {
        return Ok(0);
    }
    // Keys sort newest first, so listing after `newest + 1` gives `newest` and everything older.
    let mut after = log.key(newest + 1);
    let mut deleted = 0;
    for _ in 0..PAGES_MAX {
        let entries = log.bucket.list(&log.folder(), Some(&after), PAGE).await?;
        let is_old = |entry: &&Entry| {
            entry.modified_ms < before_ms
                && log.sequence_of(&entry.key).is_some_and(|found| found <= newest)
        };
        let old: Vec<Key> = entries.iter().filter(is_old).map(|entry| entry.key.clone()).collect();
        log.bucket.delete(&old).await?;
        deleted += old.len();
        match entries.last() {
            Some(last) if entries.len() == PAGE => after = last.key.clone(),
            _ => break,
        }
    }
    Ok(deleted)
}
