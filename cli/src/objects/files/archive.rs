//! A backup: a tar.gz with a manifest, the database as a SQLite file, and the same as SQL text.
//!
//! Promises: reading checks the sizes and checksums of the manifest; it takes files by their names
//! and writes none.

use std::io::{self, Read, Seek as _, Write};

use dotdo::commands::SqliteFile;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Origin, Sum, dump};
use crate::failure::Failure;

/// What the manifest says of itself; a reader refuses others.
const FORM: &str = "dotdo-backup/1";
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "database.sqlite";
const SQL: &str = "database.sql";
/// Maximum size of a manifest, in bytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Maximum size of a file in an archive, in bytes, so that a small archive can't fill the memory.
const FILE_BYTES_MAX: u64 = 16 << 30;

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    format: String,
    #[serde(flatten)]
    origin: Origin,
    exported_at: String,
    files: Vec<Sum>,
}

/// A database out of a backup.
pub(crate) struct Backup {
    pub(crate) origin: Option<Origin>,
    pub(crate) database: Content,
}

/// A database in one of its forms.
pub(crate) enum Content {
    /// A SQLite file.
    Sqlite(Vec<u8>),
    /// SQL text.
    Sql(Vec<u8>),
}

/// Writes a backup of a database that was taken out at `now`.
///
/// # Errors
///
/// `Failed` when `out` can't be written or the database can't be read.
pub(crate) fn write(
    database: &[u8],
    origin: &Origin,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let failed = |cause: io::Error| Failure::of("cannot write the backup", cause);
    let file = SqliteFile::open(database.to_vec())?;
    let mut sql = tempfile::tempfile().map_err(failed)?;
    let mut buffered = io::BufWriter::new(&mut sql);
    dump::write(&file, &mut buffered)?;
    buffered.flush().map_err(failed)?;
    drop(buffered);

    let sql_sum = sum_of(SQL, &mut sql).map_err(failed)?;
    let database_sum = sum_of(DATABASE, &mut io::Cursor::new(database)).map_err(failed)?;
    let manifest = Manifest {
        format: FORM.to_owned(),
        origin: origin.clone(),
        exported_at: now.to_string(),
        files: vec![database_sum, sql_sum.clone()],
    };
    let manifest = serde_json::to_vec_pretty(&manifest)
        .map_err(|cause| Failure::of("cannot write the manifest", cause))?;
    let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
    let mut append = |name: &str, length: u64, content: &mut dyn Read| {
        let mut head = tar::Header::new_gnu();
        head.set_size(length);
        head.set_mode(0o644);
        head.set_mtime(u64::try_from(now.as_second()).unwrap_or(0));
        tar.append_data(&mut head, name, content)
    };
    append(MANIFEST, manifest.len() as u64, &mut &*manifest).map_err(failed)?;
    append(DATABASE, database.len() as u64, &mut &*database).map_err(failed)?;
    sql.rewind().map_err(failed)?;
    append(SQL, sql_sum.bytes, &mut sql).map_err(failed)?;
    tar.into_inner().and_then(GzEncoder::finish).map_err(failed)?.flush().map_err(failed)
}

/// Reads a backup, or another tar.gz with one database in it.
///
/// # Errors
///
/// `Failed` when it has none, or is damaged.
pub(crate) fn read(archive: impl Read) -> Result<Backup, Failure> {
    let failed = |cause: io::Error| Failure::of("cannot read the archive", cause);
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    let (mut manifest, mut sqlite, mut sql) = (None, None, None);
    for entry in tar.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name =
            entry.path().map_err(failed)?.to_string_lossy().trim_start_matches("./").to_owned();
        let place = match super::Format::of_name(&name) {
            Some(super::Format::Sqlite) => &mut sqlite,
            Some(super::Format::Sql) => &mut sql,
            _ if name == MANIFEST => &mut manifest,
            _ => continue,
        };
        let most = if name == MANIFEST { MANIFEST_BYTES_MAX } else { FILE_BYTES_MAX };
        let content = whole(&mut entry, most).map_err(failed)?;
        if place.replace((name, content)).is_some() {
            return Err(Failure::Failed(
                "the archive has several databases; unpack it and import the one that is meant"
                    .to_owned(),
            ));
        }
    }
    let manifest =
        manifest.map(|(_, text)| checked(&text, &[sqlite.as_ref(), sql.as_ref()])).transpose()?;
    let database = match (sqlite, sql) {
        (Some((_, bytes)), _) => Content::Sqlite(bytes),
        (None, Some((_, text))) => Content::Sql(text),
        (None, None) => {
            return Err(Failure::Failed(
                "the archive has no database: expected a .sqlite, .db or .sql file in it"
                    .to_owned(),
            ));
        }
    };
    Ok(Backup { origin: manifest.map(|manifest| manifest.origin), database })
}

/// The manifest, when the files are as it says.
fn checked(text: &[u8], files: &[Option<&(String, Vec<u8>)>]) -> Result<Manifest, Failure> {
    let damaged = |what: String| Failure::Failed(format!("the backup is damaged: {what}"));
    let manifest: Manifest = serde_json::from_slice(text)
        .map_err(|cause| damaged(format!("{MANIFEST} is not as expected: {cause}")))?;
    if manifest.format != FORM {
        let got = crate::failure::plain(&manifest.format);
        return Err(damaged(format!(
            "expected the format {FORM}, got {got:?}; is this dotdo too old?"
        )));
    }
    for sum in &manifest.files {
        let found = files.iter().flatten().find(|(name, _)| *name == sum.name);
        let Some((_, content)) = found else {
            return Err(damaged(format!("{} is missing", sum.name)));
        };
        let hash = blake3::hash(content).to_hex();
        if content.len() as u64 != sum.bytes || *hash != *sum.blake3 {
            return Err(damaged(format!(
                "the checksum of {} is {hash}, expected {}",
                sum.name, sum.blake3
            )));
        }
    }
    Ok(manifest)
}

fn whole(entry: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    entry.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::other(format!("a file in it has more than {most} bytes")));
    }
    Ok(content)
}

/// The size and the checksum of a file, read from its start.
fn sum_of(name: &str, content: &mut (impl Read + io::Seek)) -> io::Result<Sum> {
    content.rewind()?;
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(content, &mut hasher)?;
    Ok(Sum { name: name.to_owned(), bytes, blake3: hasher.finalize().to_hex().to_string() })
}
