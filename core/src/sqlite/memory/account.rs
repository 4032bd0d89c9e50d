//! The account of a database's memory, and limits for transactions.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use super::super::guard::Guard;
use super::current::{COUNTS, CURRENT};
use super::ledger::{HANDLE, Ledger, Reservation, give_back};
use crate::Error;

/// A handle of the account of one database's memory.
pub(in super::super) struct Account(NonNull<Ledger>);

// SAFETY: a ledger has nothing but atomic numbers, and lives as long as a handle or an allocation
// does.
unsafe impl Send for Account {}
// SAFETY: as above.
unsafe impl Sync for Account {}

/// While it lives, SQLite's allocations on this thread are charged to the entered account.
pub(in super::super) struct Entered<'a> {
    ledger_before: *const Ledger,
    bounded_before: bool,
    /// The account outlives it, and it stays on its thread.
    account: PhantomData<(&'a Account, *const ())>,
}

/// The reason for a call into SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Caller {
    /// Our own work: collecting changes and committing are not limited; restoring is, where it has a
    /// reservation ([`Account::restrain`]).
    Own,
    /// A user's statement, which must stay below the ceiling.
    User,
}

impl Account {
    /// The account of a database that will be opened.
    pub(in super::super) fn new() -> Self {
        let ledger = Box::new(Ledger::new());
        Self(NonNull::from(Box::leak(ledger)))
    }

    /// The bytes that SQLite holds for the database, with the allocator's overhead; `None` when
    /// SQLite was in use before this module could be installed.
    pub(in super::super) fn bytes(&self) -> Option<u64> {
        COUNTS.load(Relaxed).then(|| self.ledger().bytes())
    }

    /// Until the next transaction, users' statements may allocate `allowance` bytes more than are
    /// in use now, besides pages. If there is a `reservation`, they reserve first.
    pub(in super::super) fn allow(
        &self,
        allowance: u64,
        reservation: Option<Box<dyn Reservation>>,
    ) {
        self.ledger().allow(allowance, reservation);
    }

    /// See [`Ledger::watch`].
    ///
    /// # Safety
    /// That of [`Ledger::watch`].
    pub(in super::super) unsafe fn watch(&self, guard: *mut Guard) {
        // SAFETY: the caller's promise.
        unsafe { self.ledger().watch(guard) };
    }

    /// Releases the reservation of the transaction that ends.
    pub(in super::super) fn release(&self) {
        self.ledger().release();
    }

    /// Whether our own statements have to stay within what is reserved as well.
    pub(in super::super) fn restrain(&self, on: bool) {
        self.ledger().restrained.swap(on, Relaxed);
    }

    /// Enters the account: see [`Entered`].
    pub(in super::super) fn enter(&self, caller: Caller) -> Entered<'_> {
        CURRENT.with(|current| {
            current.allocations.set(0);
            Entered {
                ledger_before: current.ledger.replace(self.0.as_ptr()),
                bounded_before: current
                    .bounded
                    .replace(caller == Caller::User || self.ledger().restrained.load(Relaxed)),
                account: PhantomData,
            }
        })
    }

    /// Why a user's statement was refused memory since the last call, if it was.
    pub(in super::super) fn take_refusal(&self) -> Option<Error> {
        self.ledger().take_refusal()
    }

    /// Whether an allocation has failed since [`Account::recover`]. SQLite may have reported it, or
    /// continued without the memory.
    pub(in super::super) fn is_starved(&self) -> bool {
        self.ledger().starved.load(Relaxed)
    }

    /// Forgets that an allocation has failed.
    pub(in super::super) fn recover(&self) {
        self.ledger().starved.swap(false, Relaxed);
    }

    fn ledger(&self) -> &Ledger {
        // SAFETY: this handle keeps the ledger alive.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        self.ledger().held.fetch_add(HANDLE, Relaxed);
        Self(self.0)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // SAFETY: this handle keeps the ledger alive until here.
        unsafe { give_back(self.0, HANDLE) };
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.ledger.set(self.ledger_before);
            current.bounded.set(self.bounded_before);
        });
    }
}
