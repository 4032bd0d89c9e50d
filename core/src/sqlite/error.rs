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
        ffi::SQLITE_NOMEM => out_of_memory(),
        ffi::SQLITE_MISUSE | ffi::SQLITE_INTERNAL => Error::internal(format!("SQLite: {message}")).with_details(details),
        _ => Error::handler(format!("SQLite: {message}")).with_code(SQL_ERROR).with_details(details),
    }
}

/// The stable code when the machine has no more memory.
const OUT_OF_MEMORY: &str = "OUT_OF_MEMORY";

/// The error when an allocation failed without an error of SQLite's.
pub(super) fn out_of_memory() -> Error {
    Error::internal("SQLite ran out of memory.").with_code(OUT_OF_MEMORY)
}

/// What it means that something stored does not go in: it is damaged, unless the memory was short.
pub(super) fn damaged(error: Error, message: String) -> Error {
    if error.code() == OUT_OF_MEMORY { error } else { Error::new(ErrorKind::Corrupt, message).with_source(error) }
}

/// The error of a user's statement that needed more memory than `allowance` bytes besides the database.
pub(super) fn out_of_allowance(allowance: u64) -> Error {
    let message = format!(
        "expected a transaction that needs at most {allowance} bytes of memory besides its database, got one that needs more: sort, group \
         or change fewer rows at once, or raise the limit (temporary_bytes_max)"
    );
    Error::new(ErrorKind::TooLarge, message)
        .with_code("SQL_MEMORY_EXCEEDED")
        .with_details(serde_json::json!({ "temporaryBytesMax": allowance }))
}
