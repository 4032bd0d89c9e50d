//! Lists a part of the tree in the order of keys, reading no folder that can't hold a wanted key.
//!
//! Keys sort by their bytes, `/` included: `a-b` comes before `a/x`, although the folder `a` has
//! the shorter name. So a folder takes part in the order with its `/`.

use std::fs;
use std::io;
use std::path::Path;

use super::super::{Entry, Key, Names};
use super::{INTERNAL, date_ms, is_nothing};

/// At most `limit` files below `prefix` whose key sorts after `after`.
pub(super) fn list(
    root: &Path,
    prefix: &Key,
    after: Option<&Key>,
    limit: usize,
) -> io::Result<Vec<Entry>> {
    let mut walk = Walk { root, after: after.map_or("", Key::as_str), limit, found: Vec::new() };
    walk.folder(&prefix.below())?;
    Ok(walk.found)
}

/// The names of the folders in the folder `prefix` that `names` asks for, in the order of the keys in
/// them.
pub(super) fn folders(
    root: &Path,
    prefix: &Key,
    names: Names<'_>,
    limit: usize,
) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(root.join(prefix.as_str())) {
        Err(error) if is_nothing(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let after = names.after.map(|name| format!("{name}/"));
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with(names.begin) || !entry.file_type()?.is_dir() {
            continue;
        }
        let sorted = format!("{name}/");
        if after.as_ref().is_none_or(|after| sorted > *after) {
            found.push(sorted);
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    for name in &mut found {
        name.pop();
    }
    Ok(found)
}

struct Walk<'a> {
    root: &'a Path,
    after: &'a str,
    limit: usize,
    found: Vec<Entry>,
}

impl Walk<'_> {
    /// Adds what is in the folder whose keys begin with `below` (which is empty or ends with `/`).
    fn folder(&mut self, below: &str) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(below)) {
            Err(error) if is_nothing(&error) => return Ok(()),
            entries => entries?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let entry = entry?;
            // No key of ours has a name that is not UTF-8.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_folder = entry.file_type()?.is_dir();
            let key = format!("{below}{name}{}", if is_folder { "/" } else { "" });
            if self.may_follow(&key) && !(below.is_empty() && name == INTERNAL) {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        for key in keys {
            if self.found.len() >= self.limit {
                break;
            }
            if key.ends_with('/') { self.folder(&key)? } else { self.file(key)? }
        }
        Ok(())
    }

    /// Whether the file, or a file in the folder, can sort after `after`.
    fn may_follow(&self, key: &str) -> bool {
        key > self.after || (key.ends_with('/') && self.after.starts_with(key))
    }

    fn file(&mut self, key: String) -> io::Result<()> {
        match fs::metadata(self.root.join(&key)) {
            // Deleted meanwhile.
            Err(error) if is_nothing(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(metadata) => {
                let modified_ms = date_ms(metadata.modified()?);
                self.found.push(Entry { key: Key::new(key), bytes: metadata.len(), modified_ms });
                Ok(())
            }
        }
    }
}
