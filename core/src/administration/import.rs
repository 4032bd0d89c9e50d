//! A SQLite file becomes an object's state.

use bytes::Bytes;

use super::Administration;
use crate::activation::{NewState, Precondition, Replaced, place_of_former};
use crate::budget::Use;
use crate::error::Result;
use crate::executor::offload;
use crate::id::ObjectId;
use crate::image::{Bounds, import};
use crate::limits::RESIDENT_BYTES;

impl Administration<'_> {
    /// Makes what is in a SQLite file the state of `object`. The file may come from anywhere: it is
    /// checked from the first page to the last, and only its schema and rows are taken, by the rules
    /// of a restore. The tables in which an object keeps its messages and answered requests are not
    /// taken: those that it has stay. What was before can still be read and restored within the
    /// retention.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_DATABASE_FILE` or `RESERVED_NAME`) for a file that is not whole, or that
    /// no object can have; `TooLarge` or `Full` for one that is larger than the limits;
    /// `PreconditionFailed` (code `OBJECT_EXISTS` or `OBJECT_CHANGED`) when the precondition does
    /// not hold; those of a write.
    pub async fn import(
        &self,
        object: &ObjectId,
        file: Bytes,
        precondition: Precondition,
    ) -> Result<Replaced> {
        let activation = self.activation(object)?;
        let bucket = activation.log.bucket.clone();
        let imported = async {
            precondition.foresee(&activation.log).await?;
            let state = self.imported_state(object, file).await?;
            activation.replace_state(state, precondition).await
        };
        Box::pin(bucket.admit(imported)).await
    }

    /// Maximum size of a file that can be imported, in bytes: that of an object, and of one database
    /// beside the objects in memory.
    pub fn file_bytes_max(&self) -> u64 {
        let runtime = self.engine.runtime();
        let beside = runtime.budget.one_max(Use::TimeTravel).saturating_sub(RESIDENT_BYTES);
        runtime.database_limits().database_bytes_max.min(beside)
    }

    /// The state in `file`, in memory.
    async fn imported_state(&self, object: &ObjectId, file: Bytes) -> Result<NewState> {
        let runtime = self.engine.runtime();
        let place = place_of_former(runtime, object).await?;
        let mut room = runtime.budget.count(Use::TimeTravel, object, 0);
        // The new database is hardly larger than the file.
        room.raise(RESIDENT_BYTES.saturating_add(file.len() as u64)).await?;
        let bounds = Bounds {
            reading: Some(runtime.restraint(&room, 0)),
            making: Some(runtime.restraint(&room, room.bytes())),
        };
        let limits = runtime.database_limits();
        let imported = offload(runtime.executor.as_ref(), || import(file, &limits, bounds))?;
        room.set(RESIDENT_BYTES + imported.database.bytes());
        Ok(NewState::new(imported.database, room, place))
    }
}
