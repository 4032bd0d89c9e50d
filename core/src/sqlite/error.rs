//! SQLite's result codes as errors of this crate.

use std::ffi::{CStr, c_int};

use rusqlite::ffi;

use crate::{Error, ErrorKind};

/// The stable code of a statement that failed.
pub(super) const SQL_ERROR: &str = "SQL_ERROR";
/// The stable code of a statement that an object may not run.
pub(super) const SQL_REFUSED: &str = "SQL_REFUSED";

/// The error behind `code`, with the message that SQLite keeps in `db`.
pub(super) fn from_code(db: *mut ffi::sqlite3, code: c_int) -> Error {
    // SAFETY: `db` is null or an open connection; SQLite returns a valid C string for both.
    let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(db)) }.to_string_lossy().into_owned();
    let details = serde_json::json!({ "sqliteCode": code, "sqliteMessage": message });
    match code & 0xff {
        ffi::SQLITE_FULL => {
            Error::new(ErrorKind::Full, "The object's database is full: it has reached its size limit, or a table its largest rowid.")
                .with_details(details)
        }
        ffi::SQLITE_TOOBIG => {
            Error::new(ErrorKind::TooLarge, "A value, a row or a statement is larger than the limit.").with_details(details)
        }
        ffi::SQLITE_INTERRUPT => Error::new(ErrorKind::TimedOut, "The statement was stopped because its time was over."),
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Error::new(ErrorKind::Corrupt, format!("SQLite: {message}")).with_details(details),
        ffi::SQLITE_NOMEM => Error::internal("SQLite ran out of memory.").with_code("OUT_OF_MEMORY"),
        ffi::SQLITE_MISUSE | ffi::SQLITE_INTERNAL => Error::internal(format!("SQLite: {message}")).with_details(details),
        _ => Error::handler(format!("SQLite: {message}")).with_code(SQL_ERROR).with_details(details),
    }
}
