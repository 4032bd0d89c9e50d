//! The server that is measured: the app of this crate, run like any user's.

use std::process::ExitCode;

use dotdo_sqlite_sys as ffi;

fn main() -> ExitCode {
    if std::env::var_os("MEASURED_UNCOUNTED").is_some() {
        use_sqlite_first();
    }
    dotdo::run(dotdo_benches::app())
}

/// Uses SQLite before dotdo does. Then dotdo can't put its allocator under SQLite any more, and
/// nothing is counted or bounded.
fn use_sqlite_first() {
    let mut connection = std::ptr::null_mut();
    let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
    // SAFETY: the option takes an int; the name is a C string, and the pointer outlives the call.
    // The connection stays open as long as the process runs.
    let code = unsafe {
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0_i32);
        ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut connection, flags, std::ptr::null())
    };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite opens a database in memory");
}
