//! Runs users' statements: prepares them under guard, and returns their rows one by one.

use super::database::Database;
use super::error::{SQL_REFUSED, failed, refused};
use super::guard::{Facts, SavepointStep, Speaker};
use super::memory::Caller;
use super::statement::Statement;
use super::transaction::Mode;
use crate::change::{Value, ValueRef};
use crate::planted::{Bug, planted};
use crate::{Error, Result};

/// A user's prepared statement, and what was learned from compiling it.
pub(super) struct UserStatement {
    statement: Statement,
    /// The speaker it was prepared for: a class may not run what dotdo may, even if the text is the
    /// same.
    speaker: Speaker,
    /// What it does with a savepoint.
    savepoint: Option<(SavepointStep, String)>,
    /// [`Database::schema_moves`] when it was prepared.
    schema_moves: u64,
}

/// A prepared statement, with its text.
struct Prepared {
    text: Box<str>,
    statement: UserStatement,
    /// The length of the statement in the given text, in bytes.
    used: usize,
}

/// The rows of a user's last statement. It borrows the database until it is dropped.
pub(crate) struct Cursor<'a> {
    database: &'a mut Database,
    /// `None` when the text had no statement.
    running: Option<(Box<str>, UserStatement)>,
    state: State,
    rows_returned: u64,
    scan_steps: u64,
    events_before: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The statement is at a row that was not returned yet.
    Ahead,
    /// The statement is at a row that was returned.
    Given,
    /// There are no more rows.
    Done,
}

/// One row, borrowed until the next one is read.
pub(crate) struct RowView<'c> {
    statement: &'c Statement,
}

impl Database {
    /// Runs a class's statements.
    #[cfg(test)]
    pub(crate) fn exec(&mut self, sql: &str, params: Vec<Value>) -> Result<Cursor<'_>> {
        self.exec_as(Speaker::Class, sql, params)
    }

    /// Runs statements of `speaker` in the open transaction. All but the last run to their end;
    /// `params` are for the last, whose changes are made when this returns.
    ///
    /// # Errors
    /// `Handler` (`SQL_ERROR`, `SQL_REFUSED`) for what the statements do wrong, `Full`, `TooLarge`,
    /// `TimedOut`; `Internal` without a transaction.
    pub(crate) fn exec_as(
        &mut self,
        speaker: Speaker,
        sql: &str,
        params: Vec<Value>,
    ) -> Result<Cursor<'_>> {
        self.with_transaction(|_| ())?;
        if sql.contains('\0') {
            return Err(failed("the statement contains a NUL character"));
        }
        let mut rest = skip_blank(sql);
        loop {
            if rest.is_empty() {
                check_parameters(0, params.len())?;
                return Ok(Cursor::empty(self));
            }
            let Prepared { text, statement, used } = self.prepare_user(speaker, rest)?;
            rest = skip_blank(&rest[used..]);
            if rest.is_empty() {
                return self.start(text, statement, &params);
            }
            let mut cursor = self.start(text, statement, &[])?;
            while cursor.next()?.is_some() {}
        }
    }

    /// Prepares the first statement of `sql`, or takes it from the cache.
    fn prepare_user(&mut self, speaker: Speaker, sql: &str) -> Result<Prepared> {
        if let Some((text, statement)) =
            self.user_statements.take(sql, |known| known.speaker == speaker)
        {
            return Ok(Prepared { text, statement, used: sql.len() });
        }
        let guard = self.guard.get();
        guard.facts = Facts::default();
        let prepared =
            self.under_guard(speaker, |handle| Statement::prepare(handle, sql, Caller::User));
        let facts = std::mem::take(&mut self.guard.get().facts);
        let (statement, used) = prepared.map_err(|error| refusal(&facts).unwrap_or(error))?;
        let statement =
            statement.ok_or_else(|| Error::internal("a statement was mistaken for a comment"))?;
        let savepoint = facts
            .savepoint
            .filter(|_| !statement.is_explanation() || planted(Bug::ExplanationBelieved));
        let schema_moves = self.schema_moves;
        let statement = UserStatement { statement, speaker, savepoint, schema_moves };
        Ok(Prepared { text: sql[..used].into(), statement, used })
    }

    fn start(
        &mut self,
        text: Box<str>,
        mut user: UserStatement,
        params: &[Value],
    ) -> Result<Cursor<'_>> {
        check_parameters(user.statement.parameters(), params.len())?;
        if !user.statement.is_readonly()
            && self.with_transaction(|open| open.mode == Mode::ReadOnly)?
        {
            return Err(only_read_here());
        }
        self.under_guard(user.speaker, |_| {
            params
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| user.statement.bind(index + 1, value.as_ref()))
        })?;
        self.before_statement();
        let events_before = self.recorder.peek().events;
        let mut cursor = Cursor {
            database: self,
            running: Some((text, user)),
            state: State::Given,
            rows_returned: 0,
            scan_steps: 0,
            events_before,
        };
        cursor.advance()?;
        Ok(cursor)
    }
}

impl<'a> Cursor<'a> {
    fn empty(database: &'a mut Database) -> Self {
        let events_before = database.recorder.peek().events;
        Self {
            database,
            running: None,
            state: State::Done,
            rows_returned: 0,
            scan_steps: 0,
            events_before,
        }
    }

    /// The names of the columns, in order.
    pub(crate) fn column_names(&self) -> Vec<String> {
        let Some((_, user)) = &self.running else { return Vec::new() };
        (0..user.statement.columns()).map(|index| user.statement.column_name(index)).collect()
    }

    /// The next row.
    ///
    /// # Errors
    /// As [`Database::exec_as`].
    pub(crate) fn next(&mut self) -> Result<Option<RowView<'_>>> {
        if self.state == State::Given {
            self.advance()?;
        }
        if self.state == State::Done {
            return Ok(None);
        }
        self.state = State::Given;
        self.rows_returned += 1;
        Ok(self.running.as_ref().map(|(_, user)| RowView { statement: &user.statement }))
    }

    /// How many rows were read so far, as far as SQLite reports it: the returned rows, or the rows
    /// of full scans when those are more. SQLite does not count rows that were found by an index
    /// and then skipped or aggregated.
    pub(crate) fn rows_read(&self) -> u64 {
        // A scan makes one step less than it sees rows.
        let scanned = self.scan_steps + u64::from(self.scan_steps > 0);
        self.rows_returned.max(scanned)
    }

    /// How many rows of tables the statement inserted, updated and deleted: also by triggers,
    /// cascades and REPLACE, and the rows in which virtual tables keep their content.
    pub(crate) fn rows_written(&self) -> u64 {
        self.database.recorder.peek().events - self.events_before
    }

    /// The size of the database in bytes.
    pub(crate) fn database_bytes(&self) -> u64 {
        self.database.page_bytes()
    }

    fn advance(&mut self) -> Result<()> {
        let Some((_, user)) = &mut self.running else { return Ok(()) };
        self.database.guard.get().facts.refused = None;
        let stepped = self.database.under_guard(user.speaker, |_| user.statement.step());
        // Modules compile their own statements while they run, so a statement may be refused only
        // here.
        let stepped =
            stepped.map_err(|error| refusal(&self.database.guard.peek().facts).unwrap_or(error));
        self.scan_steps += user.statement.take_scan_steps();
        // A statement that was compiled as read-only may still write, because SQLite can compile it
        // again within a step.
        let stepped =
            if self.database.has_written_unallowed() { Err(only_read_here()) } else { stepped };
        if let Ok(true) = stepped {
            self.state = State::Ahead;
            return Ok(());
        }
        self.end(stepped.map(|_| ()))
    }

    /// Ends the statement, which may have rows left, and finds out what it has changed.
    fn end(&mut self, outcome: Result<()>) -> Result<()> {
        self.state = State::Done;
        let Some((_, user)) = &mut self.running else { return outcome };
        user.statement.reset();
        self.database.after_statement(user.savepoint.as_ref(), outcome)
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        if self.state != State::Done {
            // An error has made the transaction one that can't be committed.
            let _noted = self.end(Ok(()));
        }
        let Some((text, mut user)) = self.running.take() else { return };
        user.statement.forget_parameters();
        if user.schema_moves == self.database.schema_moves {
            self.database.user_statements.put(text, user);
        }
    }
}

impl<'c> RowView<'c> {
    /// The number of columns.
    pub(crate) fn len(&self) -> usize {
        self.statement.columns()
    }

    /// A value; NULL where there is no such column.
    pub(crate) fn value(&self, index: usize) -> ValueRef<'c> {
        self.statement.value(index)
    }
}

fn refusal(facts: &Facts) -> Option<Error> {
    let what = facts.refused.as_ref()?;
    Some(refused(what))
}

fn only_read_here() -> Error {
    Error::invalid("the object is read-only here, but the statement would write")
        .with_code(SQL_REFUSED)
}

fn check_parameters(wanted: usize, got: usize) -> Result<()> {
    if wanted == got {
        return Ok(());
    }
    Err(failed(format!("expected {wanted} parameters for the statement, got {got}")))
}

/// The text without whitespace, comments and semicolons before its first statement.
fn skip_blank(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|c: char| c == ';' || c.is_ascii_whitespace());
        sql = if let Some(comment) = sql.strip_prefix("--") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else if let Some(comment) = sql.strip_prefix("/*") {
            comment.find("*/").map_or("", |end| &comment[end + 2..])
        } else {
            return sql;
        };
    }
}
