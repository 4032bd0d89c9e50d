//! Where the prompt remembers what was typed.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

/// The file with the history, in the user's folder for state. It is made when missing, for its user
/// alone: statements may have secrets in them. `None` when there is no such folder, or it can't be
/// written.
pub(super) fn file() -> Option<PathBuf> {
    let path = folder()?.join("dotdo").join("sql-history");
    make(&path).is_ok().then_some(path)
}

/// The user's folder for state (the XDG base directories).
fn folder() -> Option<PathBuf> {
    let of =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    of("XDG_STATE_HOME")
        .or_else(|| of("LOCALAPPDATA"))
        .or_else(|| of("HOME").map(|home| home.join(".local").join("state")))
}

fn make(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    let mut file = File::options();
    file.create(true).append(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    }
    folder.create(path.parent().unwrap_or(path))?;
    file.open(path).map(drop)
}
