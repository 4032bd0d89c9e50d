//! A folder with a file for each object, and the list of them.
//!
//! Promises: what the list names was whole when it was listed, so an export that has ended in the
//! middle continues; a name in the folder never leads out of it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use dotdo::identity::Tenant;
use serde::{Deserialize, Serialize};

use super::take;
use crate::display::steps;
use crate::failure::{Failure, note};
use crate::objects::absent::NO_SUCH_OBJECT;
use crate::objects::client::Client;
use crate::objects::files::{Format, Origin, Sum, tables};
use crate::objects::ls::each;
use crate::objects::name::{Object, Part};
use crate::objects::options::Existing;
use crate::objects::shapes::Listed;
use crate::objects::table::shown;

/// The name of the list in a folder.
pub(in crate::objects) const LIST: &str = "dotdo-export.jsonl";

/// An object in the list of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::objects) struct Entry {
    #[serde(flatten)]
    pub(in crate::objects) origin: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::objects) at: Option<String>,
    #[serde(flatten)]
    pub(in crate::objects) file: Sum,
}

/// A folder that is being filled.
pub(super) struct Folder<'a> {
    path: &'a Path,
    format: Format,
    at: Option<&'a str>,
    known: HashMap<(String, String), Entry>,
    list: File,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) written: u64,
    pub(super) unchanged: u64,
}

impl<'a> Folder<'a> {
    /// The folder at `path`, which is made when missing.
    pub(super) fn open(
        path: &'a Path,
        format: Format,
        at: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let shown = path.display();
        let failed = |cause: io::Error| Failure::of(&format!("cannot write to {shown}"), cause);
        fs::create_dir_all(path).map_err(failed)?;
        let known = entries(path)?
            .into_iter()
            .map(|entry| ((entry.origin.class.clone(), entry.origin.id.clone()), entry))
            .collect();
        let list =
            File::options().create(true).append(true).open(path.join(LIST)).map_err(failed)?;
        Ok(Self { path, format, at, known, list })
    }

    /// Takes out all objects of a part of the tenant that are not there yet.
    pub(super) fn fill(&mut self, client: &Client, part: Option<&Part>) -> Result<Done, Failure> {
        let mut objects = Vec::new();
        each(client, part, |item| {
            objects.push(item);
            Ok(())
        })?;
        let progress = steps(objects.len() as u64);
        let mut done = Done::default();
        for item in &objects {
            client.check()?;
            progress.set_message(shown(&format!("{}/{}", item.class, item.id)));
            if self.has(item) {
                done.unchanged += 1;
            } else {
                match self.add(client, item) {
                    Ok(()) => done.written += 1,
                    // It ended between the list and its turn, or did not exist yet at that time.
                    Err(Failure::Refused { code, .. }) if code == NO_SUCH_OBJECT => {
                        let gone = shown(&format!("{}/{}", item.class, item.id));
                        progress.suspend(|| note(&format!("{gone} is gone")));
                    }
                    Err(why) => return Err(why),
                }
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(done)
    }

    /// Whether the folder has the object in this state.
    fn has(&self, item: &Listed) -> bool {
        let Some(entry) = self.known.get(&(item.class.clone(), item.id.clone())) else {
            return false;
        };
        let is_same = match self.at {
            Some(at) => entry.at.as_deref() == Some(at),
            None => entry.at.is_none() && entry.origin.sequence == item.sequence,
        };
        let is_named = file_name(&item.class, &item.id, self.format)
            .is_some_and(|name| name == entry.file.name);
        is_same && is_named && is_whole(self.path, &entry.file)
    }

    fn add(&mut self, client: &Client, item: &Listed) -> Result<(), Failure> {
        let object = Object { class: item.class.clone(), id: item.id.clone() };
        let name = file_name(&item.class, &item.id, self.format)
            .ok_or_else(|| Failure::Failed(format!("{object} can't be the name of a file")))?;
        let taken = take(client, &object, self.at, &indicatif::ProgressBar::hidden())?;
        let path = self.path.join(&name);
        let failed =
            |cause: io::Error| Failure::of(&format!("cannot write {}", path.display()), cause);
        fs::create_dir_all(path.parent().unwrap_or(self.path)).map_err(failed)?;
        let sum = taken.save(&path, self.format, Existing::Replaced)?;
        let file = Sum { name, ..sum };
        let entry = Entry { origin: taken.origin, at: self.at.map(str::to_owned), file };
        let line = serde_json::to_string(&entry)
            .map_err(|cause| Failure::of("cannot write the list", cause))?;
        self.list
            .write_all(format!("{line}\n").as_bytes())
            .map_err(|cause| Failure::of(&format!("cannot write {LIST}"), cause))
    }
}

/// The name of an object's file, relative to the folder: as in the bucket, so that it is one on every
/// system. `None` for what is no object.
fn file_name(class: &str, id: &str, format: Format) -> Option<String> {
    let object = Tenant::new("local", "local").ok()?.object(class, id).ok()?;
    Some(format!("{}.{}", object.key_segments(), format.extension()))
}

/// The newest entry of each object in the list of a folder, in the order of the list. A line that was
/// cut off is as if it was not there.
pub(in crate::objects) fn entries(folder: &Path) -> Result<Vec<Entry>, Failure> {
    let path = folder.join(LIST);
    let failed = |cause: io::Error| Failure::of(&format!("cannot read {}", path.display()), cause);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(failed(cause)),
    };
    let mut found: Vec<Entry> = Vec::new();
    for line in BufReader::new(file).lines() {
        let Ok(entry) = serde_json::from_str::<Entry>(&line.map_err(failed)?) else { continue };
        found.retain(|known| {
            (&known.origin.class, &known.origin.id) != (&entry.origin.class, &entry.origin.id)
        });
        found.push(entry);
    }
    Ok(found)
}

/// The path of an entry's file; `None` when it would be outside of the folder.
pub(in crate::objects) fn inside(folder: &Path, file: &Sum) -> Option<PathBuf> {
    let name = Path::new(&file.name);
    let is_inside = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    is_inside.then(|| folder.join(name))
}

/// Whether the file of an entry is as it was when it was listed.
pub(in crate::objects) fn is_whole(folder: &Path, file: &Sum) -> bool {
    let Some(path) = inside(folder, file) else { return false };
    if path.is_dir() {
        return tables::is_whole(&path, file);
    }
    let Ok(mut content) = File::open(path) else { return false };
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut content, &mut hasher);
    bytes.is_ok_and(|bytes| bytes == file.bytes) && *hasher.finalize().to_hex() == *file.blake3
}
