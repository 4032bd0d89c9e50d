//! A handler's transaction: begin, collect the changes, commit or roll back.

use std::sync::Arc;

use super::catalog::Catalog;
use super::database::{Database, Purpose};
use super::error::failed;
use super::guard::SavepointStep;
use super::layout::Layout;
use super::memory::Reservation;
use crate::change::{Changes, Header};
use crate::planted::{Bug, planted};
use crate::{Error, Result};

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Statements may write.
    ReadWrite,
    /// Statements that could write are refused.
    ReadOnly,
}

/// The state of an open transaction.
pub(super) struct Transaction {
    pub(super) mode: Mode,
    savepoints: Vec<Savepoint>,
    /// The reason, if SQLite has rolled it back.
    pub(super) lost: Option<Error>,
    /// The state that a commit makes the committed one.
    prepared: Option<Prepared>,
    /// Changes that don't need a commit if there are no others.
    start: Option<Changes>,
}

struct Savepoint {
    name: String,
    layout: Arc<Layout>,
}

struct Prepared {
    header: Option<Header>,
    layout_changed: bool,
    events: u64,
}

impl Database {
    /// Opens a transaction.
    ///
    /// # Errors
    /// `Internal` when one is open already; the failure that made the database unusable, if there
    /// was one.
    pub(crate) fn begin(&mut self, mode: Mode) -> Result<()> {
        self.begin_with(mode, None)
    }

    /// Opens a transaction whose statements take their memory from `reservation`.
    ///
    /// # Errors
    /// Those of [`Database::begin`].
    pub(crate) fn begin_reserved(
        &mut self,
        mode: Mode,
        reservation: Box<dyn Reservation>,
    ) -> Result<()> {
        self.begin_with(mode, Some(reservation))
    }

    fn begin_with(&mut self, mode: Mode, reservation: Option<Box<dyn Reservation>>) -> Result<()> {
        self.check()?;
        if self.transaction.is_some() {
            return Err(Error::internal("a transaction was started inside another"));
        }
        self.recover_memory()?;
        self.set_purpose(Purpose::Serve)?;
        self.own_run("BEGIN", [])?;
        self.handle.account().allow(self.limits.temporary_bytes_max, reservation);
        self.recorder.get().on = mode == Mode::ReadWrite;
        self.transaction = Some(Transaction {
            mode,
            savepoints: Vec::new(),
            lost: None,
            prepared: None,
            start: None,
        });
        Ok(())
    }

    /// Takes the net changes of the open transaction, which stays open. Empty changes: the state is
    /// the one before.
    ///
    /// # Errors
    /// `Invalid` when deferred foreign keys are violated, or the state is one that can't be
    /// recorded; why the transaction is lost, when SQLite has rolled it back. The caller rolls
    /// back.
    pub(crate) fn prepare_commit(&mut self) -> Result<Changes> {
        self.with_transaction(|_| ())?;
        self.check_memory()?;
        if !self.handle.is_writing() {
            self.finish_preparing(None, false);
            return Ok(Changes::default());
        }
        if self.handle.has_foreign_key_violations() {
            return Err(failed("SQLite: FOREIGN KEY constraint failed"));
        }
        let changes = self.net_changes()?;
        let layout_changed = !Arc::ptr_eq(&self.recorder.peek().layout, &self.committed);
        self.rehearse(&changes)?;
        let header = (!changes.is_empty()).then(|| self.header_after(&changes));
        self.finish_preparing(header, layout_changed);
        Ok(changes)
    }

    /// The net changes of the open transaction so far.
    fn net_changes(&mut self) -> Result<Changes> {
        self.with_transaction(|_| ())?;
        if !self.handle.is_writing() {
            return Ok(Changes::default());
        }
        self.flush_virtual_tables()?;
        self.check_layout()?;
        let changes = self.collect()?;
        self.check_memory()?;
        Ok(changes)
    }

    /// Whether the database was empty at the last commit: no schema, no version.
    pub(crate) fn is_blank(&self) -> bool {
        self.header == Header::default()
    }

    /// Whether the open transaction has changed nothing so far.
    ///
    /// # Errors
    /// Why the transaction can't be committed.
    pub(crate) fn is_unchanged(&mut self) -> Result<bool> {
        Ok(self.net_changes()?.is_empty())
    }

    /// Notes that the changes of the open transaction so far don't need a commit if there are no
    /// others.
    ///
    /// # Errors
    /// Why the transaction can't be committed.
    pub(crate) fn note_start(&mut self) -> Result<()> {
        let changes = self.net_changes()?;
        if let Some(open) = &mut self.transaction {
            open.start = (!changes.is_empty()).then_some(changes);
        }
        Ok(())
    }

    /// Whether the open transaction has changed what [`Database::note_start`] has noted, and
    /// nothing else.
    ///
    /// # Errors
    /// Why the transaction can't be committed.
    pub(crate) fn has_only_started(&mut self) -> Result<bool> {
        if self.with_transaction(|open| open.start.is_none())? {
            return Ok(false);
        }
        let changes = self.net_changes()?;
        self.with_transaction(|open| open.start.as_ref() == Some(&changes))
    }

    /// Makes the transaction's state the committed one. Changes since [`Database::prepare_commit`]
    /// are an error.
    ///
    /// # Errors
    /// Those of `prepare_commit` if it was not called. The transaction stays open and the caller
    /// rolls back.
    pub(crate) fn commit(&mut self) -> Result<()> {
        if self.with_transaction(|open| open.prepared.is_none())? {
            self.prepare_commit()?;
        }
        let Some(Transaction { prepared: Some(prepared), .. }) = &mut self.transaction else {
            return Err(Error::internal("a commit lost its prepared changes"));
        };
        let (header, layout_changed, events) =
            (prepared.header.take(), prepared.layout_changed, prepared.events);
        self.own_run("COMMIT", [])?;
        self.transaction = None;
        self.handle.account().release();
        if let Err(error) = self.check_memory() {
            self.broken = Some(error.clone());
            return Err(error);
        }
        if self.recorder.peek().events != events {
            let error = Error::internal(
                "SQLite changed rows during the commit, so that the collected changes are incomplete",
            );
            self.broken = Some(error.clone());
            return Err(error);
        }
        if let Some(header) = header {
            self.header = header;
        }
        self.reset_recorder(layout_changed);
        Ok(())
    }

    /// Rolls back to the last committed state, from any state.
    pub(crate) fn rollback(&mut self) {
        if self.transaction.take().is_none() {
            return;
        }
        if !self.handle.is_autocommit()
            && let Err(error) = self.handle.execute("ROLLBACK")
        {
            self.broken = Some(error);
        }
        if let Err(error) = self.recover_memory() {
            self.broken.get_or_insert(error);
        }
        self.handle.account().release();
        let committed = Arc::clone(&self.committed);
        if !Arc::ptr_eq(&self.recorder.peek().layout, &committed) {
            self.forget_prepared();
        }
        let recorder = self.recorder.get();
        recorder.on = false;
        recorder.restart(&committed);
    }

    /// Writes what virtual tables keep in memory: FTS5 does so at every savepoint.
    fn flush_virtual_tables(&mut self) -> Result<()> {
        if !self.recorder.peek().layout.catalog.has_virtual_tables() {
            return Ok(());
        }
        self.own_run("SAVEPOINT flush", [])?;
        self.own_run("RELEASE flush", [])
    }

    fn finish_preparing(&mut self, header: Option<Header>, layout_changed: bool) {
        let events = self.recorder.peek().events;
        if let Some(open) = &mut self.transaction {
            open.prepared = Some(Prepared { header, layout_changed, events });
        }
    }

    /// The header after `changes`.
    fn header_after(&self, changes: &Changes) -> Header {
        Header {
            schema: changes.schema.clone().unwrap_or_else(|| self.header.schema.clone()),
            sequences: changes.sequences.clone().unwrap_or_else(|| self.header.sequences.clone()),
            user_version: changes.user_version.unwrap_or(self.header.user_version),
            application_id: changes.application_id.unwrap_or(self.header.application_id),
        }
    }

    /// Makes the recorder ready for the next transaction.
    fn reset_recorder(&mut self, layout_changed: bool) {
        if layout_changed {
            let now = Arc::clone(&self.recorder.peek().layout);
            self.committed = Arc::new(Layout::committed(Arc::clone(&now.catalog), now.cookie));
            self.forget_own();
        }
        let committed = Arc::clone(&self.committed);
        let recorder = self.recorder.get();
        recorder.on = false;
        if layout_changed || recorder.needs_restart() {
            recorder.restart(&committed);
        } else {
            recorder.clear();
        }
    }

    /// Discards collected changes before a user's statement: it may write even if it fails.
    pub(super) fn before_statement(&mut self) {
        if let Some(open) = &mut self.transaction {
            open.prepared = None;
        }
    }

    /// Fails when a read-only transaction has written; it can't be committed then.
    pub(super) fn has_written_unallowed(&self) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.mode == Mode::ReadOnly)
            && self.handle.is_writing()
    }

    /// Finds out how a user's statement has changed the schema, right after it ended with
    /// `outcome`, because it can't be known before. Only its effect on savepoints follows from its
    /// text.
    pub(super) fn after_statement(
        &mut self,
        savepoint: Option<&(SavepointStep, String)>,
        outcome: Result<()>,
    ) -> Result<()> {
        let followed = self.follow(savepoint.filter(|_| outcome.is_ok()), outcome.as_ref().err());
        if let Err(error) = followed {
            self.lose(&error);
            return outcome.and(Err(error));
        }
        outcome
    }

    /// Fails when the transaction must not be committed.
    fn follow(
        &mut self,
        savepoint: Option<&(SavepointStep, String)>,
        failure: Option<&Error>,
    ) -> Result<()> {
        if let Err(error) = self.check_memory() {
            // SQLite may have undone only the statement, or continued without the memory; the state
            // of its modules can't be relied on.
            return Err(failure.cloned().unwrap_or(error));
        }
        if self.handle.is_autocommit() || self.has_written_unallowed() {
            let unexpected = || {
                Error::internal("SQLite ended the transaction, but the statement reported no error")
            };
            return Err(failure.cloned().unwrap_or_else(unexpected));
        }
        if let Some((step, name)) = savepoint {
            self.after_savepoint(*step, name)?;
        }
        self.follow_schema()
    }

    fn after_savepoint(&mut self, step: SavepointStep, name: &str) -> Result<()> {
        let layout = Arc::clone(&self.recorder.peek().layout);
        let Some(open) = &mut self.transaction else { return Ok(()) };
        if step == SavepointStep::Begin {
            open.savepoints.push(Savepoint { name: name.to_owned(), layout });
            return Ok(());
        }
        let unknown =
            || Error::internal(format!("SQLite has a savepoint {name:?} that was not tracked"));
        let index = open
            .savepoints
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(unknown)?;
        if step == SavepointStep::Release {
            open.savepoints.truncate(index);
            return Ok(());
        }
        open.savepoints.truncate(index + 1);
        let before = Arc::clone(&open.savepoints[index].layout);
        if !Arc::ptr_eq(&before, &layout) {
            self.recorder.get().layout = before;
            self.forget_prepared();
        }
        self.check_layout()
    }

    /// Reads the schema again if SQLite's counter says that the statement that just ended has
    /// changed it.
    fn follow_schema(&mut self) -> Result<()> {
        if !self.handle.is_writing() || planted(Bug::SchemaUnfollowed) {
            return Ok(());
        }
        let cookie = self.schema_cookie()?;
        let before = Arc::clone(&self.recorder.peek().layout);
        if cookie == before.cookie {
            return Ok(());
        }
        let catalog = Catalog::read(&self.handle, &before.catalog)?;
        self.check_new_objects(&before.catalog, &catalog)?;
        let recorder = self.recorder.get();
        let layout = before.after(catalog, cookie, &mut recorder.tracks);
        recorder.layout = Arc::new(layout);
        recorder.record_unknown_tables_whole();
        self.forget_prepared();
        Ok(())
    }

    /// Fails when the schema is not the one that the recorder has followed.
    fn check_layout(&self) -> Result<()> {
        let (expected, found) = (self.recorder.peek().layout.cookie, self.schema_cookie()?);
        if found == expected || planted(Bug::SchemaUnfollowed) {
            return Ok(());
        }
        Err(Error::internal(format!(
            "expected the schema {expected}, got {found}: a change of the schema was not tracked"
        )))
    }

    /// Marks the transaction as one that can't be committed.
    fn lose(&mut self, error: &Error) {
        if let Some(open) = &mut self.transaction {
            open.lost.get_or_insert_with(|| error.clone());
        }
    }

    /// The open transaction, or the error why there is none.
    pub(super) fn with_transaction<T>(&self, read: impl FnOnce(&Transaction) -> T) -> Result<T> {
        self.check()?;
        match &self.transaction {
            None => Err(Error::internal("no transaction is open")),
            Some(Transaction { lost: Some(error), .. }) => Err(error.clone()),
            Some(open) => Ok(read(open)),
        }
    }
}
