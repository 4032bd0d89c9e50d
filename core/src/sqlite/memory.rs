//! SQLite's memory, counted per database, and limited while users' statements run.
//!
//! Promises: what SQLite allocates on behalf of a database is on that database's [`Account`] until
//! it is freed, on any thread; and while a user's statement runs, all memory except for the pages
//! of the object's database stays below the account's ceiling, because an allocation that would
//! exceed it fails. SQLite then ends the statement with `SQLITE_NOMEM`.
//!
//! The pages themselves are not bounded here: `max_page_count` does that. To tell them apart, the
//! page cache is SQLite's own behind a function that notes whether a page of the main database is
//! being made.
//!
//! Calls into SQLite for a database must enter its account first ([`Account::enter`]). Other memory
//! is counted for the process.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::sync::atomic::{Ordering, fence};

use dotdo_sqlite_sys as ffi;

mod pages;

/// How many bytes a page of an object's database has. Every table and index takes at least one, so
/// small pages make small objects small: an object with one table takes about 19, 23 and 31 KB with
/// pages of 1, 2 and 4 KiB. Bulk loading is as fast with 2 KiB as with 4, and a third slower with
/// 1.
pub(super) const PAGE_BYTES: u64 = 2048;

/// What stands before every allocation. Its size keeps the alignment that `malloc` gives.
#[repr(C, align(16))]
struct Header {
    ledger: NonNull<Ledger>,
    /// How many bytes SQLite has asked for.
    bytes: u32,
    /// Whether it is part of the main database's page cache.
    is_page: bool,
}

const HEADER_BYTES: usize = size_of::<Header>();
const ALIGNMENT: usize = align_of::<Header>();

const _: () = assert!(HEADER_BYTES == 16);

/// What an allocator adds to an allocation and rounds it up to: glibc's `malloc`, from which others
/// differ by little.
const CHUNK_HEADER_BYTES: u64 = 8;
const CHUNK_BYTES: u64 = 16;

/// The numbers of one database.
struct Ledger {
    /// The bytes that are allocated, below [`HANDLE`]; above it how many handles there are. At zero
    /// the ledger is freed: an allocation may outlive its database, as what SQLite sets up once for
    /// the whole process does.
    held: AtomicU64,
    /// The part of the bytes that is the main database's page cache.
    pages: AtomicU64,
    /// Maximum number of bytes besides the pages while a user's statement runs.
    ceiling: AtomicU64,
    /// Distance of the ceiling from the memory in use when it was set, for the error.
    allowance: AtomicU64,
    /// An allocation was refused because of the ceiling.
    refused: AtomicBool,
    /// An allocation failed, for any reason.
    starved: AtomicBool,
    /// The page cache of the main database. Only compared.
    main_cache: AtomicPtr<ffi::sqlite3_pcache>,
}

/// One handle in [`Ledger::held`].
const HANDLE: u64 = 1 << 48;

/// What was allocated while no database was entered.
static PROCESS: Ledger = Ledger::new();

/// Whether SQLite allocates here.
static COUNTS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// For which database this thread is in SQLite.
    static CURRENT: Current = const { Current { ledger: Cell::new(ptr::null()), bounded: Cell::new(false), paging: Cell::new(false) } };
}

struct Current {
    ledger: Cell<*const Ledger>,
    /// A user's statement runs.
    bounded: Cell<bool>,
    /// A page of the main database is being made.
    paging: Cell<bool>,
}

/// A handle of the account of one database's memory.
pub(super) struct Account(NonNull<Ledger>);

// SAFETY: a ledger has nothing but atomic numbers, and lives as long as a handle or an allocation
// does.
unsafe impl Send for Account {}
// SAFETY: as above.
unsafe impl Sync for Account {}

/// As long as it lives, what SQLite allocates on this thread is on the account that was entered.
pub(super) struct Entered<'a> {
    ledger_before: *const Ledger,
    bounded_before: bool,
    /// The account outlives it, and it stays on its thread.
    account: PhantomData<(&'a Account, *const ())>,
}

/// Whose call into SQLite it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Ours: restoring, replaying, collecting changes and committing are not stopped.
    Own,
    /// A user's statement, which has to stay below the ceiling.
    User,
}

impl Account {
    /// The account of a database that is about to be opened.
    pub(super) fn new() -> Self {
        let ledger = Box::new(Ledger::new());
        Self(NonNull::from(Box::leak(ledger)))
    }

    /// How many bytes SQLite holds for the database, the allocator's own included; `None` when
    /// SQLite was in use before this module could be put under it.
    pub(super) fn bytes(&self) -> Option<u64> {
        COUNTS.load(Relaxed).then(|| self.ledger().bytes())
    }

    /// Until this is called again, users' statements may take `allowance` bytes more than there are
    /// now, besides pages.
    pub(super) fn allow(&self, allowance: u64) {
        let ledger = self.ledger();
        let now = ledger.bytes().saturating_sub(ledger.pages.load(Relaxed));
        ledger.ceiling.swap(now.saturating_add(allowance), Relaxed);
        ledger.allowance.swap(allowance, Relaxed);
    }

    /// Enters the account: see [`Entered`].
    pub(super) fn enter(&self, caller: Caller) -> Entered<'_> {
        CURRENT.with(|current| Entered {
            ledger_before: current.ledger.replace(self.0.as_ptr()),
            bounded_before: current.bounded.replace(caller == Caller::User),
            account: PhantomData,
        })
    }

    /// Whether the ceiling has refused memory since this was last asked, and then how much had been
    /// allowed.
    pub(super) fn take_refusal(&self) -> Option<u64> {
        let ledger = self.ledger();
        (ledger.refused.load(Relaxed) && ledger.refused.swap(false, Relaxed))
            .then(|| ledger.allowance.load(Relaxed))
    }

    /// Whether an allocation has failed since [`Account::recover`]. SQLite may have told so, or
    /// done without.
    pub(super) fn is_starved(&self) -> bool {
        self.ledger().starved.load(Relaxed)
    }

    /// Forgets that an allocation has failed.
    pub(super) fn recover(&self) {
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

impl Ledger {
    const fn new() -> Self {
        Self {
            held: AtomicU64::new(HANDLE),
            pages: AtomicU64::new(0),
            ceiling: AtomicU64::new(u64::MAX),
            allowance: AtomicU64::new(u64::MAX),
            refused: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            main_cache: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn bytes(&self) -> u64 {
        self.held.load(Relaxed) % HANDLE
    }

    /// The answer to an allocation that fails.
    fn starve(&self) -> *mut c_void {
        self.starved.swap(true, Relaxed);
        ptr::null_mut()
    }

    /// Whether a user's statement may take `charge` bytes more.
    fn admits(&self, charge: u64) -> bool {
        let besides_pages = self.bytes().saturating_sub(self.pages.load(Relaxed));
        let admitted = besides_pages + charge <= self.ceiling.load(Relaxed);
        if !admitted {
            self.refused.swap(true, Relaxed);
        }
        admitted
    }
}

/// Takes bytes or a handle off a ledger, and frees it with the last of both.
///
/// # Safety
/// The amount is one that the caller has added and that keeps the ledger alive until now.
unsafe fn give_back(ledger: NonNull<Ledger>, amount: u64) {
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

/// What an allocation of so many bytes takes from the system.
fn charge(bytes: usize) -> u64 {
    (bytes as u64 + HEADER_BYTES as u64 + CHUNK_HEADER_BYTES).next_multiple_of(CHUNK_BYTES)
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes + HEADER_BYTES, ALIGNMENT).ok()
}

/// `malloc` for SQLite.
unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
    CURRENT.with(|current| {
        let ledger =
            NonNull::new(current.ledger.get().cast_mut()).unwrap_or(NonNull::from(&PROCESS));
        let is_page = current.paging.get();
        let (size, charge) = (bytes as usize, charge(bytes as usize));
        // SAFETY: a ledger is entered only while a handle of it lives.
        let numbers = unsafe { ledger.as_ref() };
        if (current.bounded.get() && !is_page && !numbers.admits(charge)) || injected_failure() {
            return numbers.starve();
        }
        let Some(layout) = layout(size) else { return numbers.starve() };
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }.cast::<Header>()) else {
            return numbers.starve();
        };
        numbers.held.fetch_add(charge, Relaxed);
        if is_page {
            numbers.pages.fetch_add(charge, Relaxed);
        }
        // SAFETY: the allocation begins with room for the header, aligned for it; what follows is
        // still within it.
        unsafe {
            start.write(Header { ledger, bytes: size as u32, is_page });
            start.add(1).as_ptr().cast()
        }
    })
}

/// `free` for SQLite.
unsafe extern "C" fn free(memory: *mut c_void) {
    let Some(start) = header(memory) else { return };
    // SAFETY: SQLite gives back what `allocate` or `reallocate` gave it, once; the header keeps the
    // ledger alive until it is off it.
    unsafe {
        let Header { ledger, bytes, is_page } = start.read();
        if is_page {
            ledger.as_ref().pages.fetch_sub(charge(bytes as usize), Relaxed);
        }
        if let Some(layout) = layout(bytes as usize) {
            dealloc(start.as_ptr().cast(), layout);
        }
        give_back(ledger, charge(bytes as usize));
    }
}

/// `realloc` for SQLite. The memory stays on its account.
unsafe extern "C" fn reallocate(memory: *mut c_void, bytes: c_int) -> *mut c_void {
    let Some(start) = header(memory) else { return ptr::null_mut() };
    // SAFETY: as in `free`; the header keeps the ledger alive.
    let (Header { bytes: size_before, is_page, .. }, numbers) =
        unsafe { (start.read(), start.as_ref().ledger.as_ref()) };
    let (size, size_before) = (bytes as usize, size_before as usize);
    let (after, before) = (charge(size), charge(size_before));
    let bounded = CURRENT.with(|current| current.bounded.get());
    if (bounded && !is_page && after > before && !numbers.admits(after - before))
        || injected_failure()
    {
        return numbers.starve();
    }
    let (Some(layout_before), Some(layout)) = (layout(size_before), layout(size)) else {
        return numbers.starve();
    };
    // SAFETY: the allocation has this layout; the new size is not zero and was checked to be one of
    // a layout.
    let moved = unsafe { realloc(start.as_ptr().cast(), layout_before, layout.size()) };
    let Some(moved) = NonNull::new(moved.cast::<Header>()) else { return numbers.starve() };
    // Wrapping, so that one addition goes both ways; the sum can't fall below what is allocated.
    numbers.held.fetch_add(after.wrapping_sub(before), Relaxed);
    if is_page {
        numbers.pages.fetch_add(after.wrapping_sub(before), Relaxed);
    }
    // SAFETY: the header was moved with the memory, which has it at its start.
    unsafe {
        (*moved.as_ptr()).bytes = size as u32;
        moved.add(1).as_ptr().cast()
    }
}

/// How many bytes an allocation has.
unsafe extern "C" fn size(memory: *mut c_void) -> c_int {
    // SAFETY: as in `free`.
    header(memory).map_or(0, |start| unsafe { start.as_ref() }.bytes as c_int)
}

/// How many bytes an allocation of so many gets.
unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn start(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn stop(_: *mut c_void) {}

fn header(memory: *mut c_void) -> Option<NonNull<Header>> {
    // Wrapping: for null there is nothing before it, and the answer is `None`.
    NonNull::new(memory.cast::<Header>())
        .and_then(|memory| NonNull::new(memory.as_ptr().wrapping_sub(1)))
}

/// Puts this module under SQLite, once, before its first use in the process. When the process has
/// used it before, SQLite refuses: nothing is counted or bounded then, and two threads may be
/// slower than one.
pub(super) fn configure_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let methods = ffi::sqlite3_mem_methods {
            xMalloc: Some(allocate),
            xFree: Some(free),
            xRealloc: Some(reallocate),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(start),
            xShutdown: Some(stop),
            pAppData: ptr::null_mut(),
        };
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

#[cfg(not(test))]
fn injected_failure() -> bool {
    false
}

#[cfg(test)]
use injection::injected_failure;

/// For tests: allocations that fail.
#[cfg(test)]
pub(super) mod injection;
