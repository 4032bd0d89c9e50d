//! Reads a database from a file of any form.

use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dotdo::commands::SqliteFile;

use super::archive::{self, Backup, Content};
use super::{Origin, cloudflare, script, wal};
use crate::failure::Failure;

/// What a file begins with that is one of SQLite.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// What a gzip file begins with (RFC 1952).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// What a rollback journal begins with whose transaction is not over.
const JOURNAL_MAGIC: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// A database that was read.
pub(crate) struct Incoming {
    /// The SQLite file.
    pub(crate) database: Vec<u8>,
    /// The object that it was taken from, if the file says so.
    pub(crate) origin: Option<Origin>,
}

/// Reads a file: its content says what form it has, not its name. A write-ahead log beside a SQLite
/// file is applied.
///
/// # Errors
///
/// `Failed` when it can't be read, or is not a database.
pub(crate) fn read(path: &Path) -> Result<Incoming, Failure> {
    let shown = path.display();
    let failed = |cause: std::io::Error| Failure::of(&format!("cannot read {shown}"), cause);
    if path.is_dir() {
        return Err(Failure::Failed(format!(
            "{shown} is a folder, such as Parquet files have, which are for other programs; expected a SQLite file, a tar.gz or SQL text"
        )));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut head = Vec::new();
    (&mut file).take(SQLITE_MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let of_path = |why: Failure| Failure::Failed(format!("{shown}: {}", why.message()));
    if head.starts_with(GZIP_MAGIC) {
        let Backup { origin, database } = archive::read(file).map_err(of_path)?;
        let database = match database {
            Content::Sqlite(bytes) => bytes,
            Content::Sql(text) => {
                script::database(&utf8(text).map_err(of_path)?).map_err(of_path)?
            }
        };
        return Ok(Incoming { database, origin });
    }
    let before = versions(path);
    let log = whole(&beside(path, "-wal"))?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(failed)?;
    if head == SQLITE_MAGIC {
        check_at_rest(path, before)?;
    }
    if head == SQLITE_MAGIC || (content.is_empty() && !log.is_empty()) {
        wal::apply(&mut content, &log).map_err(of_path)?;
        let origin = cloudflare::origin(path, &content).map_err(of_path)?;
        return Ok(Incoming { database: content, origin });
    }
    let database = script::database(&utf8(content).map_err(of_path)?).map_err(of_path)?;
    Ok(Incoming { database, origin: None })
}

/// A SQLite file with what an object would take of it: without its messages and answered requests.
///
/// # Errors
///
/// `Failed` when it is no database, or none that an object can have.
pub(crate) fn as_state(database: &[u8]) -> Result<Vec<u8>, Failure> {
    let failed = |error: dotdo::Error| Failure::Failed(error.message().to_owned());
    let (file, _) = SqliteFile::open_as_state(database.to_vec()).map_err(failed)?;
    Ok(file.bytes().map_err(failed)?.to_vec())
}

fn utf8(text: Vec<u8>) -> Result<String, Failure> {
    let text = String::from_utf8(text).map_err(|_| {
        Failure::Failed(
            "expected a SQLite file, a tar.gz or SQL text, got something else".to_owned(),
        )
    })?;
    if text.trim().is_empty() {
        return Err(Failure::Failed("expected a database, got an empty file".to_owned()));
    }
    Ok(text)
}

/// The file that SQLite keeps beside a database.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The sizes and dates of a database and of its write-ahead log.
fn versions(path: &Path) -> [Option<(u64, SystemTime)>; 2] {
    [path.to_owned(), beside(path, "-wal")].map(|path| {
        let about = path.metadata().ok()?;
        Some((about.len(), about.modified().ok()?))
    })
}

/// Fails for a database in the middle of a transaction: what is in the file is not a state of it.
fn check_at_rest(path: &Path, before: [Option<(u64, SystemTime)>; 2]) -> Result<(), Failure> {
    if versions(path) != before {
        return Err(Failure::Failed(format!(
            "{} is written at the moment; end the program that has it open first",
            path.display()
        )));
    }
    if whole(&beside(path, "-journal"))?.starts_with(JOURNAL_MAGIC) {
        return Err(Failure::Failed(format!(
            "{} is in the middle of a transaction, which its -journal file undoes; open it once with sqlite3, or with the program that made it",
            path.display()
        )));
    }
    Ok(())
}

/// The content of a file that SQLite keeps beside a database; empty when there is none.
fn whole(path: &Path) -> Result<Vec<u8>, Failure> {
    match std::fs::read(path) {
        Ok(content) => Ok(content),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(Failure::of(&format!("cannot read {}", path.display()), cause)),
    }
}
