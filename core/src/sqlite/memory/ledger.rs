//! The numbers of one database: what is allocated, what may be, and what is reserved for it.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dotdo_sqlite_sys as ffi;

use super::super::error::{out_of_allowance, time_over};
use super::super::guard::Guard;
use super::current::CURRENT;
use crate::limits::SQL_RESERVATION_STEP;
use crate::{Error, Result};

/// What a statement takes memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Pages of the object's database: what it grows by.
    Pages,
    /// Everything else: sorters, intermediate results, what a rollback needs.
    Temporary,
}

impl Memory {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 2] = [Self::Pages, Self::Temporary];
}

/// Where the memory of a transaction's statements is reserved before SQLite allocates it. It ends
/// with the transaction.
pub(crate) trait Reservation: Send {
    /// How many bytes of temporary memory are reserved at the beginning.
    fn temporary_bytes(&self) -> u64;

    /// Reserves `bytes` more. It is called within an allocation of SQLite's, so it must not wait,
    /// nor use SQLite.
    ///
    /// # Errors
    ///
    /// When they are not there. The transaction is lost then, and the statement has this error.
    fn try_grow(&mut self, memory: Memory, bytes: u64) -> Result<()>;
}

/// The numbers of one database.
pub(super) struct Ledger {
    /// The bytes that are allocated, below [`HANDLE`]; above it how many handles there are. At zero
    /// the ledger is freed: an allocation may outlive its database, as what SQLite sets up once for
    /// the whole process does.
    pub(super) held: AtomicU64,
    /// The part of the bytes that is the main database's page cache.
    pub(super) pages: AtomicU64,
    /// Maximum number of bytes besides the pages while a user's statement runs.
    ceiling: AtomicU64,
    /// Distance of the ceiling from the memory in use when it was set, for the error.
    allowance: AtomicU64,
    /// How many bytes of each [`Memory`] are reserved. A user's statement that needs more reserves
    /// more first.
    reserved: [AtomicU64; Memory::ALL.len()],
    /// Where more is reserved.
    reservation: Mutex<Option<Box<dyn Reservation>>>,
    /// An allocation was refused, and not because the system had no more.
    refused: AtomicBool,
    /// Why, when it was not the ceiling.
    refusal: Mutex<Option<Error>>,
    /// The guard of the connection, which is asked whether a user's statement has to stop.
    guard: AtomicPtr<Guard>,
    /// An allocation failed, for any reason.
    pub(super) starved: AtomicBool,
    /// The page cache of the main database. Only compared.
    pub(super) main_cache: AtomicPtr<ffi::sqlite3_pcache>,
}

/// How many allocations within one call into SQLite lie between two questions whether to stop. SQLite
/// asks between the steps of its machine only, and one step may parse a query of full-text search,
/// or merge its index.
const ALLOCATIONS_PER_POLL: u32 = 256;

/// What was allocated while no database was entered.
pub(super) static PROCESS: Ledger = Ledger::new();

/// One handle in [`Ledger::held`].
pub(super) const HANDLE: u64 = 1 << 48;

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            held: AtomicU64::new(HANDLE),
            pages: AtomicU64::new(0),
            ceiling: AtomicU64::new(u64::MAX),
            allowance: AtomicU64::new(u64::MAX),
            reserved: [AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)],
            reservation: Mutex::new(None),
            refused: AtomicBool::new(false),
            refusal: Mutex::new(None),
            guard: AtomicPtr::new(ptr::null_mut()),
            starved: AtomicBool::new(false),
            main_cache: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// How many bytes are allocated.
    pub(super) fn bytes(&self) -> u64 {
        self.held.load(Relaxed) % HANDLE
    }

    /// Of which kind so many are allocated.
    fn used(&self, memory: Memory) -> u64 {
        let pages = self.pages.load(Relaxed);
        if memory == Memory::Pages { pages } else { self.bytes().saturating_sub(pages) }
    }

    /// From now on, users' statements may take `allowance` bytes more than there are now, besides
    /// pages. With a `reservation`, all that they take is reserved before.
    pub(super) fn allow(&self, allowance: u64, reservation: Option<Box<dyn Reservation>>) {
        let (temporary, pages) = (self.used(Memory::Temporary), self.used(Memory::Pages));
        let reserved = match &reservation {
            Some(reservation) => [pages, temporary.saturating_add(reservation.temporary_bytes())],
            None => [u64::MAX; Memory::ALL.len()],
        };
        // A refusal that no statement has told is not this transaction's.
        drop(self.take_refusal());
        self.ceiling.swap(temporary.saturating_add(allowance), Relaxed);
        self.allowance.swap(allowance, Relaxed);
        for (number, bytes) in self.reserved.iter().zip(reserved) {
            number.swap(bytes, Relaxed);
        }
        *self.reservation() = reservation;
    }

    /// Gives back what is reserved.
    pub(super) fn release(&self) {
        let ended = self.reservation().take();
        drop(ended);
    }

    /// Why memory was refused, if it was since this was last asked.
    pub(super) fn take_refusal(&self) -> Option<Error> {
        if !self.refused.load(Relaxed) || !self.refused.swap(false, Relaxed) {
            return None;
        }
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        Some(refusal.unwrap_or_else(|| out_of_allowance(self.allowance.load(Relaxed))))
    }

    /// The answer to an allocation that fails.
    pub(super) fn starve(&self) -> *mut c_void {
        self.starved.swap(true, Relaxed);
        ptr::null_mut()
    }

    /// Whether a user's statement may take `charge` bytes more.
    pub(super) fn admits(&self, is_page: bool, charge: u64) -> bool {
        let memory = if is_page { Memory::Pages } else { Memory::Temporary };
        let wanted = self.used(memory) + charge;
        let within = is_page || wanted <= self.ceiling.load(Relaxed);
        let admitted = within
            && (wanted <= self.reserved[memory as usize].load(Relaxed)
                || self.reserve(memory, wanted))
            && !self.is_over();
        if !admitted {
            self.refused.swap(true, Relaxed);
        }
        admitted
    }

    /// Reserves what is lacking of `wanted` bytes, in steps.
    #[cold]
    fn reserve(&self, memory: Memory, wanted: u64) -> bool {
        let mut reservation = self.reservation();
        // Outside of a transaction nobody else's statements run.
        let Some(reservation) = &mut *reservation else { return true };
        let reserved = self.reserved[memory as usize].load(Relaxed);
        let more = wanted.saturating_sub(reserved).max(SQL_RESERVATION_STEP);
        // A panic must not unwind through SQLite.
        let grown = catch_unwind(AssertUnwindSafe(|| reservation.try_grow(memory, more)))
            .unwrap_or_else(|_| Err(Error::internal("reserving memory for SQL panicked")));
        match grown {
            Ok(()) => {
                self.reserved[memory as usize].swap(reserved.saturating_add(more), Relaxed);
                true
            }
            Err(error) => {
                self.note(error);
                false
            }
        }
    }

    /// Whether the statement's time is over; asked at one of many allocations.
    fn is_over(&self) -> bool {
        let allocations = CURRENT.with(|current| {
            let next = current.allocations.get().wrapping_add(1);
            current.allocations.set(next);
            next
        });
        if !allocations.is_multiple_of(ALLOCATIONS_PER_POLL) {
            return false;
        }
        let guard = self.guard.load(Relaxed);
        // SAFETY: null, or the connection's guard, which lives until after it is taken away again
        // and which nothing borrows mutably while SQLite runs.
        let is_over = !guard.is_null() && unsafe { &*guard }.is_over();
        if is_over {
            self.note(time_over());
        }
        is_over
    }

    fn note(&self, error: Error) {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// From now on `guard` is asked whether users' statements have to stop; null: nobody is.
    ///
    /// # Safety
    /// It lives until another one is given, at a fixed address.
    pub(super) unsafe fn watch(&self, guard: *mut Guard) {
        self.guard.swap(guard, Relaxed);
    }

    fn reservation(&self) -> MutexGuard<'_, Option<Box<dyn Reservation>>> {
        self.reservation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes bytes or a handle off a ledger, and frees it with the last of both.
///
/// # Safety
/// The amount is one that the caller has added and that keeps the ledger alive until now.
pub(super) unsafe fn give_back(ledger: NonNull<Ledger>, amount: u64) {
    // SAFETY: the caller's promise.
    let before = unsafe { ledger.as_ref() }.held.fetch_sub(amount, Ordering::Release);
    if before == amount {
        // All that others did with the ledger happened before it is freed, as for `Arc`.
        fence(Ordering::Acquire);
        // SAFETY: made from a box. Nothing is left that knows it: no handle, no allocation. The
        // process's has a handle for ever.
        drop(unsafe { Box::from_raw(ledger.as_ptr()) });
    }
}
