//! The limits of roll-ups.

use std::time::Duration;

/// How long changes wait before they are rolled up, so that many share a record of the roll-up.
pub(crate) const ROLLUP_DELAY: Duration = Duration::from_secs(30);

/// The maximum pause before an object is rolled up again that could not be.
pub(crate) const ROLLUP_PAUSE_MAX: Duration = Duration::from_secs(600);

/// Maximum number of objects of which this process remembers that their roll-ups lack changes. Those
/// beyond are found by their markers.
pub(crate) const ROLLUP_PENDING_MAX: usize = 64 << 10;

/// Number of objects about which a roll-up is asked in one message.
pub(crate) const ROLLUP_OBJECTS_AT_ONCE: usize = 256;

/// Maximum number of objects of a class that are read for their roll-up at the same time.
pub(crate) const ROLLUP_READS_AT_ONCE: usize = 4;

/// The size of the rows in one message to a roll-up, in bytes; more only for a row or a record that
/// is larger.
pub(crate) const ROLLUP_PIECE_BYTES: usize = 1 << 20;

/// Maximum size of an object's changes that are rolled up together, in bytes. An object with more is
/// copied.
pub(crate) const ROLLUP_CHANGES_BYTES_MAX: usize = 16 << 20;

/// Maximum number of an object's records that are read for its roll-up. An object with more is
/// copied.
pub(crate) const ROLLUP_RECORDS_MAX: u64 = 4096;
