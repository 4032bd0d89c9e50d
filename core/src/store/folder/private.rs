//! Creates folders and files that only the server's user can read, whatever the umask, because they
//! contain users' data.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

/// Read, write and traverse for the owner only.
#[cfg(unix)]
const FOLDER_MODE: u32 = 0o700;
/// Read and write for the owner only.
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Creates `folder` and missing parents. Existing folders are unchanged.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    builder().recursive(true).create(folder)
}

/// Creates `folder`, which must not exist.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    builder().create(folder)
}

/// Creates the file `path`, which must not exist, for writing.
pub(super) fn make_file(path: &Path) -> io::Result<File> {
    options().write(true).create_new(true).open(path)
}

/// Creates or truncates the file `path`.
pub(super) fn empty_file(path: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(path)
}

/// Whether other users of the machine can look into `folder`. The files of this module stay closed
/// to them anyway.
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
