//! Whose memory it is that SQLite allocates, and how much a transaction may take.

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

/// As long as it lives, what SQLite allocates on this thread is on the account that was entered.
pub(in super::super) struct Entered<'a> {
    ledger_before: *const Ledger,
    bounded_before: bool,
    /// The account outlives it, and it stays on its thread.
    account: PhantomData<(&'a Account, *const ())>,
}

/// Whose call into SQLite it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Caller {
    /// Ours: restoring, replaying, collecting changes and committing are not stopped.
    Own,
    /// A user's statement, which has to stay below the ceiling.
    User,
}

impl Account {
    /// The account of a database that is about to be opened.
    pub(in super::super) fn new() -> Self {
        let ledger = Box::new(Ledger::new());
        Self(NonNull::from(Box::leak(ledger)))
    }

    /// How many bytes SQLite holds for the database, the allocator's own included; `None` when
    /// SQLite was in use before this module could be put under it.
    pub(in super::super) fn bytes(&self) -> Option<u64> {
        COUNTS.load(Relaxed).then(|| self.ledger().bytes())
    }

    /// Until the next transaction, users' statements may take `allowance` bytes more than there are
    /// now, besides pages; and where there is a `reservation`, what they take is reserved before.
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

    /// Gives back what is reserved for the transaction that ends.
    pub(in super::super) fn release(&self) {
        self.ledger().release();
    }

    /// Enters the account: see [`Entered`].
    pub(in super::super) fn enter(&self, caller: Caller) -> Entered<'_> {
        CURRENT.with(|current| {
            current.allocations.set(0);
            Entered {
                ledger_before: current.ledger.replace(self.0.as_ptr()),
                bounded_before: current.bounded.replace(caller == Caller::User),
                account: PhantomData,
            }
        })
    }

    /// Why a user's statement was refused memory, if it was since this was last asked.
    pub(in super::super) fn take_refusal(&self) -> Option<Error> {
        self.ledger().take_refusal()
    }

    /// Whether an allocation has failed since [`Account::recover`]. SQLite may have told so, or
    /// done without.
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
