//! The fencing token, for programs.

use crate::log::Head;

/// The right to write an object. Later tokens of the same object are greater.
/// [`Context::acquire_fencing_token`](crate::Context::acquire_fencing_token) has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken {
    /// The number of owners so far.
    pub epoch: u64,
    /// The number of the record that granted it.
    pub sequence: u64,
}

impl From<Head> for FencingToken {
    fn from(head: Head) -> Self {
        Self { epoch: head.epoch, sequence: head.sequence }
    }
}
