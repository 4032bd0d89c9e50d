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

/// Identifies a table across renames; never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handle(u32);

/// Rows of a table that are not as in its base.
#[derive(Debug)]
pub(super) enum Dirty {
    /// All of them; a base can't be used.
    Everything,
    /// No rows.
    Nothing,
    /// The rows with these keys.
    Keys(KeySet),
}

/// A table of an earlier snapshot, or of one that is being written.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) handle: Handle,
    pub(super) base: Option<Arc<TableBase>>,
    pub(super) dirty: Dirty,
}

/// Watches the changes of one object, so that the cost of a snapshot depends on what has changed
/// since the one before.
///
/// Tables that are not in it were created since the newest snapshot: all of their rows are new.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    pub(super) tables: BTreeMap<String, Tracked>,
    pub(super) base: Option<SnapshotRef>,
    /// Until when the base is certainly there, where that is known.
    pub(super) kept: Option<Kept>,
    /// The location in the URIs by which the base's files name each other.
    pub(super) location: Option<Arc<str>>,
    handles: u32,
}

impl Tracker {
    /// A tracker for an object without a snapshot: the first plan exports everything.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A tracker for an object whose state is exactly the snapshot `base`.
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

    /// A tracker for a state whose files are in the bucket by `plan`, but in the directory of a
    /// snapshot that there will never be. The next plan writes the tables' metadata anew and names
    /// the data files where they are.
    pub(crate) fn moved(plan: Plan) -> Self {
        let tables = plan.tables.into_iter().map(|table| table.base).collect();
        let nowhere: Arc<str> = Arc::from("");
        Self { base: None, ..Self::restored(plan.document.reference, nowhere, tables) }
    }

    /// The newest snapshot that is complete.
    pub(crate) fn base(&self) -> Option<SnapshotRef> {
        self.base
    }

    /// Until when the base is certainly there, where that is known.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.kept
    }

    /// Notes how long `base` is certain to exist. `None`: it may be deleted, so the next snapshot
    /// shares nothing with it.
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

    /// Notes the changes of a committed transaction or a replayed record; `shapes` are the tables
    /// after it.
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

    /// Keeps the knowledge about tables that still exist, under their current names.
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
    /// snapshot. The plan must be returned to [`Tracker::complete`] or [`Tracker::abandon`] before
    /// the next one is made.
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

    /// Notes that the snapshot is in the bucket, so that it becomes the base.
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

    /// Notes that the snapshot was not written, so that its changes belong to the next one.
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
    /// Adds the changed keys. If one does not fit the table, all of its rows count as changed,
    /// because the change is in the log already and can't be refused.
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
