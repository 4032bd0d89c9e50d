//! SQLite's own page cache, behind two functions that tell the pages of an object's database from
//! those of anything else.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use dotdo_sqlite_sys as ffi;

use super::current::CURRENT;

/// Size of a page of an object's database, in bytes. Every table and index takes at least one, so
/// small pages keep small objects small: an object with one table takes about 19, 23 and 31 KB with
/// pages of 1, 2 and 4 KiB. Bulk loading is as fast with 2 KiB as with 4, and a third slower with
/// 1.
pub(in super::super) const PAGE_BYTES: u64 = 2048;

type CreateCache = unsafe extern "C" fn(c_int, c_int, c_int) -> *mut ffi::sqlite3_pcache;
type FetchPage =
    unsafe extern "C" fn(*mut ffi::sqlite3_pcache, c_uint, c_int) -> *mut ffi::sqlite3_pcache_page;

/// SQLite's own page cache: the functions that create a cache, and that find or create a page.
static PAGE_CACHE: OnceLock<(CreateCache, FetchPage)> = OnceLock::new();

/// Creates a page cache, and remembers the first one with the main database's page size: temporary
/// tables of statements have larger pages.
unsafe extern "C" fn create_cache(
    page_bytes: c_int,
    extra_bytes: c_int,
    purgeable: c_int,
) -> *mut ffi::sqlite3_pcache {
    let Some((create, _)) = PAGE_CACHE.get() else { return ptr::null_mut() };
    // SAFETY: SQLite's own function with what SQLite gives it.
    let cache = unsafe { create(page_bytes, extra_bytes, purgeable) };
    let ledger = CURRENT.with(|current| current.ledger.get());
    if page_bytes as u64 == PAGE_BYTES && !ledger.is_null() {
        // SAFETY: a ledger is entered only while a handle of it lives.
        let main_cache = unsafe { &(*ledger).main_cache };
        // It fails when one is known already, which is fine.
        let _later = main_cache.compare_exchange(ptr::null_mut(), cache, Relaxed, Relaxed);
    }
    cache
}

/// Finds or creates a page, and notes meanwhile whether it is the main database's.
unsafe extern "C" fn fetch_page(
    cache: *mut ffi::sqlite3_pcache,
    key: c_uint,
    create: c_int,
) -> *mut ffi::sqlite3_pcache_page {
    let Some((_, fetch)) = PAGE_CACHE.get() else { return ptr::null_mut() };
    CURRENT.with(|current| {
        let ledger = current.ledger.get();
        // SAFETY: a ledger is entered only while a handle of it lives.
        let is_main = create != 0
            && !ledger.is_null()
            && unsafe { (*ledger).main_cache.load(Relaxed) } == cache;
        current.paging.set(is_main);
        // SAFETY: SQLite's own function with what SQLite gives it.
        let page = unsafe { fetch(cache, key, create) };
        current.paging.set(false);
        page
    })
}

/// Installs the functions of this module. Returns whether SQLite accepted them.
///
/// # Safety
/// SQLite is not in use yet, and this is called once.
pub(super) unsafe fn wrap() -> bool {
    // SAFETY: each option gets what its documentation says, and what is pointed to lives through
    // the call, which copies it. All fields of the methods may be zero.
    unsafe {
        // No pages in advance: twenty of them would be most of a small object's memory.
        ffi::sqlite3_config(
            ffi::SQLITE_CONFIG_PAGECACHE,
            ptr::null_mut::<c_void>(),
            0 as c_int,
            0 as c_int,
        );
        let mut methods: ffi::sqlite3_pcache_methods2 = std::mem::zeroed();
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETPCACHE2, &raw mut methods);
        let (Some(create), Some(fetch)) = (methods.xCreate, methods.xFetch) else { return false };
        PAGE_CACHE.get_or_init(|| (create, fetch));
        methods.xCreate = Some(create_cache);
        methods.xFetch = Some(fetch_page);
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE2, &raw mut methods) == ffi::SQLITE_OK
    }
}
