//! Notices changes of a project's files by looking at their times and sizes several times a second.
//!
//! A project has tens of files, so that costs next to nothing, works the same on every system, on
//! network file systems and in containers, and needs no library; the notifications of systems need
//! one, and fail silently on several of these.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Maximum number of files that are looked at. A project with more has data in its folder.
const FILES_MAX: usize = 20_000;

/// The project's file with settings, which is no source.
const SETTINGS: &str = "dotdo.toml";

/// What was seen of each file.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The files of a folder.
pub(super) struct Watch {
    folder: PathBuf,
    seen: Seen,
}

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// One of the files, for people.
    pub(super) first: String,
    /// Whether the settings are among them.
    pub(super) settings: bool,
}

impl Watch {
    /// Watches the files below `folder` from now on.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: look(folder) }
    }

    /// Waits until files have changed and then stayed the same for a moment: editors and version
    /// control write several at once.
    pub(super) async fn changed(&mut self) -> Changes {
        loop {
            tokio::time::sleep(PAUSE).await;
            let mut now = look(&self.folder);
            if now == self.seen {
                continue;
            }
            loop {
                tokio::time::sleep(PAUSE).await;
                let later = look(&self.folder);
                if later == now {
                    break;
                }
                now = later;
            }
            if let Some(changes) = changes(&self.seen, &now) {
                self.seen = now;
                return changes;
            }
        }
    }
}

/// What is different; `None` if it was only for a moment.
fn changes(before: &Seen, now: &Seen) -> Option<Changes> {
    let mut changed =
        before.keys().chain(now.keys()).filter(|path| before.get(*path) != now.get(*path));
    let first = changed.next()?;
    let is_settings = |path: &PathBuf| path.file_name().is_some_and(|name| name == SETTINGS);
    let settings = is_settings(first) || changed.any(is_settings);
    let first = first.strip_prefix(".").unwrap_or(first).display().to_string();
    Some(Changes { first, settings })
}

fn look(folder: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_other = name.to_string_lossy().starts_with('.')
                || name == "target"
                || name == "node_modules";
            let Ok(kind) = entry.file_type() else { continue };
            if is_other || seen.len() >= FILES_MAX {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if let Ok(found) = fs::metadata(entry.path()) {
                seen.insert(entry.path(), (found.modified().ok(), found.len()));
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_seen_and_what_is_built_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["src", "target/debug", ".dotdo"] {
            fs::create_dir_all(path(name)).expect("writable");
        }
        fs::write(path("src/main.rs"), "fn main() {}").expect("writable");
        let before = look(folder.path());
        fs::write(path("target/debug/out"), "x").expect("writable");
        fs::write(path(".dotdo/state"), "x").expect("writable");
        assert_eq!(changes(&before, &look(folder.path())), None);
        fs::write(path("src/main.rs"), "fn main() { }").expect("writable");
        let changed = changes(&before, &look(folder.path())).expect("a longer file");
        assert!(changed.first.ends_with("src/main.rs") && !changed.settings, "{changed:?}");
        fs::write(path("dotdo.toml"), "").expect("writable");
        assert!(changes(&before, &look(folder.path())).expect("two files").settings);
        fs::remove_file(path("src/main.rs")).expect("it is there");
        fs::remove_file(path("dotdo.toml")).expect("it is there");
        assert!(
            changes(&before, &look(folder.path())).expect("one less").first.ends_with("main.rs")
        );
    }
}
