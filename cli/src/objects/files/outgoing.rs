//! Writes a database to a file in any form.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use dotdo::commands::SqliteFile;
use jiff::Timestamp;

use super::{Format, Origin, Sum, archive, dump, tables};
use crate::failure::Failure;
use crate::objects::options::Existing;

/// A database that was taken out of an object.
pub(crate) struct Outgoing {
    /// The SQLite file.
    pub(crate) database: Vec<u8>,
    /// The object.
    pub(crate) origin: Origin,
}

impl Outgoing {
    /// Writes a file (of Parquet, a folder) that only its user can read under a temporary name, and
    /// gives it its own when it is whole. Its size and checksum are returned.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be written, or exists and is to be kept.
    pub(crate) fn save(
        &self,
        path: &Path,
        format: Format,
        existing: Existing,
    ) -> Result<Sum, Failure> {
        let shown = path.display();
        let failed = |cause: io::Error| Failure::of(&format!("cannot write {shown}"), cause);
        if existing == Existing::Kept && path.exists() {
            return Err(Failure::Failed(format!(
                "{shown} exists; use --force to replace it, or -o for another name"
            )));
        }
        if format == Format::Parquet {
            return tables::save(self, path, existing);
        }
        let mut draft = tempfile::Builder::new()
            .prefix(".dotdo-export-")
            .tempfile_in(parent(path))
            .map_err(failed)?;
        let mut out = Summed::new(BufWriter::new(draft.as_file_mut()));
        self.write(format, &mut out)?;
        out.flush().map_err(failed)?;
        let (bytes, blake3) = out.sum();
        drop(out);
        draft.as_file().sync_all().map_err(failed)?;
        let kept = match existing {
            Existing::Replaced => draft.persist(path),
            Existing::Kept => draft.persist_noclobber(path),
        };
        kept.map_err(|failure| failed(failure.error))?;
        Ok(Sum { name: shown.to_string(), bytes, blake3 })
    }

    /// Writes the database in a form.
    ///
    /// # Errors
    ///
    /// `Failed` when `out` can't be written; `Usage` for a form of several files.
    pub(crate) fn write(&self, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
        match format {
            Format::Sqlite => out
                .write_all(&self.database)
                .map_err(|cause| Failure::of("cannot write the database", cause)),
            Format::Sql => dump::write(&SqliteFile::open(self.database.clone())?, out),
            Format::TarGz => archive::write(&self.database, &self.origin, Timestamp::now(), out),
            Format::Parquet => Err(no_stream()),
        }
    }
}

/// That a form of several files can't be one.
pub(crate) fn no_stream() -> Failure {
    Failure::Usage(
        "Parquet has a file for each table, which needs a folder; use -o FOLDER".to_owned(),
    )
}

/// The folder that a file is in.
pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Counts and hashes what is written.
struct Summed<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Summed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: blake3::Hasher::new() }
    }

    fn sum(&self) -> (u64, String) {
        (self.hasher.count(), self.hasher.finalize().to_hex().to_string())
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
