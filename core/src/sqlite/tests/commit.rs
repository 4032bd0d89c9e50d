//! Commits that SQLite refuses.

use std::ffi::{c_int, c_void};
use std::ptr;

use dotdo_sqlite_sys as ffi;

use super::super::{Database, Mode};
use super::{Rig, dump, rows};

extern "C" fn refuse(_: *mut c_void) -> c_int {
    1
}

impl Database {
    /// From now on it is of no use, as after a roll-back that failed.
    pub(crate) fn break_down(&mut self) {
        self.broken = Some(crate::Error::internal("broken on purpose"));
    }

    /// From now on SQLite refuses every commit, and rolls back instead.
    pub(crate) fn refuse_commits(&self) {
        // SAFETY: the connection is open, and the hook needs no data and lives as long as the
        // program.
        unsafe { ffi::sqlite3_commit_hook(self.handle.raw(), Some(refuse), ptr::null_mut()) };
    }
}

#[test]
fn a_commit_that_sqlite_refuses_is_an_error_and_leaves_what_was_there() {
    let mut database = Rig::with("CREATE TABLE t(a); INSERT INTO t VALUES (1)").database;
    let before = dump(&mut database);
    database.refuse_commits();
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut database, "INSERT INTO t VALUES (2)", Vec::new()).expect("the statement runs");
    assert!(!database.prepare_commit().expect("there is something to commit").is_empty());
    let error = database.commit().expect_err("SQLite refuses it");
    assert!(error.message().contains("constraint failed"), "{error:?}");
    database.rollback();
    assert_eq!(dump(&mut database), before);
}
