//! For whom SQLite is at work on this thread.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::AtomicBool;

use super::ledger::Ledger;

/// Whether SQLite allocates here.
pub(super) static COUNTS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// For which database this thread is in SQLite.
    pub(super) static CURRENT: Current = const { Current {
        ledger: Cell::new(ptr::null()),
        bounded: Cell::new(false),
        paging: Cell::new(false),
        allocations: Cell::new(0),
    } };
}

pub(super) struct Current {
    pub(super) ledger: Cell<*const Ledger>,
    /// A user's statement runs.
    pub(super) bounded: Cell<bool>,
    /// A page of the main database is being made.
    pub(super) paging: Cell<bool>,
    /// How many allocations a user's statement has made within this call into SQLite.
    pub(super) allocations: Cell<u32>,
}
