//! Bounds of putting recorded state back: its statements, rows and definitions come from a bucket
//! that others may write to.
//!
//! Promises: while a restraint is on, what SQLite allocates for our own statements is reserved
//! before it is there, and they end when their time is over. A restore that is refused like this is
//! short of something, not damaged.

use super::database::{Database, Limits};
use super::memory::Reservation;
use crate::Result;

/// Where the memory of a restore comes from, and when its time is over.
pub(crate) struct Restraint {
    /// Where memory is reserved.
    pub(crate) reservation: Box<dyn Reservation>,
    /// Answers whether the time is over.
    pub(crate) interrupt: Box<dyn Fn() -> bool + Send>,
}

impl Database {
    /// An empty database within `restraint`, which lasts until [`Database::unrestrain`].
    ///
    /// # Errors
    /// `Internal` when SQLite can't open it, which means that memory is short.
    pub(crate) fn new_restrained(limits: &Limits, restraint: Restraint) -> Result<Self> {
        let mut database = Self::new(limits)?;
        database.restrain(restraint);
        Ok(database)
    }

    /// Our own statements stay within `restraint` until [`Database::unrestrain`].
    pub(crate) fn restrain(&mut self, restraint: Restraint) {
        let Restraint { reservation, interrupt } = restraint;
        self.guard.get().restoring = Some(interrupt);
        self.handle.account().allow(u64::MAX, Some(reservation));
        self.handle.account().restrain(true);
    }

    /// Ends what [`Database::restrain`] began, and gives back what was reserved.
    pub(crate) fn unrestrain(&mut self) {
        self.handle.account().restrain(false);
        self.handle.account().release();
        self.guard.get().restoring = None;
    }
}
