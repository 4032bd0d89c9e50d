//! Objects of Cloudflare's local state (`.wrangler/state/v3/do`): a folder for each class, named
//! `WORKER-CLASS`, with a SQLite file for each object, named by the hash of its id.
//!
//! Promises: a file that only looks like one of them is one without a name.

use std::fs;
use std::path::{Path, PathBuf};

use dotdo::commands::SqliteFile;
use dotdo::sql::ValueRef;

use super::Origin;
use crate::failure::Failure;

/// Number of digits of the hash that is the name of a file.
const HASH_DIGITS: usize = 64;
/// The table in which an object's name is kept, if it was made by one.
const NAMES: &str = "__miniflare_do_name";

/// The files of objects in a folder, in the order of their names; none in another folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths.filter(|path| hash_and_class(path).is_some()).collect();
    files.sort();
    files
}

/// The object that a file is of: its name, or its hash when it has none.
///
/// # Errors
///
/// `Failed` when the file looks like one of these and can't be read.
pub(crate) fn origin(path: &Path, database: &[u8]) -> Result<Option<Origin>, Failure> {
    let Some((hash, class)) = hash_and_class(path) else { return Ok(None) };
    let file = SqliteFile::open(database.to_vec())?;
    let mut id = hash;
    if file.tables().iter().any(|table| table.name == NAMES) {
        file.rows(NAMES, |_, values| {
            if let Some(ValueRef::Text(name)) = values.get(1)
                && let Ok(name) = std::str::from_utf8(name)
            {
                name.clone_into(&mut id);
            }
            Ok(())
        })?;
    }
    Ok(Some(Origin { class, id, sequence: 0 }))
}

/// The hash and the class in the path of an object's file.
fn hash_and_class(path: &Path) -> Option<(String, String)> {
    let hash = path.file_stem()?.to_str()?;
    let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    // A relative path may not have the folder's name.
    let path = fs::canonicalize(path).ok()?;
    let folder = path.parent()?.file_name()?.to_str()?;
    // The names of JavaScript's classes have no hyphen, those of workers may.
    let (_, class) = folder.rsplit_once('-')?;
    let is_file = path.extension()? == "sqlite" && is_hash && !class.is_empty();
    is_file.then(|| (hash.to_owned(), class.to_owned()))
}
