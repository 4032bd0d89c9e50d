//! The database of one object and its connection's settings.

use std::cell::RefCell;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use dotdo_sqlite_sys as ffi;

use super::catalog::{Catalog, SEQUENCES};
use super::error::out_of_memory;
use super::exec::UserStatement;
use super::functions::register;
use super::guard::{Guard, STEPS_PER_POLL, Speaker, authorize, poll};
use super::handle::{Handle, LIKE_PATTERN_BYTES_MAX, Switch};
use super::layout::Layout;
use super::memory::PAGE_BYTES;
use super::recorder::{Recorder, before_change};
use super::statement::{Statement, StatementCache};
use super::transaction::Transaction;
use crate::change::{Header, TableShape, ValueRef};
use crate::{Error, Result};

/// Maximum number of cached statements of users, and of our own.
const USER_STATEMENTS_MAX: usize = 16;
const OWN_STATEMENTS_MAX: usize = 24;

/// Limits of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// All pages together.
    pub(crate) database_bytes_max: u64,
    /// One value or one row.
    pub(crate) row_bytes_max: u32,
    /// Memory that users' statements of one transaction may use besides the database.
    pub(crate) temporary_bytes_max: u64,
}

/// A private in-memory database that reports changes.
pub(crate) struct Database {
    // The order is the order of dropping: statements, then the connection, then what its callbacks
    // point to.
    pub(super) user_statements: StatementCache<UserStatement>,
    own_statements: RefCell<StatementCache<Statement>>,
    /// Reads the schema's counter: it runs after every statement that may have written, so it has a
    /// place of its own.
    cookie_statement: RefCell<Option<Statement>>,
    pub(super) handle: Handle,
    pub(super) guard: Pinned<Guard>,
    pub(super) recorder: Pinned<Recorder>,
    pub(super) limits: Limits,
    pub(super) purpose: Purpose,
    pub(super) header: Header,
    pub(super) committed: Arc<Layout>,
    pub(super) transaction: Option<Transaction>,
    /// Counts changes of the schema that may affect prepared statements.
    pub(super) schema_moves: u64,
    /// The failure that made the database unusable.
    pub(super) broken: Option<Error>,
}

/// The configuration of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// For users' statements: foreign keys, triggers, limits; changes are recorded.
    Serve,
    /// For restoring rows: none of these.
    Replay,
}

impl Database {
    /// Creates an empty database.
    ///
    /// # Errors
    /// `Internal` when SQLite can't open it, which means that memory is short.
    pub(crate) fn new(limits: &Limits) -> Result<Self> {
        let mut database = Self::open(limits)?;
        database.set_purpose(Purpose::Serve)?;
        Ok(database)
    }

    /// An empty database that is set up for restoring rows.
    pub(super) fn open(limits: &Limits) -> Result<Self> {
        let handle = Handle::open()?;
        let mut guard = Pinned::new(Guard::default());
        let recorder = Pinned::new(Recorder::new());
        handle.execute(&format!("PRAGMA page_size={PAGE_BYTES}; PRAGMA temp_store=MEMORY; PRAGMA ignore_check_constraints=ON"))?;
        handle.limit(ffi::SQLITE_LIMIT_ATTACHED, 0);
        handle.limit(ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_PATTERN_BYTES_MAX);
        handle.limit(ffi::SQLITE_LIMIT_WORKER_THREADS, 0);
        // A quoted name that fits no column would be a string, until a column of that name is
        // added.
        handle.switch(Switch::QuotedTexts, false)?;
        handle.switch(Switch::ForeignKeys, false)?;
        handle.switch(Switch::Triggers, false)?;
        // SAFETY: the callbacks get the guard, which lives at this address until after the
        // connection is closed.
        unsafe {
            register(&handle, guard.address())?;
            handle.account().watch(guard.address().cast());
            ffi::sqlite3_set_authorizer(handle.raw(), Some(authorize), guard.address());
            ffi::sqlite3_progress_handler(
                handle.raw(),
                STEPS_PER_POLL,
                Some(poll),
                guard.address(),
            );
        }
        Ok(Self {
            user_statements: StatementCache::new(USER_STATEMENTS_MAX),
            own_statements: RefCell::new(StatementCache::new(OWN_STATEMENTS_MAX)),
            cookie_statement: RefCell::new(None),
            handle,
            guard,
            recorder,
            limits: *limits,
            purpose: Purpose::Replay,
            header: Header::default(),
            committed: Arc::default(),
            transaction: None,
            schema_moves: 0,
            broken: None,
        })
    }

    /// The schema, sequences and versions as of the last commit.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The tables with rows, shadow tables of virtual tables included, in schema order, as of the
    /// last commit.
    pub(crate) fn shapes(&self) -> &[TableShape] {
        &self.committed.catalog.shapes
    }

    /// The memory that SQLite holds for the database now, in bytes: pages, the parsed schema,
    /// prepared statements, caches, and what an open transaction needs. Reading it costs nothing.
    ///
    /// If the process used SQLite before its first database was opened, this is
    /// [`Database::page_bytes`].
    pub(crate) fn bytes(&self) -> u64 {
        self.handle.account().bytes().unwrap_or_else(|| self.page_bytes())
    }

    /// The size of the database's pages, in bytes.
    pub(crate) fn page_bytes(&self) -> u64 {
        self.own_integer("PRAGMA page_count").unwrap_or(0).cast_unsigned() * PAGE_BYTES
    }

    /// Asks `interrupt` about every thousand steps of a user's statement whether its time is over;
    /// `true` ends the statement with [`crate::ErrorKind::TimedOut`].
    pub(crate) fn set_interrupt(&mut self, interrupt: Option<Box<dyn Fn() -> bool + Send>>) {
        self.guard.get().interrupt = interrupt;
    }

    /// Frees prepared statements and caches while nobody uses the object.
    pub(crate) fn relax(&mut self) {
        self.user_statements.clear();
        self.own_statements.borrow_mut().clear();
        self.cookie_statement.replace(None);
        self.handle.release_memory();
    }

    /// Sets the connection up for `purpose`. Only between transactions.
    pub(super) fn set_purpose(&mut self, purpose: Purpose) -> Result<()> {
        if self.purpose == purpose {
            return Ok(());
        }
        let serve = purpose == Purpose::Serve;
        if serve && self.committed.catalog.has_virtual_tables() {
            // Modules of virtual tables may cache rows that were changed below them; this makes
            // them start again.
            self.reload_schema()?;
        }
        self.handle.switch(Switch::ForeignKeys, serve)?;
        self.handle.switch(Switch::Triggers, serve)?;
        self.handle.switch(Switch::Defensive, serve)?;
        let pages = if serve {
            self.limits.database_bytes_max / PAGE_BYTES
        } else {
            u64::from(u32::MAX) - 1
        };
        let pages = pages.clamp(1, u64::from(u32::MAX) - 1);
        let checks = if serve { "OFF" } else { "ON" };
        self.handle.execute(&format!(
            "PRAGMA max_page_count={pages}; PRAGMA ignore_check_constraints={checks}"
        ))?;
        // Statements are compiled for the hook: with it, `DELETE FROM t` visits every row.
        let hook: Option<unsafe extern "C" fn(_, _, _, _, _, _, _)> =
            if serve { Some(before_change) } else { None };
        // SAFETY: the callback gets the recorder, which lives at this address until after the
        // connection is closed.
        unsafe { ffi::sqlite3_preupdate_hook(self.handle.raw(), hook, self.recorder.address()) };
        self.own_statements.borrow_mut().clear();
        self.purpose = purpose;
        Ok(())
    }

    /// Makes SQLite drop its parsed schema and read it again.
    pub(super) fn reload_schema(&self) -> Result<()> {
        self.handle.execute("PRAGMA writable_schema=RESET")
    }

    /// Calls SQLite for a statement of the `speaker`, under guard and within the limits of users'
    /// statements.
    pub(super) fn under_guard<T>(&mut self, speaker: Speaker, run: impl FnOnce(&Handle) -> T) -> T {
        let guard = self.guard.get();
        (guard.user, guard.speaker) = (true, speaker);
        self.handle.limit_users(i32::try_from(self.limits.row_bytes_max).unwrap_or(i32::MAX));
        let outcome = run(&self.handle);
        self.guard.get().user = false;
        outcome
    }

    /// Runs a statement of ours to the end.
    pub(super) fn own_run<'v>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = ValueRef<'v>>,
    ) -> Result<()> {
        self.with_own(sql, |statement| statement.run(values))
    }

    /// Runs a statement of ours that returns one integer.
    pub(super) fn own_integer(&self, sql: &str) -> Result<i64> {
        self.with_own(sql, |statement| {
            statement.step()?;
            Ok(statement.integer(0))
        })
    }

    /// SQLite's counter of schema changes.
    pub(super) fn schema_cookie(&self) -> Result<i64> {
        self.handle.lift_limits();
        let mut kept = self.cookie_statement.borrow_mut();
        let statement = match &mut *kept {
            Some(statement) => statement,
            None => kept.insert(self.handle.prepare("PRAGMA main.schema_version")?),
        };
        let cookie = statement.step().map(|found| found.then(|| statement.integer(0)));
        statement.reset();
        cookie?.ok_or_else(|| Error::internal("the schema has no counter"))
    }

    /// Passes a statement of ours to `use_it`, and resets it afterwards. It is prepared at its
    /// first use.
    pub(super) fn with_own<T>(
        &self,
        sql: &str,
        run: impl FnOnce(&mut Statement) -> Result<T>,
    ) -> Result<T> {
        self.handle.lift_limits();
        let cached = self.own_statements.borrow_mut().take(sql, |_| true);
        let (text, mut statement) = match cached {
            Some(entry) => entry,
            None => (sql.into(), self.handle.prepare(sql)?),
        };
        let outcome = run(&mut statement);
        statement.reset();
        self.own_statements.borrow_mut().put(text, statement);
        outcome
    }

    /// Drops prepared statements of ours whose tables may have changed their columns.
    pub(super) fn forget_own(&self) {
        self.own_statements.borrow_mut().clear();
    }

    /// Drops statements that were prepared for another schema.
    pub(super) fn forget_prepared(&mut self) {
        self.schema_moves += 1;
        self.user_statements.clear();
        self.forget_own();
    }

    /// Reads the header without the schema.
    pub(super) fn read_header(&self, catalog: &Catalog) -> Result<Header> {
        Ok(Header {
            schema: catalog.schema(),
            sequences: self.read_sequences(catalog)?,
            user_version: self.own_integer("PRAGMA user_version")? as i32,
            application_id: self.own_integer("PRAGMA application_id")? as i32,
        })
    }

    /// Reads AUTOINCREMENT's counters.
    pub(super) fn read_sequences(
        &self,
        catalog: &Catalog,
    ) -> Result<std::collections::BTreeMap<String, i64>> {
        let mut sequences = std::collections::BTreeMap::new();
        if !catalog.has_sequences() {
            return Ok(sequences);
        }
        self.with_own("SELECT name, seq FROM main.sqlite_sequence", |statement| {
            while statement.step()? {
                let name = match statement.value(0) {
                    ValueRef::Text(name) => std::str::from_utf8(name).ok().map(str::to_owned),
                    _ => None,
                };
                let ValueRef::Integer(value) = statement.value(1) else {
                    return Err(malformed_sequence());
                };
                if sequences.insert(name.ok_or_else(malformed_sequence)?, value).is_some() {
                    return Err(malformed_sequence());
                }
            }
            Ok(())
        })?;
        Ok(sequences)
    }

    /// The state that a transaction starts from, read from the connection.
    pub(super) fn adopt(&mut self) -> Result<()> {
        let catalog = Catalog::read(&self.handle, &self.committed.catalog)?;
        self.header = self.read_header(&catalog)?;
        let cookie = self.schema_cookie()?;
        self.committed = Arc::new(Layout::committed(Arc::new(catalog), cookie));
        let committed = Arc::clone(&self.committed);
        self.recorder.get().restart(&committed);
        Ok(())
    }

    /// Whether the database is usable: no failure has left it in an unknown state.
    pub(crate) fn is_usable(&self) -> bool {
        self.broken.is_none()
    }

    /// Fails when an allocation has failed since [`Database::recover_memory`]: SQLite may have
    /// continued, but the state that it and its modules keep besides the pages can't be relied on.
    pub(super) fn check_memory(&self) -> Result<()> {
        let account = self.handle.account();
        if !account.is_starved() {
            return Ok(());
        }
        Err(account.take_refusal().unwrap_or_else(out_of_memory))
    }

    /// After a failed allocation, drops everything besides the pages: statements, the parsed
    /// schema, and the caches of modules. Only between transactions.
    pub(super) fn recover_memory(&mut self) -> Result<()> {
        if !self.handle.account().is_starved() {
            return Ok(());
        }
        self.relax();
        self.handle.account().recover();
        self.reload_schema()?;
        self.check_memory()
    }

    /// Fails when an earlier failure has left the database unusable.
    pub(super) fn check(&self) -> Result<()> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

fn malformed_sequence() -> Error {
    super::error::failed(format!(
        "{SEQUENCES} must have one row per table, with a text as name and an integer as seq"
    ))
}

/// A value at a fixed address that C callbacks may use while SQLite runs.
pub(super) struct Pinned<T>(NonNull<T>);

// SAFETY: it owns its value like a box; the callbacks that share it run only inside calls of the
// owner.
unsafe impl<T: Send> Send for Pinned<T> {}

impl<T> Pinned<T> {
    fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(value))))
    }

    fn address(&mut self) -> *mut std::ffi::c_void {
        self.0.as_ptr().cast()
    }

    /// The value. Never held across a call into SQLite.
    pub(super) fn get(&mut self) -> &mut T {
        // SAFETY: the address is valid until drop, and callbacks don't run while `self` is borrowed
        // outside of SQLite.
        unsafe { self.0.as_mut() }
    }

    pub(super) fn peek(&self) -> &T {
        // SAFETY: as in `get`.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: made from a box, dropped once; the connection, which is dropped before, has been
        // closed.
        drop(unsafe { Box::from_raw(ptr::from_mut(self.0.as_mut())) });
    }
}
