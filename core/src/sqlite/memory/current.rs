//! The account for which SQLite runs on this thread.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::AtomicBool;

use super::ledger::Ledger;

/// Whether this thread is within SQLite.
pub(super) static COUNTS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The account of the database for which this thread is within SQLite.
    pub(super) static CURRENT: Current = const { Current {
        ledger: Cell::new(ptr::null()),
        bounded: Cell::new(false),
        paging: Cell::new(false),
        allocations: Cell::new(0),
    } };
}

pub(super) struct Current {
    pub(super) ledger: Cell<*const Ledger>,
    /// Whether a user's statement runs.
    pub(super) bounded: Cell<bool>,
    /// Whether a page of the main database is being allocated.
    pub(super) paging: Cell<bool>,
    /// Number of allocations of a user's statement within this call into SQLite.
    pub(super) allocations: Cell<u32>,
}
