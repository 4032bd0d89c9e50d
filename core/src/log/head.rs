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
    /// Whether it says that the object was deleted.
    pub(crate) deleted: bool,
}

impl Head {
    /// The head of a log without records.
    pub(crate) const NONE: Self = Self {
        sequence: 0,
        hash: Hash::NONE,
        epoch: 0,
        writer: Uuid::nil(),
        leases: false,
        deleted: false,
    };

    /// Whether the object exists: it has been written, and not been deleted since.
    pub(crate) fn exists(&self) -> bool {
        self.sequence > 0 && !self.deleted
    }

    /// The head that consists of `record`, whose hash is `hash`.
    pub(crate) fn of(record: &Record, hash: Hash) -> Self {
        Self {
            sequence: record.sequence,
            hash,
            epoch: record.epoch,
            writer: record.writer,
            leases: record.lease_ms > 0,
            deleted: record.deleted,
        }
    }
}
