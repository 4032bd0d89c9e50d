//! What people do with an object besides sending it requests: statements, snapshots, a new state, its
//! end.
//!
//! Promises: nothing of an object's class runs, so the class may be unknown here; what writes is a
//! turn of the object, under the same ownership as a request; what another process owns is not
//! touched. Must not know: routes, files, people.

mod import;
mod statements;

pub use statements::{StatementRows, Statements};

use crate::activation::{
    Activation, Deleted, NewState, Precondition, Replaced, no_such_object, place_of_former,
    restore_at,
};
use crate::budget::Use;
use crate::cluster::Routing;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::RESIDENT_BYTES;
use crate::log::list_newest;
use crate::rollup::{RolledUp, drain_pending_of, roll_up, rollup_of};
use crate::router::At;

use std::sync::Arc;

/// Administration of objects: [`Engine::administration`].
///
/// Every operation that writes takes the object's turn, and is refused with `Busy` (code
/// `OWNED_BY_OTHER_INSTANCE`, with the owner, its address and the rest of its lease as details)
/// while another process owns the object. Where an error does not say otherwise, nothing was
/// changed; after `Unknown`, something may have been.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::{Precondition, Statements};
///
/// let admin = engine.administration();
/// let before = engine.inspection().describe(&object, None).await?.log.head;
/// let sql = "DELETE FROM orders".to_owned();
/// admin.execute(&object, Statements { sql, ..Statements::default() }).await?;
/// // Undone: the object is again as it was after that record.
/// let at = dotdo::At::Sequence(before);
/// let restored = admin.restore_state(&object, (&object, Some(at)), Precondition::Any).await?;
/// assert!(restored.rows >= 2 && !restored.is_new);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy)]
pub struct Administration<'a> {
    engine: &'a Engine,
}

/// The result of [`Administration::execute`].
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::{Executed, Statements};
///
/// let sql = "UPDATE orders SET item = 'green tea' WHERE item = 'tea'".to_owned();
/// let Executed { rows, sequence } = engine
///     .administration()
///     .execute(&object, Statements { sql, ..Statements::default() })
///     .await?;
/// assert_eq!(rows.rows_written, 1);
/// assert_eq!(engine.inspection().describe(&object, None).await?.log.head, sequence);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Executed {
    /// What the last statement has returned.
    pub rows: StatementRows,
    /// The object's newest record after them: it has their changes.
    pub sequence: u64,
}

/// The name of a snapshot of an object, as [`Administration::snapshot_now`] returns it.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let snapshot = engine.administration().snapshot_now(&object).await?;
/// let listed = engine.inspection().snapshots(&object).await?;
/// assert_eq!(listed[0].name, snapshot.name);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotName {
    /// Its name: the one of its folder.
    pub name: String,
    /// The last record in it.
    pub sequence: u64,
}

impl<'a> Administration<'a> {
    pub(crate) fn of(engine: &'a Engine) -> Self {
        Self { engine }
    }

    /// The object `id` of `class`, which may be any name that the class has had.
    ///
    /// # Errors
    ///
    /// `Invalid` when the class or the id is invalid.
    pub fn object(&self, tenant: &Tenant, (class, id): (&str, &str)) -> Result<ObjectId> {
        tenant.object(self.engine.app().names().stored(class), id)
    }

    /// Runs SQL on the object as one request: all statements are committed together or not at all,
    /// under the guard and the limits of [`Context::sql`](crate::Context::sql). An object that does
    /// not exist is created by the first change.
    ///
    /// # Errors
    ///
    /// `Invalid` (`SQL_ERROR`, `SQL_REFUSED`) for what the statements do wrong, with SQLite's
    /// messages; otherwise those of [`Sql::exec`](crate::Sql::exec) and of a request.
    pub async fn execute(&self, object: &ObjectId, statements: Statements) -> Result<Executed> {
        let activation = self.activation(object)?;
        let _place = self.engine.runtime().place_of_request(object).await?;
        let mut response =
            activation.serve(&mut Routing::administering(statements.request())).await?;
        let rows = response.extensions_mut().remove::<StatementRows>();
        let rows = rows.ok_or_else(|| Error::internal("statements were answered without rows"))?;
        Ok(Executed { rows, sequence: activation.pipeline().head.sequence })
    }

    /// Writes a snapshot of the object's newest state, unless there is one.
    ///
    /// # Errors
    ///
    /// `NotFound` (code `NO_SUCH_OBJECT`) when the object does not exist; those of the store.
    pub async fn snapshot_now(&self, object: &ObjectId) -> Result<SnapshotName> {
        let activation = self.activation(object)?;
        let bucket = activation.log.bucket.clone();
        let snapshot = bucket.admit(activation.snapshot_now()).await?;
        Ok(SnapshotName { name: snapshot.to_string(), sequence: snapshot.sequence })
    }

    /// Makes the state of `object` what the state of `from` (an object of the same tenant, which may
    /// be the same) was at `at`, or is, without a time. What was before can still be read and
    /// restored within the retention.
    ///
    /// # Errors
    ///
    /// `NotFound` when `from` does not exist (`NO_SUCH_OBJECT`), did not exist then, or the retention
    /// has passed (`NO_SUCH_STATE`);
    /// `PreconditionFailed` (code `OBJECT_EXISTS` or `OBJECT_CHANGED`) when the precondition does not
    /// hold; `Invalid` for an object of another tenant.
    pub async fn restore_state(
        &self,
        object: &ObjectId,
        (from, at): (&ObjectId, Option<At>),
        precondition: Precondition,
    ) -> Result<Replaced> {
        if from.tenant() != object.tenant() {
            return Err(
                Error::invalid("expected two objects of one tenant").with_code("WRONG_TENANT")
            );
        }
        let activation = self.activation(object)?;
        let bucket = activation.log.bucket.clone();
        let restored = async {
            let state = self.former_state(from, at).await?;
            activation.replace_state(state, precondition).await
        };
        Box::pin(bucket.admit(restored)).await
    }

    /// Makes `state` the state of `object`.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` when the precondition does not hold.
    #[cfg(test)]
    pub(crate) async fn replace_state(
        &self,
        object: &ObjectId,
        state: NewState,
        precondition: Precondition,
    ) -> Result<Replaced> {
        let activation = self.activation(object)?;
        let bucket = activation.log.bucket.clone();
        Box::pin(bucket.admit(activation.replace_state(state, precondition))).await
    }

    /// Deletes the object: from then on it is as one that never existed. Within the retention its
    /// state can be restored.
    ///
    /// # Errors
    ///
    /// `NotFound` (code `NO_SUCH_OBJECT`) when it does not exist; `PreconditionFailed` when the
    /// precondition does not hold.
    pub async fn delete_object(
        &self,
        object: &ObjectId,
        precondition: Precondition,
    ) -> Result<Deleted> {
        let activation = self.activation(object)?;
        let bucket = activation.log.bucket.clone();
        bucket.admit(activation.delete_object(precondition)).await
    }

    /// Has all objects of `class`, by any of its names, in its roll-up
    /// ([`App::analytics`](crate::App::analytics)), whatever was noted of them: a listing of all, and
    /// a few requests for each that has changed. [`RolledUp`] has an example.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NOT_ROLLED_UP`) when the program rolls nothing of the class up; those of the
    /// store.
    pub async fn roll_up(&self, tenant: &Tenant, class: &str) -> Result<RolledUp> {
        self.engine.check_running()?;
        let class = self.engine.app().names().stored(class);
        roll_up(self.engine.activations(), (tenant, class)).await
    }

    /// The object whose tables are the roll-ups of `class`; `None` when the program rolls nothing of
    /// it up. What this process has noted is rolled up before, as far as that is possible.
    ///
    /// # Errors
    ///
    /// `Busy` when the engine shuts down.
    pub async fn rollup_of(&self, tenant: &Tenant, class: &str) -> Result<Option<ObjectId>> {
        self.engine.check_running()?;
        let app = self.engine.app();
        let class = app.names().stored(class);
        if app.rolled_up(class).is_none() {
            return Ok(None);
        }
        // What has failed is in the log, and is tried again.
        let _ = drain_pending_of(self.engine.activations(), (tenant, class)).await;
        rollup_of(tenant, class).map(Some)
    }

    /// The state of `object` at `at`, or the newest, in memory.
    pub(crate) async fn former_state(&self, object: &ObjectId, at: Option<At>) -> Result<NewState> {
        let runtime = self.engine.runtime();
        let log = runtime.log(object)?;
        let place = place_of_former(runtime, object).await?;
        let mut room = runtime.budget.count(Use::TimeTravel, object, 0);
        let head = list_newest(&log, u64::MAX).await?.head;
        if head == 0 {
            return Err(no_such_object(object));
        }
        let restored = restore_at(runtime, &log, at.unwrap_or(At::Sequence(head)), &mut room).await;
        let database = restored
            .map_err(|error| match (at, error.kind()) {
                // The newest record says that it was deleted.
                (None, ErrorKind::NotFound) => no_such_object(object),
                _ => error,
            })?
            .database;
        room.set(RESIDENT_BYTES + database.bytes());
        Ok(NewState::new(database, room, place))
    }

    /// The object's activation, whatever its class.
    fn activation(&self, object: &ObjectId) -> Result<Arc<Activation>> {
        self.engine.check_running()?;
        self.engine.activations().of_any_class(object)
    }
}
