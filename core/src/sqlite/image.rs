//! A database as the bytes of a SQLite file, and the file of somebody else as rows.
//!
//! Promises: a file that comes in is read in a connection of its own that can't write and in which
//! its schema has no effects; its whole structure is checked before anything of it is believed;
//! what is read takes no more memory and time than its restraint allows. Nothing but schema and
//! rows are taken from it, by the guard of recorded states.

use std::ffi::c_void;
use std::ptr;

use bytes::Bytes;
use dotdo_sqlite_sys as ffi;

use super::catalog::SEQUENCES;
use super::database::{Database, Limits};
use super::error::{corrupt, out_of_memory};
use super::handle::{Handle, Switch};
use super::memory::{Account, Caller};
use super::restraint::Restraint;
use super::statement::failure;
use crate::change::{Header, Schema, SchemaObject, ValueRef};
use crate::{Error, ErrorKind, Result};

/// The beginning of every SQLite file, and the size of its header.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// The two bytes of the header that say who may write and read the file: 1 with a rollback journal,
/// 2 with a write-ahead log.
const VERSIONS: std::ops::Range<usize> = 18..20;

/// The encoding of texts: 1 for UTF-8, 2 and 3 for UTF-16.
const ENCODING: std::ops::Range<usize> = 56..60;

/// Files of which the indexes of constraints are built at the end, in bytes: building them row by
/// row costs more.
const LARGE_BYTES: usize = 1 << 20;

/// A SQLite file that somebody else may have made, open for reading.
pub(crate) struct Foreign {
    // Dropped before the bytes that it reads.
    database: Database,
    bytes: Bytes,
}

/// What was taken from a file.
pub(crate) struct Kept {
    /// The database.
    pub(crate) database: Database,
    /// The number of tables, those of virtual tables included.
    pub(crate) tables: u64,
    /// The number of their rows.
    pub(crate) rows: u64,
}

impl Database {
    /// The whole database as the bytes of a SQLite file, which hold memory of SQLite's. CPU only.
    ///
    /// # Errors
    /// `Internal` when there is no memory for it.
    pub(crate) fn image(&self) -> Result<Bytes> {
        let mut length = 0;
        let entered = self.handle.account().enter(Caller::Own);
        // SAFETY: the connection is open, the name is a C string, and `length` outlives the call.
        let start = unsafe {
            ffi::sqlite3_serialize(self.handle.raw(), c"main".as_ptr(), &raw mut length, 0)
        };
        drop(entered);
        let length = usize::try_from(length).unwrap_or(0);
        if start.is_null() || length == 0 {
            let refusal = self.handle.account().take_refusal();
            return Err(refusal.unwrap_or_else(out_of_memory));
        }
        let account = self.handle.account().clone();
        Ok(Bytes::from_owner(Image { start, length, account }))
    }

    /// Does `work` in the open transaction, whose statements need not keep foreign keys: what others
    /// have written down has rows before those that they refer to.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn without_foreign_keys<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.handle.switch(Switch::ForeignKeys, false)?;
        let done = work(self);
        self.handle.switch(Switch::ForeignKeys, true)?;
        done
    }
}

/// Bytes that SQLite has allocated.
struct Image {
    start: *mut u8,
    length: usize,
    account: Account,
}

// SAFETY: nobody writes to the bytes, and SQLite's allocator takes them back on any thread.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl AsRef<[u8]> for Image {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: SQLite has returned so many bytes, which live until drop.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _entered = self.account.enter(Caller::Own);
        // SAFETY: freed once.
        unsafe { ffi::sqlite3_free(self.start.cast::<c_void>()) };
    }
}

impl Foreign {
    /// Opens a file, and checks its structure from the first page to the last. CPU only; the time
    /// is that of reading all of it.
    ///
    /// # Errors
    /// `Corrupt` for anything that is not a whole SQLite file in UTF-8, and what the restraint
    /// refuses with.
    pub(crate) fn open(
        bytes: Bytes,
        limits: &Limits,
        restraint: Option<Restraint>,
    ) -> Result<Self> {
        let bytes = without_log(checked(bytes)?);
        let mut database = Database::open(limits)?;
        if let Some(restraint) = restraint {
            database.restrain(restraint);
        }
        let handle = &database.handle;
        handle.switch(Switch::TrustedSchema, false)?;
        handle.switch(Switch::Defensive, true)?;
        // SAFETY: the bytes are not moved or dropped before the connection, whose struct comes
        // first in `Self`, and nobody else writes to them.
        unsafe { handle.read_from(&bytes)? };
        handle.execute("PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0")?;
        let mut foreign = Self { database, bytes };
        foreign.check_structure()?;
        foreign.database.adopt()?;
        Ok(foreign)
    }

    /// A new database with the tables, rows, indexes, views, triggers, counters and versions of the
    /// file for which `is_kept` holds. What SQLite keeps for itself is left out.
    ///
    /// # Errors
    /// `Corrupt` for what a database of an object can't have; that of `is_kept`; `TooLarge` for a
    /// row and `Full` for a database that is larger than the limits; what the restraint refuses
    /// with.
    pub(crate) fn copy(
        &self,
        limits: &Limits,
        restraint: Option<Restraint>,
        is_kept: impl Fn(&SchemaObject) -> Result<bool>,
    ) -> Result<Kept> {
        let header = kept(self.database.header(), is_kept)?;
        let is_restrained = restraint.is_some();
        let mut loader = Database::load_restrained(limits, header.clone(), restraint)?;
        let (mut tables, mut rows) = (0, 0);
        for shape in self.database.shapes() {
            if header.schema.table(&shape.name).is_none() {
                continue;
            }
            if self.bytes.len() > LARGE_BYTES {
                loader.expect_many(&shape.name)?;
            }
            let mut table = loader.table(&shape.name)?;
            self.database.scan(&shape.name, &mut |rowid, values| {
                check_row(&shape.name, values, limits)?;
                rows += 1;
                table.row(rowid, values)
            })?;
            tables += 1;
        }
        let mut database = loader.finish()?;
        if is_restrained {
            database.unrestrain();
        }
        let bytes = database.page_bytes();
        if bytes > limits.database_bytes_max {
            let text = format!(
                "expected a database of at most {} bytes, got one of {bytes}",
                limits.database_bytes_max
            );
            return Err(Error::new(ErrorKind::Full, text));
        }
        Ok(Kept { database, tables, rows })
    }

    fn check_structure(&self) -> Result<()> {
        let found = self.database.with_own("PRAGMA integrity_check(1)", |statement| {
            statement.step()?;
            Ok(statement.text(0).unwrap_or_default())
        })?;
        if found == "ok" {
            return Ok(());
        }
        Err(corrupt(format!("expected a whole database, got one in which SQLite finds: {found}")))
    }
}

impl Handle {
    /// Reads from `bytes`, without copying them, instead of the empty database.
    ///
    /// # Safety
    /// The bytes live, unchanged, until the connection is closed.
    unsafe fn read_from(&self, bytes: &[u8]) -> Result<()> {
        let length = ffi::sqlite3_int64::try_from(bytes.len()).unwrap_or(0);
        let _entered = self.account().enter(Caller::Own);
        // SAFETY: the length is exact, the caller answers for the lifetime, and a read-only
        // database is not written to.
        let code = unsafe {
            ffi::sqlite3_deserialize(
                self.raw(),
                c"main".as_ptr(),
                ptr::from_ref(bytes).cast::<u8>().cast_mut(),
                length,
                length,
                ffi::SQLITE_DESERIALIZE_READONLY,
            )
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure(self.raw(), self.account(), code)) }
    }
}

/// The bytes, which at least begin like a SQLite file whose texts are in UTF-8: they are kept byte for
/// byte.
fn checked(bytes: Bytes) -> Result<Bytes> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        let length = bytes.len();
        return Err(corrupt(format!(
            "expected a SQLite file, got {length} bytes of something else"
        )));
    }
    // An empty database has no encoding yet.
    if bytes[ENCODING].iter().all(|byte| *byte == 0) || bytes[ENCODING].ends_with(&[0, 1]) {
        return Ok(bytes);
    }
    Err(corrupt(
        "expected texts in UTF-8, got UTF-16; convert the file with `sqlite3 old.db .dump | sqlite3 new.db`",
    ))
}

/// A file of a database that was used with a write-ahead log says so in its header. What was in the
/// log when the file was taken is not in the file; the rest can be read without one.
fn without_log(bytes: Bytes) -> Bytes {
    if !bytes[VERSIONS].contains(&2) {
        return bytes;
    }
    let mut own = bytes.try_into_mut().unwrap_or_else(|shared| shared.as_ref().into());
    own[VERSIONS].fill(1);
    own.freeze()
}

/// The header with the kept objects only.
fn kept(header: &Header, is_kept: impl Fn(&SchemaObject) -> Result<bool>) -> Result<Header> {
    let mut objects = Vec::with_capacity(header.schema.objects.len());
    for object in &header.schema.objects {
        if !is_internal(object) && is_kept(object)? {
            objects.push(object.clone());
        }
    }
    let schema = Schema { objects };
    let mut sequences = header.sequences.clone();
    sequences.retain(|name, _| schema.table(name).is_some());
    Ok(Header { schema, sequences, ..*header })
}

/// Whether SQLite keeps the table for itself, such as the statistics of ANALYZE: they are of another
/// database.
fn is_internal(object: &SchemaObject) -> bool {
    object.table.to_ascii_lowercase().starts_with("sqlite_") && object.table != SEQUENCES
}

/// # Errors
/// `TooLarge` for a row that a statement of the object could not have written.
fn check_row(table: &str, values: &[ValueRef<'_>], limits: &Limits) -> Result<()> {
    let bytes: usize = values
        .iter()
        .map(|value| match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            _ => 0,
        })
        .sum();
    if bytes <= limits.row_bytes_max as usize {
        return Ok(());
    }
    let text = format!(
        "expected rows of at most {} bytes, got one of {bytes} in the table {table}",
        limits.row_bytes_max
    );
    Err(Error::new(ErrorKind::TooLarge, text))
}
