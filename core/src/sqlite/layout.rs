//! Tracks names and definitions of tables within a transaction.
//!
//! A table keeps its identity (its track) through every change that does not rewrite its stored
//! rows: `RENAME`, `ADD COLUMN`, `RENAME COLUMN`, changed constraints. It gets a new track, all of
//! whose rows are recorded, when it is created, or when a statement may have rewritten it. The
//! comparison is made after each statement that moved SQLite's counter of schema changes, because
//! only within one statement does "the same root page" mean "the same table": pages are reused
//! after a drop. It does not matter which statement that was.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::catalog::{Catalog, Table};
use super::recorder::Track;

/// The index of a track in the recorder's list.
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
        let ids = catalog
            .tables
            .iter()
            .enumerate()
            .map(|(index, table)| (table.shape.name.clone(), TrackId(index)))
            .collect();
        Self { catalog, ids, renames: Vec::new(), cookie }
    }

    /// The layout after one statement that led to `catalog`. New tracks are added to `tracks`.
    pub(super) fn after(&self, catalog: Catalog, cookie: i64, tracks: &mut Vec<Track>) -> Self {
        let mut next = Self {
            catalog: Arc::new(catalog),
            ids: HashMap::new(),
            renames: self.renames.clone(),
            cookie,
        };
        let renamed = self.renamed(&next.catalog);
        for table in &Arc::clone(&next.catalog).tables {
            let name = table.shape.name.as_str();
            let former = self.catalog.table(name).or_else(|| renamed.get(name).copied());
            let id = match former.filter(|former| former.keeps_rows_as(table)) {
                Some(former) => {
                    let id = self.ids[&former.shape.name];
                    if former.shape.name != name {
                        next.renames.push((id, former.shape.name.clone(), name.to_owned()));
                    }
                    id
                }
                None => {
                    tracks.push(Track::whole());
                    TrackId(tracks.len() - 1)
                }
            };
            next.ids.insert(name.to_owned(), id);
        }
        next
    }

    /// The tables that the statement has renamed, by their new names.
    ///
    /// One statement creates tables, or drops them, or renames them. So if as many names are new as
    /// are gone, and each new name has the b-tree of one that is gone, they were renamed; otherwise
    /// none was. For more than one statement this would prove nothing.
    fn renamed<'t>(&'t self, after: &'t Catalog) -> HashMap<&'t str, &'t Arc<Table>> {
        let kept: HashSet<&str> =
            after.tables.iter().map(|table| table.shape.name.as_str()).collect();
        let gone =
            self.catalog.tables.iter().filter(|table| !kept.contains(table.shape.name.as_str()));
        let gone: HashMap<i64, &Arc<Table>> = gone.map(|table| (table.root, table)).collect();
        let new = after.tables.iter().filter(|table| !self.ids.contains_key(&table.shape.name));
        let pairs: Option<HashMap<&str, &Arc<Table>>> =
            new.map(|table| Some((table.shape.name.as_str(), *gone.get(&table.root)?))).collect();
        pairs.filter(|pairs| pairs.len() == gone.len()).unwrap_or_default()
    }
}

impl Table {
    /// Whether the statement that led to `after` has not rewritten the stored rows. Of the
    /// statements that keep the b-tree, only dropping a column rewrites them.
    fn keeps_rows_as(&self, after: &Self) -> bool {
        self.root == after.root
            && self.columns_total <= after.columns_total
            && self.constraint_indexes == after.constraint_indexes
            && self.has_rowid() == after.has_rowid()
    }
}
