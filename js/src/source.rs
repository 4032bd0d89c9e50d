//! The files of a bundle: its main module, and what that imports by a relative path.
//!
//! Promises: what was read once is the same in every realm, whatever becomes of the file; no module
//! is read from outside of the bundle's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dotdo::engine::sync::Mutex;
use dotdo::{Error, Result};

use crate::limits::FILE_BYTES_MAX;

/// The files of one bundle.
pub(crate) struct Source {
    /// The folder of the main module, without links.
    folder: PathBuf,
    main: String,
    read: Mutex<BTreeMap<String, Arc<str>>>,
}

impl Source {
    /// The bundle whose main module is the file `main`.
    ///
    /// # Errors
    ///
    /// `Invalid` when it can't be read, or is no JavaScript.
    pub(crate) fn open(main: &Path) -> Result<Self> {
        let unreadable =
            |cause| Error::invalid(format!("cannot read the worker {}: {cause}", main.display()));
        let main = main.canonicalize().map_err(unreadable)?;
        let named = main.parent().zip(main.file_name().and_then(|name| name.to_str()));
        let (folder, name) = named.ok_or_else(|| {
            Error::invalid(format!("expected the file of a worker, got {}", main.display()))
        })?;
        let source = Self {
            folder: folder.to_owned(),
            main: name.to_owned(),
            read: Mutex::new(BTreeMap::new()),
        };
        source.text(name).map_err(Error::invalid)?;
        Ok(source)
    }

    /// The name of the main module.
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// Whether a module that was read has `text` in it.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.read.lock().values().any(|module| module.contains(text))
    }

    /// The name of the module that the module `base` imports as `name`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to do.
    pub(crate) fn resolve(&self, base: &str, name: &str) -> Result<String, String> {
        if !name.starts_with("./") && !name.starts_with("../") {
            return Err(format!(
                "{base} imports {name:?}, which is not in the bundle; a bundler puts packages into it (rolldown, esbuild), \
                 and of Cloudflare's modules there are cloudflare:workers and cloudflare:email"
            ));
        }
        let mut parts: Vec<&str> = base.split('/').collect();
        parts.pop();
        for part in name.split('/') {
            match part {
                "." | "" => {}
                ".." => {
                    parts.pop().ok_or_else(|| outside(base, name))?;
                }
                part => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }

    /// The text of the module `name`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to do.
    pub(crate) fn text(&self, name: &str) -> Result<Arc<str>, String> {
        if let Some(text) = self.read.lock().get(name) {
            return Ok(text.clone());
        }
        let is_script = [".js", ".mjs"].iter().any(|end| name.ends_with(end));
        if !is_script {
            return Err(format!(
                "expected a module that ends in .js or .mjs, got {name}; a bundler (rolldown, esbuild) makes one of TypeScript"
            ));
        }
        let text: Arc<str> = self
            .load(name)
            .map_err(|cause| format!("cannot read the module {name}: {cause}"))?
            .into();
        self.read.lock().insert(name.to_owned(), text.clone());
        Ok(text)
    }

    fn load(&self, name: &str) -> std::io::Result<String> {
        let path = self.folder.join(name).canonicalize()?;
        if !path.starts_with(&self.folder) {
            return Err(std::io::Error::other("it is outside of the bundle's folder"));
        }
        if path.metadata()?.len() > FILE_BYTES_MAX {
            return Err(std::io::Error::other(format!(
                "expected a file of at most {FILE_BYTES_MAX} bytes"
            )));
        }
        std::fs::read_to_string(path)
    }
}

fn outside(base: &str, name: &str) -> String {
    format!("{base} imports {name:?}, which is outside of the bundle's folder; bundle it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_from_the_folder_of_the_bundle_only() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("bundle");
        std::fs::create_dir_all(folder.join("lib")).expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(parent.path().join(name), text).expect("a file");
        };
        write("bundle/worker.js", "main");
        write("bundle/lib/a.mjs", "a");
        write("secret.js", "secret");
        write("bundle/b.ts", "b");
        std::os::unix::fs::symlink("../secret.js", folder.join("link.js")).expect("a link");
        let source = Source::open(&folder.join("worker.js")).expect("it opens");
        let read =
            |base: &str, name: &str| source.resolve(base, name).and_then(|name| source.text(&name));
        assert_eq!(read("worker.js", "./lib/a.mjs").as_deref(), Ok("a"));
        assert_eq!(read("lib/a.mjs", "../worker.js").as_deref(), Ok("main"));
        for (name, why) in [
            ("../secret.js", "outside of the bundle's folder"),
            ("./link.js", "outside of the bundle's folder"),
            ("./b.ts", "ends in .js or .mjs"),
            ("hono", "a bundler"),
            ("/etc/passwd", "not in the bundle"),
            ("./nowhere.js", "cannot read the module nowhere.js"),
        ] {
            let error = read("worker.js", name).expect_err(name);
            assert!(error.contains(why), "{name}: {error}");
        }
        // What was read is not read again.
        write("bundle/lib/a.mjs", "another");
        assert_eq!(read("worker.js", "./lib/a.mjs").as_deref(), Ok("a"));
        assert!(Source::open(&folder.join("b.ts")).is_err());
    }
}
