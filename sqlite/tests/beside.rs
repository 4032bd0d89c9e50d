//! Another SQLite in the same program: rusqlite with the one that it bundles.

use std::collections::BTreeSet;
use std::ffi::{CStr, c_int};
use std::ptr;

use dotdo_sqlite_sys as ffi;

fn our_options() -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for number in 0.. {
        // SAFETY: any number may be asked for; the text is static.
        let text = unsafe { ffi::sqlite3_compileoption_get(number) };
        if text.is_null() {
            break;
        }
        // SAFETY: it is not null, and a text of SQLite's.
        let text = unsafe { CStr::from_ptr(text) };
        options.insert(text.to_str().expect("names of options are ASCII").to_owned());
    }
    options
}

fn its_options() -> BTreeSet<String> {
    let other = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
    let mut statement = other.prepare("PRAGMA compile_options").expect("it is a pragma");
    let rows = statement.query_map((), |row| row.get(0)).expect("it has no parameters");
    rows.collect::<Result<_, _>>().expect("options are texts")
}

#[test]
fn sql_means_here_what_it_means_in_rusqlite() {
    let (ours, its) = (our_options(), its_options());
    let only = |left: &BTreeSet<String>, right| left.difference(right).cloned().collect::<Vec<_>>();
    assert_eq!(only(&ours, &its), ["ENABLE_PREUPDATE_HOOK", "OMIT_LOAD_EXTENSION"]);
    assert_eq!(only(&its, &ours), ["ENABLE_LOAD_EXTENSION"]);
}

#[test]
fn what_is_opened_and_set_here_is_nothing_to_the_other() {
    let other = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
    other.execute_batch("CREATE TABLE other (a)").expect("its database takes tables");
    // The other has begun, and would refuse this; SQLite says so by `SQLITE_MISUSE`.
    let on: c_int = 1;
    // SAFETY: an option with one number, before this SQLite is used.
    let set = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, on) };
    assert_eq!(set, ffi::SQLITE_OK);
    let mut ours = ptr::null_mut();
    let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
    // SAFETY: the name ends with a NUL, and `ours` is a place for the answer.
    let opened =
        unsafe { ffi::sqlite3_open_v2(c":memory:".as_ptr(), &mut ours, flags, ptr::null()) };
    assert_eq!(opened, ffi::SQLITE_OK);
    // SAFETY: `ours` was opened, and the text ends with a NUL.
    let asked = unsafe {
        let sql = c"CREATE TABLE ours (a); SELECT * FROM other";
        ffi::sqlite3_exec(ours, sql.as_ptr(), None, ptr::null_mut(), ptr::null_mut())
    };
    assert_ne!(asked, ffi::SQLITE_OK, "they are two databases");
    // SAFETY: it was opened, and nothing uses it any more.
    assert_eq!(unsafe { ffi::sqlite3_close(ours) }, ffi::SQLITE_OK);
    let tables: i64 = other
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .expect("it still answers");
    assert_eq!(tables, 1);
}

#[test]
fn the_library_is_the_one_that_the_bindings_are_for() {
    // SAFETY: it takes nothing.
    assert_eq!(unsafe { ffi::sqlite3_libversion_number() }, ffi::SQLITE_VERSION_NUMBER);
    // SAFETY: the text is static.
    let id = unsafe { CStr::from_ptr(ffi::sqlite3_sourceid()) };
    let readme = include_str!("../README.md");
    assert!(readme.contains(id.to_str().expect("it is ASCII")), "README.md names another source");
}
