//! `dotdo new`: a project that runs, with a test that passes.
//!
//! Promises: afterwards the folder exists with all files, or not at all.

mod name;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::source::Source;

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
dotdo is not on a registry yet, so a new project has to know where its sources
are.

Example:
  dotdo new my-counter --dotdo-path ~/src/dotdo

Exit codes: 0 created; 1 not created; 2 wrong usage, such as a name that cargo
does not accept.";

/// The files of a project, with their content.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../template/manifest.toml")),
    ("README.md", include_str!("../template/README.md")),
    (".gitignore", include_str!("../template/gitignore")),
    ("src/main.rs", include_str!("../template/main.rs")),
];

/// The project to create, and the source of dotdo.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Folder to create; its last part is the project's name
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Print {"name", "path"}
    #[arg(long)]
    json: bool,
}

/// Why no project was created.
enum Failure {
    /// Wrong usage.
    Usage(String),
    /// It could not be created.
    Failed(String),
}

impl Failure {
    fn io(doing: &str, path: &Path, cause: &io::Error) -> Self {
        Self::Failed(format!("{doing} {}: {cause}", path.display()))
    }
}

/// Creates the project and prints the next steps.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "for the user who has typed the command"
)]
pub(crate) fn run(new: &New) -> ExitCode {
    let (problem, code) = match make(new) {
        Ok(name) if new.json => {
            println!("{}", serde_json::json!({ "name": name, "path": new.path }));
            return ExitCode::SUCCESS;
        }
        Ok(name) => {
            println!("created {name} in {}", new.path.display());
            println!("\n  cd {}\n  cargo test\n  cargo run", new.path.display());
            return ExitCode::SUCCESS;
        }
        Err(Failure::Usage(problem)) => (problem, 2),
        Err(Failure::Failed(problem)) => (problem, 1),
    };
    eprintln!("error: {problem}");
    ExitCode::from(code)
}

/// Creates the project and returns its name.
fn make(new: &New) -> Result<String, Failure> {
    let name = new.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    name::check(&name).map_err(Failure::Usage)?;
    let parent = match new.path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let parent = fs::canonicalize(parent)
        .map_err(|cause| Failure::io("can't find the folder", parent, &cause))?;
    let folder = parent.join(&name);
    refuse_occupied(&folder, &new.path)?;
    let dependency = new.source.dependency(&folder).map_err(Failure::Usage)?;
    let workspace = if is_in_workspace(&parent) { "\n[workspace]\n" } else { "" };
    let fill = |text: &str| {
        text.replace("{name}", &name)
            .replace("{version}", env!("CARGO_PKG_RUST_VERSION"))
            .replace("{dotdo}", &dependency)
            .replace("{workspace}", workspace)
    };
    write(&parent, &folder, fill).map_err(|cause| Failure::io("can't create", &folder, &cause))?;
    Ok(name)
}

/// An existing folder is accepted if it is empty.
fn refuse_occupied(folder: &Path, named: &Path) -> Result<(), Failure> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(false) => Err(Failure::Usage(format!(
            "expected a new or empty folder, got {} with files in it; name another one",
            named.display()
        ))),
        Err(cause) => Err(Failure::io("can't use", folder, &cause)),
    }
}

/// Whether cargo would look for a project below `parent` in a workspace that does not know it.
fn is_in_workspace(parent: &Path) -> bool {
    let manifests = parent.ancestors().map(|folder| folder.join("Cargo.toml"));
    let texts = manifests.filter_map(|manifest| fs::read_to_string(manifest).ok());
    texts.into_iter().any(|text| text.lines().any(|line| line.trim().starts_with("[workspace")))
}

/// Writes the files to a temporary folder next to the target, and moves it there when it is
/// complete.
fn write(parent: &Path, folder: &Path, fill: impl Fn(&str) -> String) -> io::Result<()> {
    let draft = tempfile::Builder::new().prefix(".dotdo-new-").tempdir_in(parent)?;
    // A temporary folder is private to its owner; a project's folder has the usual permissions.
    let draft_folder = draft.path().join("project");
    for (path, text) in FILES {
        let path = draft_folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&draft_folder))?;
        fs::write(path, fill(text))?;
    }
    // The target may be an empty folder, and not every system replaces one.
    match fs::remove_dir(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    fs::rename(&draft_folder, folder)
}
