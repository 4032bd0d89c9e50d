//! Looking into objects and taking them out, without their classes.
//!
//! Promises: it takes no turn, waits for no owner and sees every acknowledged write; it
//! stays within the places and the memory of time travel. No code of a class is run. Must not know:
//! HTTP, callers and what they may do.

mod answers;
mod describe;
mod file;
mod list;
mod lookup;
mod query;
mod state;
mod tables;
mod verify;

use std::sync::Arc;

pub use self::answers::{
    AlarmItem, Answer, ClassItem, ColumnItem, DatabaseItem, Description, LogItem, MessagesItem,
    ObjectItem, ObjectPage, OwnerItem, SchedulesItem, SnapshotItem, SnapshotsItem, TableItem,
};
pub use self::file::DatabaseFile;
pub use self::list::ObjectQuery;
pub use self::lookup::RowQuery;
pub use self::query::Statement;
pub use self::tables::{IcebergMetadata, IcebergTables};
pub use self::verify::{Fault, Finding, Totals, Verification};
use crate::activation::{Activations, Runtime};

/// What can be read of objects without sending them requests
/// ([`Engine::inspection`](crate::Engine::inspection)). Clones are the same.
///
/// It takes no turn of an object and waits for no owner, and it sees every acknowledged write.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let inspection = engine.inspection();
/// for class in inspection.classes(object.tenant()).await? {
///     println!("{}", class.class);
/// }
/// let found = inspection.describe(&object, None).await?;
/// println!("{object} has {} bytes", found.database.bytes);
/// assert!(found.database.bytes > 0);
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Inspection {
    activations: Arc<Activations>,
}

impl Inspection {
    pub(crate) fn new(activations: Arc<Activations>) -> Self {
        Self { activations }
    }

    fn runtime(&self) -> &Runtime {
        &self.activations.runtime
    }
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
