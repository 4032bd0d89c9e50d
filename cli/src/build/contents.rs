//! The folder of a worker: its bundle, the map of that, its configuration, and its assets.

use std::fs;
use std::path::{Path, PathBuf};

use dotdo_js::{Bundle, Project};
use serde_json::{Map, Value, json};

use super::draft::Draft;
use crate::failure::Failure;
use crate::worker::{CONFIG, FOLDER, MAIN};

/// Keys of the configuration that are about bundling, which is done.
const ABOUT_BUNDLING: &[&str] = &[
    "$schema",
    "alias",
    "base_dir",
    "build",
    "define",
    "find_additional_modules",
    "jsx_factory",
    "jsx_fragment",
    "keep_names",
    "minify",
    "no_bundle",
    "preserve_file_names",
    "rules",
    "tsconfig",
    "upload_source_maps",
];

/// Beginnings of imports that a bundle in one file does not have.
const OTHER_FILES: [&str; 6] =
    ["import('./", "import(\"./", "import(`./", "import('../", "import(\"../", "import(`../"];

/// The folder of the assets there.
const ASSETS: &str = "assets";

/// What a worker needs.
pub(super) struct Contents {
    main: String,
    map: Option<PathBuf>,
    /// `None` for a worker without any.
    config: Option<Map<String, Value>>,
    assets: Option<PathBuf>,
}

impl Contents {
    /// What the worker of `project` needs, which was loaded as `bundle`.
    ///
    /// # Errors
    ///
    /// `Usage` when its bundle has several files.
    pub(super) fn of(project: &Project, bundle: &Bundle) -> Result<Self, Failure> {
        let modules = bundle.modules();
        let (main, text) = &modules[0];
        let other = modules.get(1).map(|(name, _)| name.clone());
        let later = OTHER_FILES.iter().find(|beginning| text.contains(**beginning));
        if let Some(other) = other.or(later.map(|beginning| format!("{beginning}…"))) {
            return Err(Failure::Usage(format!(
                "expected a bundle in one file, got {main}, which imports {other}; bundle it, as `npx dotdo build` does"
            )));
        }
        let map = project.main().with_file_name(format!("{main}.map"));
        let mut config = project.file().map(|_| project.settings().clone());
        let assets = config.as_mut().and_then(|config| settle(config, project.file()?));
        let map = Some(map).filter(|map| map.is_file());
        Ok(Self { main: text.to_string(), map, config, assets })
    }

    /// The folder of the assets, if the worker has any.
    pub(super) fn assets(&self) -> Option<&Path> {
        self.assets.as_deref()
    }

    /// Whether the worker answers before an asset does.
    pub(super) fn worker_comes_first(&self) -> bool {
        let first =
            self.config.as_ref().and_then(|config| config.get("assets")?.get("run_worker_first"));
        !matches!(first, None | Some(Value::Bool(false)))
    }

    /// Writes the folder below `folder`, which ends in `/` or is empty.
    ///
    /// # Errors
    ///
    /// `Failed` when a file can't be read or written.
    pub(super) fn write(&self, draft: &mut Draft, folder: &str) -> Result<(), Failure> {
        for (name, content) in self.files()? {
            draft.bytes(&format!("{folder}{name}"), &content)?;
        }
        Ok(())
    }

    /// The files, by their names from the program's folder on.
    ///
    /// # Errors
    ///
    /// `Failed` when one can't be read.
    pub(super) fn files(&self) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut files = vec![(format!("{FOLDER}/{MAIN}"), self.main_text().into_bytes())];
        if let Some(map) = &self.map {
            files.push((format!("{FOLDER}/{MAIN}.map"), read(map)?));
        }
        if let Some(config) = &self.config {
            let text = serde_json::to_string_pretty(config).unwrap_or_default() + "\n";
            files.push((format!("{FOLDER}/{CONFIG}"), text.into_bytes()));
        }
        for name in self.assets.iter().flat_map(|folder| files_in(folder)) {
            let content =
                read(&self.assets.as_ref().map_or(name.clone(), |folder| folder.join(&name)))?;
            files.push((format!("{FOLDER}/{ASSETS}/{}", name.display()), content));
        }
        Ok(files)
    }

    /// The bundle, whose last line names its map as it is called here.
    fn main_text(&self) -> String {
        const COMMENT: &str = "//# sourceMappingURL=";
        match (self.main.rfind(COMMENT), &self.map) {
            (Some(at), Some(_)) => format!("{}{COMMENT}{MAIN}.map\n", &self.main[..at]),
            _ => self.main.clone(),
        }
    }
}

/// Makes a configuration that of the folder, and says where its assets are.
fn settle(config: &mut Map<String, Value>, file: &Path) -> Option<PathBuf> {
    ABOUT_BUNDLING.iter().for_each(|key| _ = config.remove(*key));
    config.insert("main".to_owned(), json!(MAIN));
    let directory = config.get_mut("assets")?.get_mut("directory")?;
    let assets = file.with_file_name(directory.as_str()?);
    *directory = json!(ASSETS);
    Some(assets)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|cause| Failure::of(&format!("can't read {}", path.display()), cause))
}

/// The files in a folder, by their paths from there on, in order.
pub(super) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).into_iter().flatten().flatten() {
            let path = inner.join(entry.file_name());
            if folder.join(&path).is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
