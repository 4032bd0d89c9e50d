//! SQLite's allocator: every allocation begins with a header that has its account and its size.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::Relaxed;

use dotdo_sqlite_sys as ffi;

use super::current::CURRENT;
#[cfg(test)]
use super::injection::injected_failure;
use super::ledger::{Ledger, PROCESS, give_back};

/// The functions that SQLite calls for memory.
pub(super) fn methods() -> ffi::sqlite3_mem_methods {
    ffi::sqlite3_mem_methods {
        xMalloc: Some(allocate),
        xFree: Some(free),
        xRealloc: Some(reallocate),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(start),
        xShutdown: Some(stop),
        pAppData: ptr::null_mut(),
    }
}

/// The header before every allocation. Its size keeps the alignment of `malloc`.
#[repr(C, align(16))]
struct Header {
    ledger: NonNull<Ledger>,
    /// The number of bytes that SQLite has requested.
    bytes: u32,
    /// Whether it is part of the main database's page cache.
    is_page: bool,
}

const HEADER_BYTES: usize = size_of::<Header>();
const ALIGNMENT: usize = align_of::<Header>();

const _: () = assert!(HEADER_BYTES == 16);

/// The overhead and rounding of the system's allocator: those of glibc's `malloc`, which are
/// typical.
const CHUNK_HEADER_BYTES: u64 = 8;
const CHUNK_BYTES: u64 = 16;

/// The memory that an allocation of this size takes from the system.
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
        if (current.bounded.get() && !numbers.admits(is_page, charge)) || injected_failure() {
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
    if (bounded && after > before && !numbers.admits(is_page, after - before)) || injected_failure()
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
    // Wrapping, so that one addition can increase and decrease; the sum can't fall below what is
    // allocated.
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

/// The size of an allocation.
unsafe extern "C" fn size(memory: *mut c_void) -> c_int {
    // SAFETY: as in `free`.
    header(memory).map_or(0, |start| unsafe { start.as_ref() }.bytes as c_int)
}

/// The size to which an allocation is rounded up.
unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn start(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn stop(_: *mut c_void) {}

fn header(memory: *mut c_void) -> Option<NonNull<Header>> {
    // Wrapping, because there is nothing before null; the result is `None` then.
    NonNull::new(memory.cast::<Header>())
        .and_then(|memory| NonNull::new(memory.as_ptr().wrapping_sub(1)))
}

#[cfg(not(test))]
fn injected_failure() -> bool {
    false
}
