//! SQLite's memory, counted per database, and limited while users' statements run.
//!
//! Promises: what SQLite allocates for a database is counted in that database's [`Account`] until
//! it is freed, on any thread; while a user's statement runs, memory besides the pages of the
//! object's database stays below the account's ceiling; and if the transaction has a
//! [`Reservation`], everything that such a statement allocates, pages included, is reserved first.
//! An allocation that would break this fails. SQLite then ends the statement with `SQLITE_NOMEM`.
//!
//! The pages have no ceiling here: `max_page_count` bounds them. To tell them apart, the page cache
//! is SQLite's own behind a function that notes whether a page of the main database is being made.
//!
//! Every call into SQLite for a database enters its account first ([`Account::enter`]); other
//! memory is counted for the process.

mod account;
mod allocator;
mod current;
/// Failing allocations, for tests.
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

/// Installs this module as SQLite's allocator, once, before SQLite is first used in the process. If
/// the process has used SQLite before, SQLite refuses: then nothing is counted or limited, and two
/// threads may be slower than one.
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
