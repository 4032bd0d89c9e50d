#![doc = include_str!("../README.md")]
#![no_std]

#[expect(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    reason = "the names are C's, and documented by SQLite"
)]
mod functions;

#[expect(missing_docs, reason = "the names are C's, and documented by SQLite")]
mod constants;

pub use constants::*;
pub use functions::*;

use core::ffi::c_void;
use core::mem::transmute;

/// What is passed as the destructor of a value that stays where it is for as long as SQLite may
/// read it.
#[expect(non_snake_case, reason = "SQLite's name for it, where it is a macro")]
pub const fn SQLITE_STATIC() -> sqlite3_destructor_type {
    None
}

/// What is passed as the destructor of a value that SQLite has to copy before the call returns.
#[expect(non_snake_case, reason = "SQLite's name for it, where it is a macro")]
pub fn SQLITE_TRANSIENT() -> sqlite3_destructor_type {
    // SAFETY: SQLite compares it with -1 and never calls it, and -1 is not null.
    Some(unsafe { transmute::<isize, unsafe extern "C" fn(*mut c_void)>(-1) })
}
