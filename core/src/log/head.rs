//! The newest record of a log that this process is certain of.

use uuid::Uuid;

use crate::log::record::{Hash, Record};

/// The newest record that is certainly in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    pub(crate) epoch: u64,
    pub(crate) writer: Uuid,
    /// Whether it granted its writer a lease.
    pub(crate) leases: bool,
}

impl Head {
    /// The head of a log without records.
    pub(crate) const NONE: Self =
        Self { sequence: 0, hash: Hash::NONE, epoch: 0, writer: Uuid::nil(), leases: false };

    /// The head that consists of `record`, whose hash is `hash`.
    pub(crate) fn of(record: &Record, hash: Hash) -> Self {
        Self {
            sequence: record.sequence,
            hash,
            epoch: record.epoch,
            writer: record.writer,
            leases: record.lease_ms > 0,
        }
    }
}
