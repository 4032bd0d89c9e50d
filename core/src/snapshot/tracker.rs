//! What has changed since the newest snapshot: kept in memory beside the database, rebuilt by a
//! restore.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kept::Kept;
use super::keys::KeySet;
use super::plan::{Completed, Plan, PlanContext};
use super::reference::SnapshotRef;
use super::table::TableBase;
use crate::change::{Changes, TableChanges, TableShape};
use crate::error::Result;
use crate::planted::{Bug, planted};
use crate::sqlite::Database;

/// Tells tables apart while they are renamed; never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handle(u32);

/// Rows of a table that are not as in its base.
#[derive(Debug)]
pub(super) enum Dirty {
    /// All of them; the base, if there is one, is of no use.
    Everything,
    /// None.
    Nothing,
    /// Those with these keys.
    Keys(KeySet),
}

/// A table that an earlier snapshot has, or that one under way will have.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) handle: Handle,
    pub(super) base: Option<Arc<TableBase>>,
    pub(super) dirty: Dirty,
}

/// Watches the changes of one object, so that a snapshot costs what has changed since the one
/// before.
///
/// Tables that are not in it were created since the newest snapshot: all of their rows are new.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    pub(super) tables: BTreeMap<String, Tracked>,
    pub(super) base: Option<SnapshotRef>,
    /// Until when the base is certainly there, where that is known.
    pub(super) kept: Option<Kept>,
    /// The location that the base's files name each other by.
    pub(super) location: Option<Arc<str>>,
    handles: u32,
}

impl Tracker {
    /// For an object without any snapshot: the first plan exports everything.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// For an object whose state is exactly the snapshot `base`.
    pub(super) fn restored(
        base: SnapshotRef,
        location: Arc<str>,
        tables: Vec<Arc<TableBase>>,
    ) -> Self {
        let mut tracker = Self { base: Some(base), location: Some(location), ..Self::default() };
        for table in tables {
            let handle = tracker.next_handle();
            let name = table.shape.name.clone();
            tracker
                .tables
                .insert(name, Tracked { handle, base: Some(table), dirty: Dirty::Nothing });
        }
        tracker
    }

    /// The newest snapshot that is complete.
    pub(crate) fn base(&self) -> Option<SnapshotRef> {
        self.base
    }

    /// Until when the base is certainly there, where that is known.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.kept
    }

    /// What was found out about `base`. `None`: it may be gone, so the next snapshot shares nothing
    /// with it.
    pub(crate) fn found(&mut self, base: SnapshotRef, kept: Option<Kept>) {
        if self.base != Some(base) {
            return;
        }
        self.kept = kept;
        if kept.is_none() {
            self.base = None;
            self.tables
                .values_mut()
                .for_each(|table| (table.base, table.dirty) = (None, Dirty::Everything));
        }
    }

    /// Takes note of a committed batch or a replayed record; `shapes` are the tables after it.
    pub(crate) fn observe(&mut self, changes: &Changes, shapes: &[TableShape]) {
        if changes.is_empty() {
            return;
        }
        self.follow_names(changes);
        for table in &changes.tables {
            let shape = shapes.iter().find(|shape| shape.name == table.table);
            if let (Some(tracked), Some(shape)) = (self.tables.get_mut(&table.table), shape) {
                tracked.dirty.add(table, shape);
            }
        }
    }

    /// Keeps what is known of the tables that are still there, under the names that they have now.
    fn follow_names(&mut self, changes: &Changes) {
        if planted(Bug::TablesByName) {
            for (old, new) in &changes.renames {
                if let Some(tracked) = self.tables.remove(old) {
                    self.tables.insert(new.clone(), tracked);
                }
            }
            return;
        }
        if changes.schema.is_none() && !changes.tables.iter().any(|table| table.rewritten) {
            return;
        }
        let mut kept = changes.kept_tables(self.tables.keys().map(String::as_str));
        let former = std::mem::take(&mut self.tables);
        self.tables = former
            .into_iter()
            .filter_map(|(name, tracked)| Some((kept.remove(&name)?, tracked)))
            .collect();
    }

    /// Encodes the files of a snapshot of `db`, whose changes since the last plan have all been
    /// observed.
    ///
    /// CPU only; reads the rows that changed. What is observed from now on belongs to the next
    /// snapshot. The plan must be given back, to [`Tracker::complete`] or [`Tracker::abandon`],
    /// before the next is made.
    ///
    /// # Errors
    ///
    /// `Internal` when a file can't be encoded, `TooLarge` when a key would be too long for a
    /// bucket. The tracker is as before then.
    pub(crate) fn plan(&mut self, db: &Database, context: &PlanContext<'_>) -> Result<Plan> {
        let mut plan = Plan::new(self, db, context)?;
        for (name, table) in plan.new_tables() {
            let handle = self.next_handle();
            table.handle = Some(handle);
            self.tables.insert(name, Tracked { handle, base: None, dirty: Dirty::Everything });
        }
        for table in &mut plan.tables {
            let tracked =
                self.tables.values_mut().find(|tracked| Some(tracked.handle) == table.handle);
            table.taken = tracked.map_or(Dirty::Nothing, |tracked| {
                std::mem::replace(&mut tracked.dirty, Dirty::Nothing)
            });
        }
        Ok(plan)
    }

    /// The snapshot is in the bucket: it is the base now.
    pub(crate) fn complete(&mut self, done: Completed) {
        self.base = Some(done.reference);
        self.kept = done.kept;
        self.location = Some(done.location);
        for (handle, base) in done.tables {
            if let Some(tracked) = self.by_handle(handle) {
                tracked.base = Some(base);
            }
        }
    }

    /// The snapshot did not get into the bucket: its changes belong to the next one.
    pub(crate) fn abandon(&mut self, plan: Plan) {
        for table in plan.tables {
            if let Some(tracked) = table.handle.and_then(|handle| self.by_handle(handle)) {
                tracked.dirty.merge(table.taken);
            }
        }
    }

    fn by_handle(&mut self, handle: Handle) -> Option<&mut Tracked> {
        self.tables.values_mut().find(|tracked| tracked.handle == handle)
    }

    fn next_handle(&mut self) -> Handle {
        self.handles += 1;
        Handle(self.handles)
    }
}

impl Dirty {
    /// Adds the changed keys. What does not fit the table makes all of its rows count as changed:
    /// the change is in the log already, so there is nobody left who could refuse it.
    fn add(&mut self, changes: &TableChanges, shape: &TableShape) {
        if changes.rewritten {
            *self = Self::Everything;
            return;
        }
        if changes.deletes.is_empty() && changes.upserts.is_empty() {
            return;
        }
        if matches!(self, Self::Nothing) {
            *self = Self::Keys(KeySet::new(shape));
        }
        if let Self::Keys(keys) = self {
            let mut fits = changes.deletes.iter().all(|key| keys.insert_key(key));
            fits &= changes.upserts.iter().all(|row| keys.insert_row(shape, row));
            if !fits {
                *self = Self::Everything;
            }
        }
    }

    fn merge(&mut self, earlier: Self) {
        match (&mut *self, earlier) {
            (Self::Everything, _) | (_, Self::Nothing) => {}
            (_, Self::Everything) => *self = Self::Everything,
            (Self::Keys(keys), Self::Keys(earlier)) => {
                if !keys.merge(earlier) {
                    *self = Self::Everything;
                }
            }
            (Self::Nothing, earlier) => *self = earlier,
        }
    }
}
