//! The contiguous end of the log.

use crate::error::Result;
use crate::log::Log;
use crate::store::Bucket as _;

/// Number of keys in one page of a listing on S3.
const PAGE: usize = 1000;

/// Records that follow on each other without a gap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// The first of them.
    pub(crate) from: u64,
    /// The size of all of them, in bytes.
    pub(crate) bytes: u64,
    /// Whether there may be more records before them.
    pub(crate) goes_on: bool,
}

/// The unbroken stretch of records that ends with `to`, as far back as `records_max` of them.
///
/// # Errors
///
/// `Unavailable` when the store does not respond.
pub(crate) async fn stretch(log: &Log, to: u64, records_max: usize) -> Result<Stretch> {
    let mut run = Stretch { from: to + 1, bytes: 0, goes_on: true };
    // Keys sort newest first.
    let mut after = log.key(to + 1);
    let mut count = 0;
    while count < records_max {
        let entries = log.bucket.list(&log.folder(), Some(&after), PAGE).await?;
        for entry in &entries {
            let follows =
                log.sequence_of(&entry.key).is_some_and(|sequence| sequence + 1 == run.from);
            run.goes_on = follows && run.from > 2;
            if !follows {
                return Ok(run);
            }
            run.from -= 1;
            run.bytes = run.bytes.saturating_add(entry.bytes);
            count += 1;
        }
        match entries.last() {
            Some(last) if entries.len() == PAGE => after = last.key.clone(),
            _ => return Ok(Stretch { goes_on: false, ..run }),
        }
    }
    Ok(run)
}
