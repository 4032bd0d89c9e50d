//! Records which rows a transaction touched: their keys, as the preupdate hook reports them.
//!
//! There may be too many keys (a rolled-back savepoint removes none) and never too few. The rows
//! are read again at the end, so extra keys do no harm.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use dotdo_sqlite_sys as ffi;

use super::catalog::{STATISTICS, is_statistics};
use super::layout::{Layout, TrackId};
use super::value::{copy, order_all};
use crate::change::Value;

/// Number of keys at which they are sorted and deduplicated, and again at every doubling.
const COMPACT_AT: usize = 8192;

/// Collects keys by table while recording is on.
pub(super) struct Recorder {
    pub(super) on: bool,
    /// The current names of tables.
    pub(super) layout: Arc<Layout>,
    pub(super) tracks: Vec<Track>,
    /// Tables that were written before they were in the layout.
    pub(super) unknown_tables: Vec<String>,
    /// Number of row changes that the hook has reported since the connection was opened.
    pub(super) events: u64,
}

/// One table during a transaction, which may rename it.
pub(super) struct Track {
    /// Its name at the start; `None` when all of its rows are recorded.
    pub(super) origin: Option<String>,
    pub(super) keys: Keys,
}

/// Touched keys, possibly more than once.
pub(super) enum Keys {
    Rowids {
        list: Vec<i64>,
        compact_at: usize,
    },
    Primary {
        columns: Vec<c_int>,
        list: Vec<Vec<Value>>,
        compact_at: usize,
    },
    /// The whole table is recorded, so no key is needed.
    All,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            on: false,
            layout: Arc::default(),
            tracks: Vec::new(),
            unknown_tables: Vec::new(),
            events: 0,
        }
    }

    /// Starts again from the committed `layout`.
    pub(super) fn restart(&mut self, layout: &Arc<Layout>) {
        self.layout = Arc::clone(layout);
        self.tracks = layout.catalog.tables.iter().map(|table| Track::existing(table)).collect();
        self.unknown_tables.clear();
    }

    /// Forgets the keys; the layout has not changed.
    pub(super) fn clear(&mut self) {
        self.tracks.iter_mut().for_each(|track| track.keys.clear());
        self.unknown_tables.clear();
    }

    /// Whether a track of the committed layout lost its keys because memory was short.
    pub(super) fn needs_restart(&self) -> bool {
        self.tracks.iter().any(|track| matches!(track.keys, Keys::All))
    }

    /// Records all rows of tables that were written by the statement that created them.
    pub(super) fn record_unknown_tables_whole(&mut self) {
        let unknown_tables = std::mem::take(&mut self.unknown_tables);
        for TrackId(id) in unknown_tables.iter().filter_map(|name| self.layout.ids.get(name)) {
            self.tracks[*id] = Track::whole();
        }
    }

    /// Records all rows of the tables of `ANALYZE`: it reports what it writes into the first of
    /// them only.
    fn record_statistics_whole(&mut self) {
        for (name, _) in STATISTICS {
            if let Some(&TrackId(id)) = self.layout.ids.get(name) {
                self.tracks[id] = Track::whole();
            }
        }
    }

    /// # Safety
    /// Called by SQLite's preupdate hook for `db`.
    unsafe fn record(
        &mut self,
        db: *mut ffi::sqlite3,
        operation: c_int,
        table: &CStr,
        before: i64,
        after: i64,
    ) {
        self.events += 1;
        let name = table.to_string_lossy();
        if is_statistics(&name) {
            self.record_statistics_whole();
            return;
        }
        let Some(&TrackId(id)) = self.layout.ids.get(&*name) else {
            if !name.starts_with("sqlite_")
                && !self.unknown_tables.iter().any(|known| *known == *name)
            {
                self.unknown_tables.push(name.into_owned());
            }
            return;
        };
        let keys = &mut self.tracks[id].keys;
        match keys {
            Keys::All => {}
            Keys::Rowids { list, .. } => {
                let is_update = operation == ffi::SQLITE_UPDATE && before != after;
                list.push(after);
                if is_update {
                    list.push(before);
                }
            }
            Keys::Primary { columns, list, .. } => {
                // SAFETY: this function's own contract.
                let read = unsafe { primary_keys(db, operation, columns, list) };
                if read.is_none() {
                    *keys = Keys::All;
                    self.tracks[id].origin = None;
                    return;
                }
            }
        }
        keys.compact();
    }
}

/// Adds the keys of the row before and after the change; `None` when SQLite can't return them (out
/// of memory).
///
/// # Safety
/// Called within SQLite's preupdate hook for `db`.
unsafe fn primary_keys(
    db: *mut ffi::sqlite3,
    operation: c_int,
    columns: &[c_int],
    list: &mut Vec<Vec<Value>>,
) -> Option<()> {
    type Read =
        unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut *mut ffi::sqlite3_value) -> c_int;
    let key = |read: Read| -> Option<Vec<Value>> {
        let value = |column: &c_int| {
            let mut raw = ptr::null_mut();
            // SAFETY: within the hook, for a column of the table; a value that is answered lives
            // until the hook returns.
            unsafe {
                (read(db, *column, &raw mut raw) == ffi::SQLITE_OK && !raw.is_null())
                    .then(|| copy(raw))
                    .flatten()
            }
        };
        columns.iter().map(value).collect()
    };
    if operation != ffi::SQLITE_INSERT {
        list.push(key(ffi::sqlite3_preupdate_old)?);
    }
    if operation != ffi::SQLITE_DELETE {
        list.push(key(ffi::sqlite3_preupdate_new)?);
    }
    Some(())
}

impl Track {
    /// A table that existed at the start.
    pub(super) fn existing(table: &super::catalog::Table) -> Self {
        let keys = if table.has_rowid() {
            Keys::Rowids { list: Vec::new(), compact_at: COMPACT_AT }
        } else {
            let columns = table.primary.iter().map(|(column, _)| *column).collect();
            Keys::Primary { columns, list: Vec::new(), compact_at: COMPACT_AT }
        };
        Self { origin: Some(table.shape.name.clone()), keys }
    }

    /// A table of which all rows are recorded.
    pub(super) fn whole() -> Self {
        Self { origin: None, keys: Keys::All }
    }
}

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Rowids { list, .. } => list.is_empty(),
            Self::Primary { list, .. } => list.is_empty(),
            Self::All => false,
        }
    }

    /// The keys, sorted and each once. The next call returns them again.
    pub(super) fn sort(&mut self) {
        match self {
            Self::Rowids { list, .. } => {
                list.sort_unstable();
                list.dedup();
            }
            Self::Primary { list, .. } => {
                list.sort_unstable_by(|a, b| order_all(a, b));
                list.dedup_by(|a, b| order_all(a, b).is_eq());
            }
            Self::All => {}
        }
    }

    fn compact(&mut self) {
        let (length, compact_at) = match self {
            Self::Rowids { list, compact_at } => (list.len(), *compact_at),
            Self::Primary { list, compact_at, .. } => (list.len(), *compact_at),
            Self::All => return,
        };
        if length < compact_at {
            return;
        }
        self.sort();
        match self {
            Self::Rowids { list, compact_at } => *compact_at = COMPACT_AT.max(2 * list.len()),
            Self::Primary { list, compact_at, .. } => *compact_at = COMPACT_AT.max(2 * list.len()),
            Self::All => {}
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Rowids { list, compact_at } => {
                *list = Vec::new();
                *compact_at = COMPACT_AT;
            }
            Self::Primary { list, compact_at, .. } => {
                *list = Vec::new();
                *compact_at = COMPACT_AT;
            }
            Self::All => {}
        }
    }
}

/// The preupdate hook: SQLite calls it for every row before it changes.
///
/// # Safety
/// `recorder` is the connection's [`Recorder`], which nothing else borrows while SQLite runs;
/// `table` is a C string.
pub(super) unsafe extern "C" fn before_change(
    recorder: *mut c_void,
    db: *mut ffi::sqlite3,
    operation: c_int,
    _database: *const c_char,
    table: *const c_char,
    before: i64,
    after: i64,
) {
    // SAFETY: this function's own contract.
    unsafe {
        let recorder = &mut *recorder.cast::<Recorder>();
        if recorder.on {
            recorder.record(db, operation, CStr::from_ptr(table), before, after);
        }
    }
}
