//! A database as a folder of Parquet files, one for each table, with a manifest of their sizes and
//! checksums. For programs that analyse data; it can't be imported.
//!
//! Promises: the folder has its name only when it is whole; what is replaced was such a folder.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dotdo::commands::SqliteFile;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::outgoing::{Outgoing, parent};
use super::{Origin, Sum};
use crate::failure::Failure;
use crate::objects::options::Existing;

/// What the manifest says of itself.
const FORM: &str = "dotdo-parquet/1";
const MANIFEST: &str = "manifest.json";
/// What is encoded in the name of a file: all that some file system does not take.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');
/// Maximum length of a table's name in the name of its file; file systems take 255 bytes.
const NAME_BYTES_MAX: usize = 200;

/// What a folder says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    format: String,
    #[serde(flatten)]
    origin: Origin,
    exported_at: String,
    files: Vec<Table>,
}

/// A table of the database.
#[derive(Debug, Serialize, Deserialize)]
struct Table {
    table: String,
    #[serde(flatten)]
    file: Sum,
}

/// Writes the folder `path` under a temporary name, and gives it its own when it is whole. Its size
/// is that of all files, its checksum that of the manifest.
///
/// # Errors
///
/// `Failed` when it can't be written, or exists and is to be kept or is something else.
pub(super) fn save(taken: &Outgoing, path: &Path, existing: Existing) -> Result<Sum, Failure> {
    let shown = path.display();
    let failed = |cause: io::Error| Failure::of(&format!("cannot write {shown}"), cause);
    let is_there = path.symlink_metadata().is_ok();
    if is_there && existing == Existing::Replaced && !is_folder(path) {
        return Err(Failure::Failed(format!(
            "{shown} exists and is no folder of Parquet files, so it is not replaced; use -o for another name"
        )));
    }
    let draft = draft_in(path).map_err(failed)?;
    let sum = fill(draft.path(), taken)?;
    let former = draft_in(path).map_err(failed)?;
    let former_path = former.path().join("former");
    if is_there {
        fs::rename(path, &former_path).map_err(failed)?;
    }
    fs::rename(draft.path(), path).map_err(|cause| {
        // What was there is not lost.
        let _ = fs::rename(&former_path, path);
        failed(cause)
    })?;
    // It has another name now, so nothing is left to remove.
    let _ = draft.keep();
    Ok(Sum { name: shown.to_string(), ..sum })
}

/// A folder beside `path` that is gone again unless it is kept.
fn draft_in(path: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(".dotdo-export-").tempdir_in(parent(path))
}

/// Writes all files; the manifest comes last.
fn fill(folder: &Path, taken: &Outgoing) -> Result<Sum, Failure> {
    let file = SqliteFile::open(taken.database.clone())?;
    let (mut files, mut bytes) = (Vec::new(), 0);
    for table in file.tables() {
        let name = file_name(&table.name);
        let content = file.table_as_parquet(&table.name)?;
        write(&folder.join(&name), &content)?;
        bytes += content.len() as u64;
        let blake3 = blake3::hash(&content).to_hex().to_string();
        let file = Sum { name, bytes: content.len() as u64, blake3 };
        files.push(Table { table: table.name, file });
    }
    let manifest = Manifest {
        format: FORM.to_owned(),
        origin: taken.origin.clone(),
        exported_at: Timestamp::now().to_string(),
        files,
    };
    let manifest = serde_json::to_vec_pretty(&manifest)
        .map_err(|cause| Failure::of("cannot write the manifest", cause))?;
    write(&folder.join(MANIFEST), &manifest)?;
    bytes += manifest.len() as u64;
    let blake3 = blake3::hash(&manifest).to_hex().to_string();
    Ok(Sum { name: String::new(), bytes, blake3 })
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|cause| Failure::of(&format!("cannot write {}", path.display()), cause))
}

/// The name of a table's file: its own, where every file system takes that.
fn file_name(table: &str) -> String {
    let mut name = utf8_percent_encode(table, ENCODED).to_string();
    if name.len() > NAME_BYTES_MAX {
        let hash = blake3::hash(table.as_bytes()).to_hex();
        name.truncate(NAME_BYTES_MAX - hash.len());
        name.push_str(&hash);
    }
    name + ".parquet"
}

/// The manifest of a folder, and its text; `None` when it is no folder of Parquet files.
fn manifest(folder: &Path) -> Option<(Manifest, Vec<u8>)> {
    let text = fs::read(folder.join(MANIFEST)).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    (manifest.format == FORM).then_some((manifest, text))
}

/// Whether this is a folder of Parquet files.
pub(crate) fn is_folder(path: &Path) -> bool {
    manifest(path).is_some()
}

/// Whether a folder is as it was when it got this sum.
pub(crate) fn is_whole(folder: &Path, sum: &Sum) -> bool {
    let Some((manifest, text)) = manifest(folder) else { return false };
    let is_same = |file: &Sum| {
        let path = one_name(folder, &file.name);
        let content = path.and_then(|path| fs::read(path).ok());
        content.is_some_and(|content| {
            content.len() as u64 == file.bytes && *blake3::hash(&content).to_hex() == *file.blake3
        })
    };
    *blake3::hash(&text).to_hex() == *sum.blake3
        && manifest.files.iter().all(|table| is_same(&table.file))
}

/// The path of a file in a folder; `None` for a name that leads out of it.
fn one_name(folder: &Path, name: &str) -> Option<PathBuf> {
    (Path::new(name).file_name()? == name).then(|| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_name_that_file_systems_take() {
        assert_eq!(file_name("things"), "things.parquet");
        assert_eq!(file_name("a/b.c d"), "a%2Fb%2Ec%20d.parquet");
        assert_eq!(file_name(".."), "%2E%2E.parquet");
        let (long, other) = (file_name(&"ü".repeat(300)), file_name(&"ü".repeat(301)));
        assert!(long.len() < 255 && long != other, "{long}");
    }

    fn taken(sql: &str) -> Outgoing {
        let mut file = SqliteFile::new().expect("memory");
        file.execute(sql).expect("it is SQL");
        let origin = Origin { class: "Note".to_owned(), id: "a".to_owned(), sequence: 3 };
        Outgoing { database: file.bytes().expect("memory").to_vec(), origin }
    }

    #[test]
    fn a_folder_is_whole_or_not_there_and_replaces_only_its_like() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("a.parquet");
        let one = taken("CREATE TABLE t(a); INSERT INTO t VALUES(1); CREATE TABLE \"x/y\"(b)");
        let sum = save(&one, &path, Existing::Replaced).unwrap_or_else(|why| panic!("{why:?}"));
        assert!(is_whole(&path, &sum));
        let names = |path: &Path| {
            let names = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("readable"));
            let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&path), ["manifest.json", "t.parquet", "x%2Fy.parquet"]);
        let two = taken("CREATE TABLE other(a)");
        let sum_of_two = save(&two, &path, Existing::Replaced).expect("its like is replaced");
        assert!(is_whole(&path, &sum_of_two) && !is_whole(&path, &sum));
        assert_eq!(names(here.path()), ["a.parquet"], "nothing is left beside it");
        fs::write(path.join("other.parquet"), "damaged").expect("the folder is ours");
        assert!(!is_whole(&path, &sum_of_two));

        let theirs = here.path().join("theirs");
        fs::create_dir(&theirs).expect("the folder is ours");
        fs::write(theirs.join("precious"), "text").expect("the folder is ours");
        let refused = save(&two, &theirs, Existing::Replaced).expect_err("it is another folder");
        assert!(refused.message().contains("is not replaced"), "{}", refused.message());
        assert_eq!(names(&theirs), ["precious"]);
    }
}
