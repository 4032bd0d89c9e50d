//! The state of an object as its bucket has it, in a database of its own.

use crate::activation::{Runtime, no_such_object, place_of_former, restore_at};
use crate::budget::{Charge, Use};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::limits::RESIDENT_BYTES;
use crate::log::{Log, list_newest};
use crate::router::At;
use crate::sqlite::{Cursor, Database, Mode, Speaker};
use crate::tenants::Place;

/// The state of an object, while it is looked at.
pub(super) struct State {
    pub(super) database: Database,
    /// The last record in it.
    pub(super) sequence: u64,
    pub(super) room: Charge,
    pub(super) place: Place,
}

/// Restores the state of the object of `log` at `at`, or the newest, for a reader.
///
/// # Errors
///
/// `NotFound` when there is no such object, or no such state of it; `Busy` when too many restore;
/// those of a restore.
pub(super) async fn state(runtime: &Runtime, log: &Log, at: Option<At>) -> Result<State> {
    let place = place_of_former(runtime, &log.object).await?;
    let mut room = runtime.budget.count(Use::TimeTravel, &log.object, 0);
    let head = list_newest(log, u64::MAX).await?.head;
    if head == 0 {
        return Err(no_such_object(&log.object));
    }
    let restored = restore_at(runtime, log, at.unwrap_or(At::Sequence(head)), &mut room).await;
    // The newest record says that the object was deleted.
    let is_deleted = |error: &Error| at.is_none() && error.kind() == ErrorKind::NotFound;
    let former = restored.map_err(|error| match is_deleted(&error) {
        true => no_such_object(&log.object),
        false => error,
    })?;
    Ok(State::new(runtime, (former.database, former.sequence), room, place))
}

impl State {
    /// The state in a database, of the last record in it.
    pub(super) fn new(
        runtime: &Runtime,
        (mut database, sequence): (Database, u64),
        mut room: Charge,
        place: Place,
    ) -> Self {
        room.set(RESIDENT_BYTES + database.bytes());
        let deadline = runtime.clock.monotonic() + runtime.settings.handler_time_max;
        let clock = runtime.clock.clone();
        database.set_interrupt(Some(Box::new(move || clock.monotonic() > deadline)));
        Self { database, sequence, room, place }
    }

    /// Begins to read; what is read takes its memory from the budget.
    ///
    /// # Errors
    ///
    /// `Busy` when there is none.
    pub(super) async fn begin(&mut self, runtime: &Runtime, object: &ObjectId) -> Result<()> {
        self.database.begin_reserved(Mode::ReadOnly, runtime.reserve(object).await?)
    }

    /// The rows of a statement of ours.
    pub(super) fn ask(&mut self, sql: &str, params: Vec<crate::Value>) -> Result<Cursor<'_>> {
        self.database.exec_as(Speaker::Class, sql, params)
    }
}
