//! Databases as SQLite files: what goes out, and what is taken from a file that comes in.
//!
//! Promises: a database of an object that goes out comes back the same, value by value and rowid by
//! rowid, except for dotdo's own history of it; what an object can't have is refused by its name.
//! A file is hostile input: see `sqlite/image.rs`. Must not know: buckets, logs, requests.

mod file;

use bytes::Bytes;

pub use self::file::{SqliteColumn, SqliteFile, SqliteObject, SqliteTable};
use crate::alarms::{ALARM, SCHEDULE, alarm_definition, schedule_definition};
use crate::change::{SchemaKind, SchemaObject};
use crate::error::{Error, ErrorKind, Result};
use crate::object::storage_definition;
use crate::sqlite::{Database, Foreign, Limits, Restraint, is_reserved, is_shortage};

/// The table of keys and values, which belongs to the state of an object.
const KEYS_AND_VALUES: &str = "_dotdo_kv";

/// The tables that belong to the history of an object and not to its state: an older or foreign
/// outbox would send its messages again, and an older inbox accept old ones again.
pub(crate) const HISTORY: [&str; 6] = [
    "_dotdo_outbox",
    "_dotdo_inbox",
    "_dotdo_requests",
    "_dotdo_alarm_marker",
    "_dotdo_sockets",
    "_dotdo_socket_answer",
];

/// The stable code of a file that is no database, or none that an object can have.
const BAD_FILE: &str = "BAD_DATABASE_FILE";

/// A database from a file, and how much it is.
pub(crate) struct Imported {
    /// The database, which is no object's yet.
    pub(crate) database: Database,
    /// The number of tables and of the rows in them.
    pub(crate) counts: (u64, u64),
}

/// The bounds of reading a file, and of making a database of it.
#[derive(Default)]
pub(crate) struct Bounds {
    /// For what SQLite needs to read the file, besides its bytes.
    pub(crate) reading: Option<Restraint>,
    /// For the new database.
    pub(crate) making: Option<Restraint>,
}

/// A database with what is in the SQLite file `bytes`, without the tables of [`HISTORY`]. CPU only;
/// takes some seconds per million rows.
///
/// # Errors
///
/// `Invalid` (`BAD_DATABASE_FILE`) when it is not a whole SQLite file, or has what no object may
/// have; `TooLarge` or `Full` when it is larger than the limits; what the bounds refuse with.
pub(crate) fn import(bytes: Bytes, limits: &Limits, bounds: Bounds) -> Result<Imported> {
    if bytes.len() as u64 > limits.database_bytes_max {
        let text = format!(
            "expected a database of at most {} bytes, got a file of {}",
            limits.database_bytes_max,
            bytes.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    let opened = Foreign::open(bytes, limits, bounds.reading);
    let copied = opened.and_then(|file| file.copy(limits, bounds.making, is_kept));
    let kept = copied.map_err(explained)?;
    tracing::debug!(tables = kept.tables, rows = kept.rows, "a file was read");
    Ok(Imported { database: kept.database, counts: (kept.tables, kept.rows) })
}

/// Whether a part of a schema is taken from a file.
///
/// # Errors
///
/// `Invalid` for a reserved name that is not one of dotdo's own tables as dotdo makes them: what is
/// attached to such a table would be done when dotdo itself writes.
fn is_kept(object: &SchemaObject) -> Result<bool> {
    if HISTORY.contains(&object.table.as_str()) {
        return Ok(false);
    }
    if !is_reserved(&object.name) && !is_reserved(&object.table) {
        return Ok(true);
    }
    let definition = match object.table.as_str() {
        KEYS_AND_VALUES => Some(storage_definition()),
        ALARM => Some(alarm_definition()),
        SCHEDULE => Some(schedule_definition()),
        _ => None,
    };
    let is_own = definition.is_some_and(|definition| match &object.sql {
        Some(sql) => object.kind == SchemaKind::Table && *sql == definition,
        None => object.kind == SchemaKind::Index,
    });
    if is_own {
        return Ok(true);
    }
    let text = format!(
        "the file has {:?}, and names that begin with `_dotdo_` are reserved; rename or drop it first",
        object.name
    );
    Err(Error::invalid(text).with_code("RESERVED_NAME"))
}

/// The error as the file's owner reads it: what is wrong is the file and nothing that is stored.
fn explained(error: Error) -> Error {
    let is_limit = matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Full);
    if is_limit || error.code() == "RESERVED_NAME" {
        return error.disclosed();
    }
    if error.kind() == ErrorKind::TimedOut {
        let text = "reading the file takes longer than a restore may; its definitions compute too much, or it is damaged";
        return Error::new(ErrorKind::TimedOut, text).with_code("IMPORT_TIMED_OUT");
    }
    if is_shortage(&error) {
        return error;
    }
    let text = format!("the file can't be an object's database: {}", error.message());
    Error::invalid(text).with_code(BAD_FILE)
}

/// A target for fuzzers: a SQLite file.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(data: &[u8]) {
    let limits = Limits {
        database_bytes_max: 16 << 20,
        row_bytes_max: 1 << 20,
        temporary_bytes_max: 16 << 20,
    };
    // Loops are counted and not timed, so that a finding can be repeated.
    let bounded = || Restraint {
        reservation: Box::new(Unlimited),
        interrupt: {
            let polls = std::sync::atomic::AtomicU64::new(0);
            Box::new(move || polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 20_000)
        },
    };
    let bounds = Bounds { reading: Some(bounded()), making: Some(bounded()) };
    let Ok(imported) = import(Bytes::copy_from_slice(data), &limits, bounds) else { return };
    let again = imported.database.image().expect("what was made can be written");
    let again = import(again, &limits, Bounds::default()).expect("what was written can be read");
    assert_eq!(imported.counts, again.counts, "rows were lost on the way out and in");
}

/// Memory for a target of fuzzers.
#[cfg(any(test, feature = "fuzzing"))]
struct Unlimited;

#[cfg(any(test, feature = "fuzzing"))]
impl crate::sqlite::Reservation for Unlimited {
    fn temporary_bytes(&self) -> u64 {
        64 << 20
    }

    fn page_bytes(&self) -> u64 {
        64 << 20
    }

    fn try_grow(&mut self, _: crate::sqlite::Memory, _: u64) -> Result<u64> {
        Err(Error::new(ErrorKind::Busy, "no more memory"))
    }
}

#[cfg(test)]
mod tests;
