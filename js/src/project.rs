//! A project: a worker and its configuration, read and not loaded.

use std::path::{Path, PathBuf};

use dotdo::Result;
use serde_json::{Map, Value};

use crate::config::{self, Config};

/// A worker and its configuration.
///
/// ```no_run
/// use dotdo_js::{Bundle, Machine, Project};
///
/// // The configuration names src/index.ts, of which a bundler has made dist/worker.js.
/// let project = Project::find("wrangler.jsonc".as_ref())?.with_bundle("dist/worker.js");
/// let bundle = Bundle::of(&project, Machine::default())?;
/// assert_eq!(bundle.classes(), ["Counter"]);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Project {
    pub(crate) config: Config,
    file: Option<PathBuf>,
    settings: Map<String, Value>,
}

impl Project {
    /// The project at `path`: a worker, a `wrangler.jsonc`, `.json` or `.toml`, or a folder that has one.
    ///
    /// # Errors
    ///
    /// `Invalid` when there is none, or its configuration has what is not here; the message says what.
    pub fn find(path: &Path) -> Result<Self> {
        Self::find_in(path, None)
    }

    /// The same, in an environment of its configuration (`env.<name>`).
    ///
    /// # Errors
    ///
    /// Those of [`Project::find`]; `Invalid` when the configuration has no such environment.
    pub fn find_in(path: &Path, environment: Option<&str>) -> Result<Self> {
        let config = Config::find(path, environment)?;
        let file = config::file_at(path)?;
        let settings = file.as_deref().map(|file| config::settings_of(file, environment));
        let settings = settings.transpose()?.unwrap_or_default();
        Ok(Self { config, file, settings })
    }

    /// The file of the configuration in `folder`, if it has one.
    pub fn file_in(folder: &Path) -> Option<PathBuf> {
        config::file_in(folder)
    }

    /// The same with another main module: what a bundler has made of the one that is configured.
    #[must_use]
    pub fn with_bundle(mut self, bundle: impl Into<PathBuf>) -> Self {
        self.config.main = bundle.into();
        self
    }

    /// The main module.
    pub fn main(&self) -> &Path {
        &self.config.main
    }

    /// The file of the configuration, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What that file says, in the environment that was named.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// The secrets that the configuration requires and that neither `.dev.vars` nor the environment has.
    pub fn absent_secrets(&self) -> &[String] {
        &self.config.absent
    }

    /// The classes by the names of their bindings; `None` if every class has one, by its name.
    pub fn bindings(&self) -> Option<impl Iterator<Item = (&str, &str)>> {
        let bindings = self.config.classes.as_ref()?;
        Some(bindings.iter().map(|(name, class)| (name.as_str(), class.as_str())))
    }
}
