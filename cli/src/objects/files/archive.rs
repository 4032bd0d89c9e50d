//! A backup: a tar.gz with a manifest, the database as a SQLite file, and the same as SQL text.
//!
//! Promises: the manifest has the sizes and checksums of the other two.

use std::io::{self, Read, Seek as _, Write};

use dotdo::commands::SqliteFile;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::Serialize;

use super::{Origin, Sum, dump};
use crate::failure::Failure;

/// What the manifest says of itself; with its version.
const FORM: &str = "dotdo-backup/1";
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "database.sqlite";
const SQL: &str = "database.sql";

/// What a backup says of itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    format: String,
    #[serde(flatten)]
    origin: Origin,
    exported_at: String,
    files: Vec<Sum>,
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

/// The size and the checksum of a file, read from its start.
fn sum_of(name: &str, content: &mut (impl Read + io::Seek)) -> io::Result<Sum> {
    content.rewind()?;
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(content, &mut hasher)?;
    Ok(Sum { name: name.to_owned(), bytes, blake3: hasher.finalize().to_hex().to_string() })
}
