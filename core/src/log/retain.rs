//! Deleting records that a snapshot has covered for long enough.
//!
//! A slot that was written must never become free for a writer that may still believe it is the next one (rule R4). So a record goes only
//! when a snapshot that covers it is older than the retention, by the store's own clock; the retention is longer than any proof and any
//! request in flight can be old. The head is never deleted.

use std::time::Duration;

use crate::error::Result;
use crate::limits::RETENTION_MIN;
use crate::log::Log;
use crate::store::Key;

/// How many records one call deletes at most, so that it never holds up anything for long.
const DELETE_MAX: usize = 1000;

/// Deletes records up to `covered`, a sequence number that a retained snapshot older than `retention` covers, as far as the records
/// themselves are older than `retention` too and are not `head`. Returns how many went.
///
/// # Errors
///
/// `Unavailable` when the store can't be asked; what was deleted stays deleted, the rest goes another time.
pub(crate) async fn delete_covered(log: &Log, covered: u64, head: u64, retention: Duration) -> Result<usize> {
    let Some(now_ms) = log.bucket.store_time_ms() else {
        return Ok(0);
    };
    let age_min = retention.max(RETENTION_MIN) + log.bucket.store_time_error();
    let age_min_ms = i64::try_from(age_min.as_millis()).unwrap_or(i64::MAX);
    let newest = covered.min(head.saturating_sub(1));
    if newest == 0 {
        return Ok(0);
    }
    // Keys sort newest first, so listing after `newest + 1` gives `newest` and everything older.
    let entries = log.bucket.list(&log.folder(), Some(&log.key(newest + 1)), DELETE_MAX).await?;
    let old: Vec<Key> = entries
        .into_iter()
        .filter(|entry| log.sequence_of(&entry.key).is_some_and(|sequence| sequence <= newest))
        .filter(|entry| now_ms.saturating_sub(entry.modified_ms) > age_min_ms)
        .map(|entry| entry.key)
        .collect();
    log.bucket.delete(&old).await?;
    Ok(old.len())
}
