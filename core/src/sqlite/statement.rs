//! Prepared statements, whose values are exact to the bit, and a small cache of them.

use std::ffi::{CStr, c_int};
use std::ptr;

use dotdo_sqlite_sys as ffi;

use super::error::from_code;
use super::handle::Handle;
use super::memory::{Account, Caller, Entered};
use crate::change::ValueRef;
use crate::{Error, Result};

/// A prepared statement. It must be used only together with the connection that made it.
pub(super) struct Statement {
    raw: *mut ffi::sqlite3_stmt,
    db: *mut ffi::sqlite3,
    account: Account,
    caller: Caller,
}

// SAFETY: a statement is used only by the owner of its connection (see `Handle`), so by one thread
// at a time.
unsafe impl Send for Statement {}

impl Statement {
    /// Prepares the first statement of `sql`. Returns it (`None` for blanks and comments) and how
    /// many bytes it took.
    pub(super) fn prepare(
        handle: &Handle,
        sql: &str,
        caller: Caller,
    ) -> Result<(Option<Self>, usize)> {
        let Ok(length) = c_int::try_from(sql.len()) else {
            return Err(Error::new(
                crate::ErrorKind::TooLarge,
                "the statement is larger than 2 GiB",
            ));
        };
        if caller == Caller::Own {
            handle.lift_limits();
        }
        let (db, account) = (handle.raw(), handle.account());
        let entered = account.enter(caller);
        let (mut raw, mut tail) = (ptr::null_mut(), ptr::null());
        let flags = ffi::SQLITE_PREPARE_PERSISTENT;
        // SAFETY: the length bounds the text, both out-pointers live through the call.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                db,
                sql.as_ptr().cast(),
                length,
                flags,
                &raw mut raw,
                &raw mut tail,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(failure(db, account, code));
        }
        drop(entered);
        // SAFETY: `tail` points into `sql` or just behind it.
        let used = if tail.is_null() {
            sql.len()
        } else {
            (unsafe { tail.cast::<u8>().offset_from(sql.as_ptr()) }) as usize
        };
        Ok(((!raw.is_null()).then(|| Self { raw, db, account: account.clone(), caller }), used))
    }

    fn enter(&self) -> Entered<'_> {
        self.account.enter(self.caller)
    }

    /// Whether it can't write, according to its last compilation.
    pub(super) fn is_readonly(&self) -> bool {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw) != 0 }
    }

    /// Whether it is an `EXPLAIN`.
    pub(super) fn is_explanation(&self) -> bool {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_stmt_isexplain(self.raw) != 0 }
    }

    /// How many parameters it has.
    pub(super) fn parameters(&self) -> usize {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_bind_parameter_count(self.raw) as usize }
    }

    /// How many columns its rows have.
    pub(super) fn columns(&self) -> usize {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_column_count(self.raw) as usize }
    }

    /// The name of a column of its rows.
    pub(super) fn column_name(&self, index: usize) -> String {
        // SAFETY: SQLite answers null for an index out of range or when memory is short.
        let name = unsafe { ffi::sqlite3_column_name(self.raw, index as c_int) };
        if name.is_null() {
            return String::new();
        }
        // SAFETY: not null, so a C string that lives until the statement changes; it is copied at
        // once.
        unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
    }

    /// How often it went one row forward in a full scan since the counter was last set to zero,
    /// which this does.
    pub(super) fn take_scan_steps(&self) -> u64 {
        // SAFETY: the statement is alive.
        let steps =
            unsafe { ffi::sqlite3_stmt_status(self.raw, ffi::SQLITE_STMTSTATUS_FULLSCAN_STEP, 1) };
        u64::from(steps.cast_unsigned())
    }

    /// Binds a parameter (counted from 1); SQLite copies the bytes.
    pub(super) fn bind(&mut self, index: usize, value: ValueRef<'_>) -> Result<()> {
        // SAFETY: the bytes are copied during the call.
        unsafe { self.bind_with(index, value, ffi::SQLITE_TRANSIENT()) }
    }

    /// Binds values that are borrowed from SQLite, which copies them.
    ///
    /// # Safety
    /// The values are alive, and used by this thread alone.
    pub(super) unsafe fn bind_lent(&mut self, values: &[*mut ffi::sqlite3_value]) -> Result<()> {
        let _entered = self.enter();
        for (index, value) in values.iter().enumerate() {
            // SAFETY: the caller's promise.
            let code = unsafe { ffi::sqlite3_bind_value(self.raw, index as c_int + 1, *value) };
            if code != ffi::SQLITE_OK {
                return Err(failure(self.db, &self.account, code));
            }
        }
        Ok(())
    }

    /// The first value of the current row, borrowed until the next step or reset.
    pub(super) fn lent_value(&self) -> *mut ffi::sqlite3_value {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_column_value(self.raw, 0) }
    }

    /// Binds all parameters without copying, runs to the end, and clears the parameters.
    pub(super) fn run<'v>(&mut self, values: impl IntoIterator<Item = ValueRef<'v>>) -> Result<()> {
        let outcome = self.bind_and_step(values);
        self.reset();
        // It must not keep pointers that end with this call.
        self.forget_parameters();
        outcome
    }

    fn bind_and_step<'v>(&mut self, values: impl IntoIterator<Item = ValueRef<'v>>) -> Result<()> {
        let mut bound = 0;
        for value in values {
            bound += 1;
            // SAFETY: the value's bytes live until `run` has cleared the bindings.
            unsafe { self.bind_with(bound, value, ffi::SQLITE_STATIC())? };
        }
        let wanted = self.parameters();
        if bound != wanted {
            // SQLite would use NULL for missing ones.
            return Err(Error::internal(format!(
                "expected {wanted} values for a statement, got {bound}"
            )));
        }
        while self.step()? {}
        Ok(())
    }

    /// # Safety
    /// With the destructor `SQLITE_STATIC` the value's bytes must live until the parameter is bound
    /// anew or cleared.
    unsafe fn bind_with(
        &mut self,
        index: usize,
        value: ValueRef<'_>,
        destructor: ffi::sqlite3_destructor_type,
    ) -> Result<()> {
        let (raw, index) = (self.raw, index as c_int);
        let _entered = self.enter();
        // SAFETY: pointers and lengths belong together, and lengths are exact; the caller answers
        // for the lifetime.
        let code = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(raw, index),
                ValueRef::Integer(value) => ffi::sqlite3_bind_int64(raw, index, value),
                ValueRef::Real(value) => ffi::sqlite3_bind_double(raw, index, value),
                ValueRef::Text(bytes) => ffi::sqlite3_bind_text64(
                    raw,
                    index,
                    bytes.as_ptr().cast(),
                    bytes.len() as u64,
                    destructor,
                    ffi::SQLITE_UTF8 as u8,
                ),
                ValueRef::Blob([]) => ffi::sqlite3_bind_zeroblob(raw, index, 0),
                ValueRef::Blob(bytes) => ffi::sqlite3_bind_blob64(
                    raw,
                    index,
                    bytes.as_ptr().cast(),
                    bytes.len() as u64,
                    destructor,
                ),
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure(self.db, &self.account, code)) }
    }

    /// Goes to the next row; `false` at the end.
    pub(super) fn step(&mut self) -> Result<bool> {
        let _entered = self.enter();
        // SAFETY: the statement is alive.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(failure(self.db, &self.account, code)),
        }
    }

    /// Sets all parameters to NULL and frees what they held.
    pub(super) fn forget_parameters(&mut self) {
        let _entered = self.enter();
        // SAFETY: the statement is alive and reset.
        unsafe { ffi::sqlite3_clear_bindings(self.raw) };
    }

    /// Ends the run. The next `step` starts again.
    pub(super) fn reset(&mut self) {
        let _entered = self.enter();
        // SAFETY: the statement is alive. The code repeats the error that `step` has already given.
        unsafe { ffi::sqlite3_reset(self.raw) };
    }

    /// A value of the current row. Empty columns and columns out of range are NULL.
    pub(super) fn value(&self, index: usize) -> ValueRef<'_> {
        let (raw, index) = (self.raw, index as c_int);
        // The size of a value has its own limit. If memory for it were refused, it would look
        // empty.
        let _entered = self.account.enter(Caller::Own);
        // SAFETY: the pointers that SQLite returns live until the next step or reset, which need
        // `&mut self`; the length is asked after the pointer, as the API requires.
        unsafe {
            match ffi::sqlite3_column_type(raw, index) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(raw, index)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(raw, index)),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_column_text(raw, index);
                    // Null when there is no memory for the NUL at its end, which is of no use here.
                    let start = if start.is_null() {
                        ffi::sqlite3_column_blob(raw, index).cast()
                    } else {
                        start
                    };
                    ValueRef::Text(bytes(start, ffi::sqlite3_column_bytes(raw, index)))
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(raw, index);
                    ValueRef::Blob(bytes(start.cast(), ffi::sqlite3_column_bytes(raw, index)))
                }
                _ => ValueRef::Null,
            }
        }
    }

    /// An integer of the current row, as SQLite converts it.
    pub(super) fn integer(&self, index: usize) -> i64 {
        // SAFETY: the statement is alive; without a row the answer is 0.
        unsafe { ffi::sqlite3_column_int64(self.raw, index as c_int) }
    }

    /// A text of the current row; `None` for NULL.
    pub(super) fn text(&self, index: usize) -> Option<String> {
        match self.value(index) {
            ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        let _entered = self.enter();
        // SAFETY: finalized once.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

/// The error behind `code`: the account's, when it has refused memory.
pub(super) fn failure(db: *mut ffi::sqlite3, account: &Account, code: c_int) -> Error {
    account.take_refusal().unwrap_or_else(|| from_code(db, code))
}

/// # Safety
/// `start` is null or points to `length` bytes that live for `'a`.
pub(super) unsafe fn bytes<'a>(start: *const u8, length: c_int) -> &'a [u8] {
    if start.is_null() || length <= 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(start, length as usize) }
}

/// The last used statements by their text.
pub(super) struct StatementCache<T> {
    entries: Vec<(Box<str>, T)>,
    capacity: usize,
}

impl<T> StatementCache<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: Vec::new(), capacity }
    }

    /// Takes a statement that `fits` out of the cache; [`StatementCache::put`] puts it back.
    pub(super) fn take(&mut self, sql: &str, fits: impl Fn(&T) -> bool) -> Option<(Box<str>, T)> {
        let index =
            self.entries.iter().rposition(|(text, statement)| &**text == sql && fits(statement))?;
        Some(self.entries.remove(index))
    }

    /// Adds a statement, and drops the least recently used one if the cache is full.
    pub(super) fn put(&mut self, sql: Box<str>, statement: T) {
        if self.entries.len() == self.capacity {
            self.entries.remove(0);
        }
        self.entries.push((sql, statement));
    }

    pub(super) fn clear(&mut self) {
        self.entries = Vec::new();
    }
}
