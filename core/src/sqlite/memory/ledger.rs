//! The ledger of one database: allocated bytes, their limit, and reserved bytes.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::sync::atomic::{Ordering, fence};

use dotdo_sqlite_sys as ffi;

use super::super::error::{out_of_allowance, time_over};
use super::super::guard::Guard;
use super::current::CURRENT;
use crate::sync::Mutex;
use crate::{Error, Result};

/// The purposes of a statement's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Pages of the object's database, which grow with it.
    Pages,
    /// Everything else: sorters, intermediate results, the data for a rollback.
    Temporary,
}

impl Memory {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 2] = [Self::Pages, Self::Temporary];
}

/// Where the memory of a transaction's statements is reserved before SQLite allocates it. It ends
/// with the transaction.
pub(crate) trait Reservation: Send {
    /// Bytes of temporary memory that are reserved at the beginning.
    fn temporary_bytes(&self) -> u64;

    /// Bytes that are reserved at the beginning for the growth of the database.
    fn page_bytes(&self) -> u64 {
        0
    }

    /// Reserves at least `bytes` more, and returns how many. It is called within an allocation of
    /// SQLite, so it must neither wait nor use SQLite.
    ///
    /// # Errors
    ///
    /// When they are not free. Then the transaction is lost, and the statement fails with this
    /// error.
    fn try_grow(&mut self, memory: Memory, bytes: u64) -> Result<u64>;
}

/// The ledger of one database.
pub(super) struct Ledger {
    /// The allocated bytes, below [`HANDLE`], and the number of handles above it. At zero the
    /// ledger is freed. An allocation may outlive its database, such as what SQLite sets up once
    /// for the whole process.
    pub(super) held: AtomicU64,
    /// Bytes of the main database's page cache.
    pub(super) pages: AtomicU64,
    /// Maximum number of bytes besides the pages while a user's statement runs.
    ceiling: AtomicU64,
    /// Distance of the ceiling from the memory in use when it was set, for the error.
    allowance: AtomicU64,
    /// Reserved bytes of each [`Memory`]. A user's statement that needs more reserves them first.
    reserved: [AtomicU64; Memory::ALL.len()],
    /// The reservation that provides more.
    reservation: Mutex<Option<Box<dyn Reservation>>>,
    /// Whether our own statements must reserve their memory, too.
    pub(super) restrained: AtomicBool,
    /// Whether an allocation was refused by a limit of this module.
    refused: AtomicBool,
    /// Why it was refused, if not by the ceiling.
    refusal: Mutex<Option<Error>>,
    /// The guard of the connection, which says whether a user's statement must stop.
    guard: AtomicPtr<Guard>,
    /// Whether an allocation failed, for any reason.
    pub(super) starved: AtomicBool,
    /// The page cache of the main database; only compared.
    pub(super) main_cache: AtomicPtr<ffi::sqlite3_pcache>,
}

/// Number of allocations within one call into SQLite between two checks for an interrupt. SQLite
/// checks only between the steps of its virtual machine, and one step may parse a full-text query
/// or merge an index.
const ALLOCATIONS_PER_POLL: u32 = 256;

/// The ledger for allocations while no database is entered.
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
            restrained: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            refusal: Mutex::new(None),
            guard: AtomicPtr::new(ptr::null_mut()),
            starved: AtomicBool::new(false),
            main_cache: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The number of allocated bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.held.load(Relaxed) % HANDLE
    }

    /// The kind of memory, and its allocated bytes.
    fn used(&self, memory: Memory) -> u64 {
        let pages = self.pages.load(Relaxed);
        if memory == Memory::Pages { pages } else { self.bytes().saturating_sub(pages) }
    }

    /// From now on, users' statements may allocate `allowance` bytes more than are in use now,
    /// besides pages. With a `reservation`, they reserve everything first.
    pub(super) fn allow(&self, allowance: u64, reservation: Option<Box<dyn Reservation>>) {
        let (temporary, pages) = (self.used(Memory::Temporary), self.used(Memory::Pages));
        let reserved = match &reservation {
            Some(reservation) => [
                pages.saturating_add(reservation.page_bytes()),
                temporary.saturating_add(reservation.temporary_bytes()),
            ],
            None => [u64::MAX; Memory::ALL.len()],
        };
        // A refusal that no statement has reported is not this transaction's.
        drop(self.take_refusal());
        self.ceiling.swap(temporary.saturating_add(allowance), Relaxed);
        self.allowance.swap(allowance, Relaxed);
        for (number, bytes) in self.reserved.iter().zip(reserved) {
            number.swap(bytes, Relaxed);
        }
        *self.reservation() = reservation;
    }

    /// Releases what is reserved.
    pub(super) fn release(&self) {
        let ended = self.reservation().take();
        drop(ended);
    }

    /// Why memory was refused since the last call, if it was.
    pub(super) fn take_refusal(&self) -> Option<Error> {
        if !self.refused.load(Relaxed) || !self.refused.swap(false, Relaxed) {
            return None;
        }
        let refusal = self.refusal.lock().take();
        Some(refusal.unwrap_or_else(|| out_of_allowance(self.allowance.load(Relaxed))))
    }

    /// Notes a failed allocation.
    pub(super) fn starve(&self) -> *mut c_void {
        self.starved.swap(true, Relaxed);
        ptr::null_mut()
    }

    /// Whether a user's statement may allocate `charge` bytes more.
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

    /// Reserves the missing part of `wanted` bytes.
    #[cold]
    fn reserve(&self, memory: Memory, wanted: u64) -> bool {
        let mut reservation = self.reservation();
        // Outside of a transaction no users' statements run.
        let Some(reservation) = &mut *reservation else { return true };
        let reserved = self.reserved[memory as usize].load(Relaxed);
        let missing = wanted.saturating_sub(reserved);
        // A panic must not unwind through SQLite.
        let grown = catch_unwind(AssertUnwindSafe(|| reservation.try_grow(memory, missing)))
            .unwrap_or_else(|_| Err(Error::internal("reserving memory for SQL panicked")));
        match grown {
            Ok(more) => {
                self.reserved[memory as usize].swap(reserved.saturating_add(more), Relaxed);
                true
            }
            Err(error) => {
                self.note(error);
                false
            }
        }
    }

    /// Whether the statement must stop; checked at some allocations.
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
        self.refusal.lock().get_or_insert(error);
    }

    /// Sets the guard that says whether users' statements must stop; null for none.
    ///
    /// # Safety
    /// It lives until another one is given, at a fixed address.
    pub(super) unsafe fn watch(&self, guard: *mut Guard) {
        self.guard.swap(guard, Relaxed);
    }

    fn reservation(&self) -> MutexGuard<'_, Option<Box<dyn Reservation>>> {
        self.reservation.lock()
    }
}

/// Subtracts bytes or a handle from a ledger, and frees it with the last of both.
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
