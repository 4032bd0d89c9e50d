//! A folder that is written beside its place, and put there when it is complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;

/// A folder that is being written.
pub(super) struct Draft {
    place: PathBuf,
    draft: TempDir,
    files: Vec<String>,
}

impl Draft {
    /// A draft of `place`, which may have nothing but `names`.
    ///
    /// # Errors
    ///
    /// `Usage` when it has something else, `Failed` when nothing can be written beside it.
    pub(super) fn of(place: &Path, names: &[&str]) -> Result<Self, Failure> {
        match fs::read_dir(place) {
            Ok(entries) => {
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    if !names.iter().any(|known| name == **known) {
                        return Err(Failure::Usage(format!(
                            "expected a new folder or one of an earlier build, got {} with {} in it; name another one by --out",
                            place.display(),
                            name.display()
                        )));
                    }
                }
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(unwritable(place, &cause)),
        }
        let parent = place.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        let draft = fs::create_dir_all(parent)
            .and_then(|()| tempfile::Builder::new().prefix(".dotdo-build-").tempdir_in(parent))
            .map_err(|cause| unwritable(place, &cause))?;
        Ok(Self { place: place.to_owned(), draft, files: Vec::new() })
    }

    /// Writes a file with this content.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be written.
    pub(super) fn bytes(&mut self, name: &str, content: &[u8]) -> Result<(), Failure> {
        self.put(name, |path| fs::write(path, content))
    }

    /// Writes a file with this text.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be written.
    pub(super) fn text(&mut self, name: &str, content: &str) -> Result<(), Failure> {
        self.bytes(name, content.as_bytes())
    }

    /// Writes a copy of a file; a program stays one.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be read or written.
    pub(super) fn copy(&mut self, name: &str, of: &Path) -> Result<(), Failure> {
        self.put(name, |path| fs::copy(of, path).map(|_| ()))
    }

    fn put(
        &mut self,
        name: &str,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let path = self.draft.path().join("all").join(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = fs::create_dir_all(folder).and_then(|()| write(&path));
        written.map_err(|cause| unwritable(&self.place.join(name), &cause))?;
        self.files.push(name.to_owned());
        Ok(())
    }

    /// Puts the folder in its place, and says which files it has.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be put there.
    pub(super) fn finish(self) -> Result<Vec<String>, Failure> {
        let put = match fs::remove_dir_all(&self.place) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            _ => fs::rename(self.draft.path().join("all"), &self.place),
        };
        put.map_err(|cause| unwritable(&self.place, &cause))?;
        Ok(self.files)
    }
}

fn unwritable(place: &Path, cause: &io::Error) -> Failure {
    Failure::of(&format!("can't write {}", place.display()), cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_only_when_a_build_has_made_it() {
        let parent = tempfile::tempdir().expect("a folder");
        let place = parent.path().join("dist/binary");
        for text in ["one", "two"] {
            let mut draft = Draft::of(&place, &["a"]).expect("it may be written");
            draft.text("a/b", text).expect("it is written");
            assert_eq!(draft.finish().ok(), Some(vec!["a/b".to_owned()]));
            assert_eq!(fs::read_to_string(place.join("a/b")).expect("a file"), text);
        }
        fs::write(place.join("mine"), "").expect("a file");
        let Err(failure) = Draft::of(&place, &["a"]) else { panic!("it is somebody's") };
        assert!(failure.message().contains("with mine in it"), "{}", failure.message());
        let left = fs::read_dir(place.parent().expect("a parent")).expect("a folder").count();
        assert_eq!(left, 1, "no draft is left");
    }
}
