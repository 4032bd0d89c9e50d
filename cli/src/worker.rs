//! The worker in JavaScript that a command is about: which one it is, and loading it.

use std::path::{Path, PathBuf};

use clap::Args;
use dotdo::commands::{FetchSettings, WorkerSettings};
use dotdo_js::{Bundle, Machine, Project};

use crate::failure::Failure;

/// The folder of a worker beside the program that serves it.
pub(crate) const FOLDER: &str = "worker";
/// Its configuration there.
pub(crate) const CONFIG: &str = "wrangler.json";
/// Its bundle there.
pub(crate) const MAIN: &str = "worker.js";

/// The variable that names an environment, as it does for wrangler.
const ENVIRONMENT: &str = "CLOUDFLARE_ENV";

/// The worker of a command line.
#[derive(Debug, Default, Args)]
pub(crate) struct Named {
    /// Worker in JavaScript (.js, .mjs), its wrangler.jsonc, .json or .toml, or a folder that has one
    /// [default: the one that is here]
    #[arg(value_name = "WORKER")]
    worker: Option<PathBuf>,
    /// Bundle to use instead of the file that the configuration names
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Environment of the configuration (`env.NAME`) [default: CLOUDFLARE_ENV]
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
}

impl Named {
    /// The project that is named, or the one that is here; `None` where there is none.
    ///
    /// # Errors
    ///
    /// `Usage` when it can't be read, or needs what is not here.
    pub(crate) fn project(self) -> Result<Option<Project>, Failure> {
        let Some(path) = self.worker.or_else(here) else { return Ok(None) };
        let set = std::env::var(ENVIRONMENT).ok().filter(|name| !name.is_empty());
        let project = Project::find_in(&path, self.env.or(set).as_deref())?;
        Ok(Some(match self.bundle {
            Some(bundle) => project.with_bundle(bundle),
            None => project,
        }))
    }

    /// The same, where there must be one.
    ///
    /// # Errors
    ///
    /// `Usage` when there is none, or it can't be read.
    pub(crate) fn expected(self) -> Result<Project, Failure> {
        self.project()?.ok_or_else(|| {
            Failure::Usage(
                "expected a worker, got none: name one, or run the command where a wrangler.jsonc is".to_owned(),
            )
        })
    }
}

/// The worker of the setting, or beside this program, or in the working directory.
fn here() -> Option<PathBuf> {
    // What is wrong with settings is told by the command that uses them.
    let set = WorkerSettings::resolve().ok().and_then(|settings| settings.worker);
    set.map(PathBuf::from).or_else(beside).or_else(|| Project::file_in(Path::new(".")))
}

/// The worker beside this program, which `dotdo build` has put there.
fn beside() -> Option<PathBuf> {
    let program = std::env::current_exe().and_then(std::fs::canonicalize).ok()?;
    let folder = program.parent()?.join(FOLDER);
    [CONFIG, MAIN].into_iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// Loads a project that is to be served here.
///
/// # Errors
///
/// `Usage` when it can't be loaded, a setting is wrong, or a secret is not set.
pub(crate) fn load_to_serve(project: &Project) -> Result<Bundle, Failure> {
    match project.absent_secrets() {
        [] => load(project),
        absent => Err(Failure::Usage(format!(
            "the worker needs the secrets {}: set them as environment variables, or in .dev.vars",
            absent.join(", ")
        ))),
    }
}

/// Loads a project on this machine.
///
/// # Errors
///
/// `Usage` when it can't be loaded, or a setting is wrong.
pub(crate) fn load(project: &Project) -> Result<Bundle, Failure> {
    let FetchSettings { private_networks, .. } = FetchSettings::resolve()?;
    let machine = Machine { private_networks, ..Machine::default() };
    Ok(Bundle::of(project, machine)?)
}

/// A path from the root of the file system on.
///
/// # Errors
///
/// `Failed` when there is no working directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|cause| Failure::of(&format!("can't find {}", path.display()), cause))
}
