//! The fencing token, as programs see it.

use crate::log::Head;

/// The right to write an object: later tokens of the same object are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken {
    /// Counts owners.
    pub epoch: u64,
    /// The record that granted it.
    pub sequence: u64,
}

impl From<Head> for FencingToken {
    fn from(head: Head) -> Self {
        Self { epoch: head.epoch, sequence: head.sequence }
    }
}
