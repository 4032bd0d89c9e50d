//! Converts SQLite's result codes to errors of this crate.

use std::ffi::{CStr, c_int};

use dotdo_sqlite_sys as ffi;

use crate::{Error, ErrorKind};

/// The stable code of a statement that failed.
pub(super) const SQL_ERROR: &str = "SQL_ERROR";
/// The stable code of a statement that an object may not run.
pub(super) const SQL_REFUSED: &str = "SQL_REFUSED";

/// Messages for clients. SQLite's own messages contain names of tables and columns, which are
/// internal to the class.
const FAILED: &str = "a SQL statement of the object's class failed";
const REFUSED: &str = "the object's class ran a SQL statement that is not allowed";
const DAMAGED: &str = "the object's stored state can't be restored";
const BROKEN: &str = "the object's database failed";

/// The error of a statement that failed.
pub(super) fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Handler, message).with_code(SQL_ERROR).confidential(FAILED)
}

/// The error of a statement that does `what` no object may do.
pub(super) fn refused(what: impl std::fmt::Display) -> Error {
    Error::handler(format!("an object may not use {what}"))
        .with_code(SQL_REFUSED)
        .confidential(REFUSED)
}

/// The error for stored state that is not a valid database.
pub(super) fn corrupt(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, message).confidential(DAMAGED)
}

/// The error behind `code`, with the message that SQLite keeps in `db`.
pub(super) fn from_code(db: *mut ffi::sqlite3, code: c_int) -> Error {
    // SAFETY: `db` is null or an open connection; SQLite returns a valid C string for both.
    let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(db)) }.to_string_lossy().into_owned();
    let details = serde_json::json!({ "sqliteCode": code });
    match code & 0xff {
        ffi::SQLITE_FULL => {
            Error::new(ErrorKind::Full, "the object's database is full: it reached its size limit, or a table reached its largest rowid")
                .with_details(details)
        }
        ffi::SQLITE_TOOBIG => {
            Error::new(ErrorKind::TooLarge, "a value, a row or a statement is larger than the limit").with_details(details)
        }
        ffi::SQLITE_INTERRUPT => time_over(),
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => corrupt(format!("SQLite: {message}")).with_details(details),
        ffi::SQLITE_NOMEM => out_of_memory(),
        ffi::SQLITE_MISUSE | ffi::SQLITE_INTERNAL => {
            Error::internal(format!("SQLite: {message}")).with_details(details).confidential(BROKEN)
        }
        _ => failed(format!("SQLite: {message}")).with_details(details),
    }
}

/// The error of a statement that was interrupted.
pub(super) fn time_over() -> Error {
    Error::new(ErrorKind::TimedOut, "the statement was stopped because the request ran out of time")
}

/// The stable code when the machine has no more memory.
pub(super) const OUT_OF_MEMORY: &str = "OUT_OF_MEMORY";

/// The error when an allocation failed without an error of SQLite's.
pub(super) fn out_of_memory() -> Error {
    Error::internal("SQLite ran out of memory").with_code(OUT_OF_MEMORY)
}

/// The error when stored data can't be loaded: it is damaged, unless memory was short.
pub(super) fn damaged(error: Error, message: String) -> Error {
    if is_shortage(&error) { error } else { corrupt(message).with_source(error) }
}

/// The error of a user's statement that needed more memory than `allowance` bytes besides the
/// database.
pub(super) fn out_of_allowance(allowance: u64) -> Error {
    let message = format!(
        "expected a transaction that needs at most {allowance} bytes of memory besides its database, got one that needs more; sort, group or change fewer rows at once, or raise limits.temporary_bytes_max"
    );
    Error::new(ErrorKind::TooLarge, message)
        .with_code("SQL_MEMORY_EXCEEDED")
        .with_details(serde_json::json!({ "temporaryBytesMax": allowance }))
}

/// Whether it is not what is stored that failed, but memory or time.
pub(crate) fn is_shortage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Busy | ErrorKind::TimedOut)
        || [OUT_OF_MEMORY, "MEMORY_TOO_SMALL"].contains(&error.code())
}
