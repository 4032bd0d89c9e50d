//! SQLite's memory, counted per database, and limited while users' statements run.
//!
//! Promises: what SQLite allocates on behalf of a database is on that database's [`Account`] until
//! it is freed, on any thread; while a user's statement runs, all that is not a page of the
//! object's database stays below the account's ceiling; and what such a statement allocates is
//! reserved before, pages included, where the transaction has a [`Reservation`]. The allocation
//! that would break this fails. SQLite then ends the statement with `SQLITE_NOMEM`.
//!
//! The pages have no ceiling here: `max_page_count` bounds them. To tell them apart, the page cache
//! is SQLite's own behind a function that notes whether a page of the main database is being made.
//!
//! Whoever calls into SQLite for a database enters its account before ([`Account::enter`]); outside
//! of that, the memory is the process's.

mod account;
mod allocator;
mod current;
/// For tests: allocations that fail.
#[cfg(test)]
pub(super) mod injection;
mod ledger;
mod pages;

use std::ffi::c_int;
use std::sync::Once;
use std::sync::atomic::Ordering::Relaxed;

use dotdo_sqlite_sys as ffi;

pub(super) use self::account::{Account, Caller, Entered};
use self::current::COUNTS;
pub(crate) use self::ledger::{Memory, Reservation};
pub(super) use self::pages::PAGE_BYTES;

/// Puts this module under SQLite, once, before its first use in the process. When the process has
/// used it before, SQLite refuses: nothing is counted or bounded then, and two threads may be
/// slower than one.
pub(super) fn configure_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let methods = allocator::methods();
        // SAFETY: each option gets what its documentation says, and what is pointed to lives
        // through the call, which copies it.
        unsafe {
            // Statistics take a process-wide mutex at every allocation.
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
            let counts = ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods)
                == ffi::SQLITE_OK;
            COUNTS.swap(counts && pages::wrap(), Relaxed);
        }
    });
}
