//! Folders and files that nobody but the server's own user can read, whatever the umask: what is in
//! them is the users' data.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

/// The owner reads, writes and goes through; nobody else.
#[cfg(unix)]
const FOLDER_MODE: u32 = 0o700;
/// The owner reads and writes; nobody else.
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Makes `folder`, and all that is missing above it. What is there stays as it is.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    builder().recursive(true).create(folder)
}

/// Makes `folder`, which must not be there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    builder().create(folder)
}

/// Makes the file `path`, which must not be there, to be written.
pub(super) fn make_file(path: &Path) -> io::Result<File> {
    options().write(true).create_new(true).open(path)
}

/// Makes the file `path` empty, whether or not it is there.
pub(super) fn empty_file(path: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(path)
}

/// Whether other users of the machine can look into `folder`. What this module makes in there stays
/// closed to them all the same.
pub(super) fn is_open_to_others(folder: &Path) -> bool {
    #[cfg(unix)]
    return folder.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0);
    #[cfg(not(unix))]
    false
}

fn builder() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    builder.mode(FOLDER_MODE);
    builder
}

fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    options.mode(FILE_MODE);
    options
}
