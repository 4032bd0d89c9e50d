//! How tables' names and definitions move within a transaction.
//!
//! A table keeps its identity (its track) through everything that leaves its stored rows alone: `RENAME`, `ADD COLUMN`, `RENAME
//! COLUMN`, changed constraints. It gets a new one, whose rows are recorded whole, when it is created, or when a statement may
//! have rewritten it. The comparison is made after each statement that defines something, because only within one statement does
//! "the same root page" mean "the same table": pages are used again after a drop.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::{Catalog, Table};
use super::recorder::Track;

/// Names a track in the recorder's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrackId(pub(super) usize);

/// The schema at one moment of a transaction, and which table is which.
#[derive(Default, Clone)]
pub(super) struct Layout {
    pub(super) catalog: Arc<Catalog>,
    pub(super) ids: HashMap<String, TrackId>,
    /// Renames since the transaction began, in order.
    pub(super) renames: Vec<(TrackId, String, String)>,
    /// SQLite's counter of schema changes.
    pub(super) cookie: i64,
}

impl Layout {
    /// The layout of a committed state: the tracks are the catalog's tables.
    pub(super) fn committed(catalog: Arc<Catalog>, cookie: i64) -> Self {
        let ids = catalog.tables.iter().enumerate().map(|(index, table)| (table.shape.name.clone(), TrackId(index))).collect();
        Self { catalog, ids, renames: Vec::new(), cookie }
    }

    /// The layout after one statement that led to `catalog`. New tracks are added to `tracks`.
    pub(super) fn after(&self, catalog: Catalog, cookie: i64, alters: bool, tracks: &mut Vec<Track>) -> Self {
        let mut next = Self { catalog: Arc::new(catalog), ids: HashMap::new(), renames: self.renames.clone(), cookie };
        for table in &Arc::clone(&next.catalog).tables {
            let id = match self.predecessor(table, &next.catalog, alters) {
                Some((former, id)) => {
                    if former.shape.name != table.shape.name {
                        next.renames.push((id, former.shape.name.clone(), table.shape.name.clone()));
                    }
                    id
                }
                None => {
                    tracks.push(Track::whole());
                    TrackId(tracks.len() - 1)
                }
            };
            next.ids.insert(table.shape.name.clone(), id);
        }
        next
    }

    /// The table before the statement whose stored rows are those of `table`.
    fn predecessor(&self, table: &Table, after: &Catalog, alters: bool) -> Option<(&Table, TrackId)> {
        let name = table.shape.name.as_str();
        let former = match self.catalog.table(name) {
            Some(former) => former,
            None if alters => {
                let gone = |former: &&Arc<Table>| after.table(&former.shape.name).is_none();
                self.catalog.tables.iter().filter(gone).find(|former| former.root == table.root)?
            }
            None => return None,
        };
        let same = former.root == table.root && former.definition == table.definition;
        (same || (alters && former.keeps_rows_as(table))).then(|| (&**former, self.ids[&former.shape.name]))
    }
}

impl Table {
    /// Whether an `ALTER TABLE` that led to `after` has left the stored rows alone. Only dropping a column does not.
    fn keeps_rows_as(&self, after: &Self) -> bool {
        self.root == after.root
            && self.columns_total <= after.columns_total
            && self.constraint_indexes == after.constraint_indexes
            && self.has_rowid() == after.has_rowid()
    }
}
