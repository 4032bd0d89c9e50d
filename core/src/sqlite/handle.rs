//! One private, in-memory connection: opened, configured, closed.

use std::cell::Cell;
use std::ffi::{CString, c_int};
use std::ptr;

use dotdo_sqlite_sys as ffi;

use super::error::from_code;
use super::memory::{Account, Caller, configure_process};
use super::statement::{Statement, failure};
use crate::{Error, Result};

/// An open connection. It has one owner: it may move between threads and is never used by two at a
/// time.
pub(super) struct Handle {
    raw: *mut ffi::sqlite3,
    /// The account of its memory, entered before every call into SQLite.
    account: Account,
    /// Whether the limits of users' statements are set.
    is_limited: Cell<bool>,
}

/// Maximum length of a pattern of LIKE or GLOB, in bytes: Cloudflare's limit.
pub(super) const LIKE_PATTERN_BYTES_MAX: c_int = 50;

/// Limits of users' statements: sizes of texts and expressions and depths of nesting that no real
/// schema needs, and that could exhaust a thread's stack or take hours. Our own statements have
/// SQLite's limits, because they must be able to read and restore everything that users' statements
/// have made.
const USER_LIMITS: [(c_int, c_int); 7] = [
    (ffi::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (ffi::SQLITE_LIMIT_EXPR_DEPTH, 400),
    (ffi::SQLITE_LIMIT_COMPOUND_SELECT, 200),
    // A pattern is compared at every position of a text, in one step of SQLite's virtual machine.
    (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_PATTERN_BYTES_MAX),
    // `json_set` and similar functions go through the whole document for each pair of arguments.
    (ffi::SQLITE_LIMIT_FUNCTION_ARG, 127),
    (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, 100),
    // One less than SQLite's limit, because our statements also read the rowid.
    (ffi::SQLITE_LIMIT_COLUMN, 1999),
];

// SAFETY: the library is compiled thread-safe, the connection is opened without a mutex of its own
// and is reached only through the one owner of this value, so no two threads are ever inside it.
unsafe impl Send for Handle {}

/// Switches of a connection (`sqlite3_db_config`).
#[derive(Debug, Clone, Copy)]
pub(super) enum Switch {
    ForeignKeys,
    Triggers,
    Defensive,
    /// Whether quoted names in definitions may be strings.
    QuotedTexts,
    /// Whether what a schema calls may have effects outside of the database.
    TrustedSchema,
}

impl Handle {
    /// Opens an empty private database.
    pub(super) fn open() -> Result<Self> {
        configure_process();
        let flags = ffi::SQLITE_OPEN_READWRITE
            | ffi::SQLITE_OPEN_CREATE
            | ffi::SQLITE_OPEN_NOMUTEX
            | ffi::SQLITE_OPEN_PRIVATECACHE
            | ffi::SQLITE_OPEN_EXRESCODE;
        let account = Account::new();
        let entered = account.enter(Caller::Own);
        let mut raw = ptr::null_mut();
        // SAFETY: the name is a C string and `raw` outlives the call.
        let code =
            unsafe { ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut raw, flags, ptr::null()) };
        drop(entered);
        let handle = Self { raw, account, is_limited: Cell::new(false) };
        if code != ffi::SQLITE_OK {
            return Err(from_code(raw, code));
        }
        // A lookaside buffer costs every idle object 40 KB and saves little. SAFETY: the arguments
        // are those that SQLITE_DBCONFIG_LOOKASIDE takes; nothing is allocated from lookaside yet.
        unsafe {
            ffi::sqlite3_db_config(
                raw,
                ffi::SQLITE_DBCONFIG_LOOKASIDE,
                ptr::null_mut::<u8>(),
                0 as c_int,
                0 as c_int,
            )
        };
        Ok(handle)
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3 {
        self.raw
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// Whether no transaction is open.
    pub(super) fn is_autocommit(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.raw) != 0 }
    }

    /// Whether the open transaction has begun to write.
    pub(super) fn is_writing(&self) -> bool {
        // SAFETY: the connection is open and the name is a C string.
        unsafe { ffi::sqlite3_txn_state(self.raw, c"main".as_ptr()) == ffi::SQLITE_TXN_WRITE }
    }

    /// Turns a switch on or off. Prepared statements stay valid; SQLite compiles them again if
    /// necessary.
    pub(super) fn switch(&self, switch: Switch, on: bool) -> Result<()> {
        let operation = match switch {
            Switch::ForeignKeys => ffi::SQLITE_DBCONFIG_ENABLE_FKEY,
            Switch::Triggers => ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            Switch::Defensive => ffi::SQLITE_DBCONFIG_DEFENSIVE,
            Switch::QuotedTexts => ffi::SQLITE_DBCONFIG_DQS_DDL,
            Switch::TrustedSchema => ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        };
        let _entered = self.account.enter(Caller::Own);
        // SAFETY: these operations take an int and a pointer to int that may be null.
        let code = unsafe {
            ffi::sqlite3_db_config(self.raw, operation, c_int::from(on), ptr::null_mut::<c_int>())
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(from_code(self.raw, code)) }
    }

    /// Sets a run-time limit and returns the previous one.
    pub(super) fn limit(&self, id: c_int, value: c_int) -> c_int {
        // SAFETY: the connection is open; an unknown id is ignored by SQLite.
        unsafe { ffi::sqlite3_limit(self.raw, id, value) }
    }

    /// Sets the limits of users' statements, with this maximum size of a value. They stay until one
    /// of our statements runs, so that reading many rows does not set them for each row.
    pub(super) fn limit_users(&self, value_bytes_max: c_int) {
        if self.is_limited.replace(true) {
            return;
        }
        for (id, value) in USER_LIMITS {
            self.limit(id, value);
        }
        self.limit(ffi::SQLITE_LIMIT_LENGTH, value_bytes_max);
    }

    /// Removes the limits of users' statements for one of ours.
    pub(super) fn lift_limits(&self) {
        if !self.is_limited.replace(false) {
            return;
        }
        // If a larger limit is requested, SQLite uses its own. Our statements compare no patterns, and
        // those of generated columns were users' when their rows were written.
        let lifted = USER_LIMITS.map(|(id, _)| id).into_iter().chain([ffi::SQLITE_LIMIT_LENGTH]);
        for id in lifted.filter(|id| *id != ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH) {
            self.limit(id, c_int::MAX);
        }
    }

    /// Runs statements of ours that return nothing of interest.
    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.lift_limits();
        let text = CString::new(sql)
            .map_err(|_| Error::invalid("the statement contains a NUL character"))?;
        let _entered = self.account.enter(Caller::Own);
        // SAFETY: the text is a C string; no callback and no message pointer are given.
        let code = unsafe {
            ffi::sqlite3_exec(self.raw, text.as_ptr(), None, ptr::null_mut(), ptr::null_mut())
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure(self.raw, &self.account, code)) }
    }

    /// Prepares one statement of ours.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement> {
        let (statement, _) = Statement::prepare(self, sql, Caller::Own)?;
        statement.ok_or_else(|| Error::internal("an empty statement was prepared"))
    }

    /// Whether deferred foreign keys are violated, so that a commit would fail.
    pub(super) fn has_foreign_key_violations(&self) -> bool {
        let (mut current, mut high) = (0, 0);
        // SAFETY: both out-pointers live through the call.
        unsafe {
            ffi::sqlite3_db_status(
                self.raw,
                ffi::SQLITE_DBSTATUS_DEFERRED_FKS,
                &raw mut current,
                &raw mut high,
                0,
            )
        };
        current != 0
    }

    /// Frees memory that holds no data.
    pub(super) fn release_memory(&self) {
        let _entered = self.account.enter(Caller::Own);
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_db_release_memory(self.raw) };
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.account.release();
        // SAFETY: no account is charged any more.
        unsafe { self.account.watch(ptr::null_mut()) };
        let _entered = self.account.enter(Caller::Own);
        // SAFETY: closed once. Owners drop statements before it; if one was leaked, SQLite refuses
        // and the connection leaks too.
        unsafe { ffi::sqlite3_close(self.raw) };
    }
}
