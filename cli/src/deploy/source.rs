//! What is deployed: the project in the working directory, dotdo's own sources, or, where there is
//! neither, this program with its built-in class.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item};

use crate::failure::Failure;

/// What is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// dotdo's repository, which is the working directory: the built-in class, built from sources.
    Repository,
    /// The project in the working directory.
    Project(Project),
    /// This program, as it is: the built-in class.
    Program(PathBuf),
}

/// A Cargo project that depends on dotdo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    /// The package.
    pub(super) package: String,
    /// Its program.
    pub(super) program: String,
    /// The folder with dotdo's sources, if the project refers to it and it is not inside of the
    /// project.
    pub(super) outside: Option<PathBuf>,
}

impl Source {
    /// What there is to deploy from `folder`.
    ///
    /// # Errors
    ///
    /// `Usage` when a project there can't be deployed.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let manifest = fs::read_to_string(folder.join("cli/Cargo.toml")).unwrap_or_default();
        if manifest.contains("name = \"dotdo-cli\"") && folder.join(DOCKERFILE).exists() {
            return Ok(Self::Repository);
        }
        if let Ok(text) = fs::read_to_string(folder.join("Cargo.toml")) {
            return project(folder, &text).map(Self::Project);
        }
        // With the built-in class something else would be deployed than what is here.
        let names = ["wrangler.jsonc", "wrangler.json", "wrangler.toml"];
        if let Some(name) = names.iter().find(|name| folder.join(name).exists()) {
            return Err(Failure::Usage(format!(
                "expected a project in Rust, got {name}: `npx dotdo build --target vercel` (lambda, docker) writes what the platform's own tool deploys; docs/JAVASCRIPT.md has the commands"
            )));
        }
        let program = std::env::current_exe()
            .map_err(|cause| Failure::of("can't find this program's own file", cause))?;
        Ok(Self::Program(program))
    }

    /// The name for people.
    pub(super) fn about(&self) -> String {
        match self {
            Self::Repository => "the built-in class, from dotdo's sources".to_owned(),
            Self::Project(project) => format!("the project {}", project.package),
            Self::Program(_) => "the built-in class, with this program".to_owned(),
        }
    }

    /// The name that a deployment has if none is given.
    pub(super) fn usual_name(&self) -> &str {
        match self {
            Self::Project(project) => &project.package,
            Self::Repository | Self::Program(_) => "objects",
        }
    }

    /// The program that cargo builds, and its package.
    pub(super) fn built(&self) -> Option<(&str, &str)> {
        match self {
            Self::Repository => Some(("dotdo-cli", "dotdo")),
            Self::Project(project) => Some((&project.package, &project.program)),
            Self::Program(_) => None,
        }
    }

    /// This program's own file, where it can run on Linux as it is.
    ///
    /// # Errors
    ///
    /// `Usage` when it was built for another system.
    pub(super) fn for_linux(program: &Path) -> Result<&Path, Failure> {
        if cfg!(target_os = "linux") {
            return Ok(program);
        }
        Err(Failure::Usage(format!(
            "this program is for {}, and what is deployed must run on Linux: run the command in a project of yours (`dotdo new`), or in dotdo's repository",
            std::env::consts::OS
        )))
    }
}

/// The Dockerfile, in dotdo's repository and in projects.
pub(super) const DOCKERFILE: &str = "deploy/docker/Dockerfile";

fn project(folder: &Path, text: &str) -> Result<Project, Failure> {
    let wrong = |why: String| Failure::Usage(format!("Cargo.toml: {why}"));
    let manifest: DocumentMut =
        text.parse().map_err(|cause: toml_edit::TomlError| wrong(cause.message().to_owned()))?;
    let package = manifest.get("package").and_then(|package| package.get("name"));
    let package = package.and_then(Item::as_str).ok_or_else(|| {
        wrong(
            "expected a package that depends on dotdo, got a workspace; run the command in the package's folder"
                .to_owned(),
        )
    })?;
    let dependency = manifest.get("dependencies").and_then(|all| all.get("dotdo"));
    let dependency = dependency.ok_or_else(|| {
        wrong(format!(
            "expected a package that depends on dotdo, got {package}, which does not; `dotdo new` makes one"
        ))
    })?;
    let program = manifest
        .get("bin")
        .and_then(Item::as_array_of_tables)
        .and_then(|programs| programs.get(0)?.get("name")?.as_str().map(str::to_owned));
    let outside = dependency
        .get("path")
        .and_then(Item::as_str)
        .filter(|path| !is_inside(folder, &folder.join(path)))
        .map(PathBuf::from);
    let program = program.unwrap_or_else(|| package.to_owned());
    Ok(Project { package: package.to_owned(), program, outside })
}

fn is_inside(folder: &Path, path: &Path) -> bool {
    match (fs::canonicalize(folder), fs::canonicalize(path)) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[(&str, &str)]) -> Result<Source, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
            fs::write(path, text).expect("writable");
        }
        Source::of(folder.path())
    }

    #[test]
    fn a_project_is_its_package_and_its_program() {
        let manifest = "[package]\nname = \"shop\"\n[dependencies]\ndotdo = { git = \"https://git.example/dotdo\" }\n";
        let Ok(Source::Project(found)) = source(&[("Cargo.toml", manifest)]) else { panic!("one") };
        assert_eq!((&*found.package, &*found.program, found.outside), ("shop", "shop", None));
        let manifest =
            format!("{manifest}[[bin]]\nname = \"serve\"\n").replace("git = ", "path = ");
        let Ok(Source::Project(found)) = source(&[("Cargo.toml", &manifest)]) else {
            panic!("one")
        };
        assert_eq!(found.program, "serve");
        assert_eq!(found.outside, Some(PathBuf::from("https://git.example/dotdo")));
        let inside = manifest.replace("https://git.example/dotdo", "dotdo/adapters");
        let files = [("Cargo.toml", &*inside), ("dotdo/adapters/Cargo.toml", "")];
        let Ok(Source::Project(found)) = source(&files) else { panic!("one") };
        assert_eq!(found.outside, None);
    }

    #[test]
    fn what_is_no_project_of_dotdo_is_refused() {
        for (manifest, why) in [
            ("[workspace]\n", "got a workspace"),
            ("[package]\nname = \"other\"\n", "which does not"),
            ("[package\n", "Cargo.toml"),
        ] {
            let failure = source(&[("Cargo.toml", manifest)]).expect_err(why);
            assert!(failure.message().contains(why), "{}", failure.message());
        }
    }

    #[test]
    fn a_worker_in_javascript_is_not_taken_for_the_built_in_class() {
        let failure = source(&[("wrangler.toml", "")]).expect_err("another command builds it");
        assert!(failure.message().contains("dotdo build --target"), "{}", failure.message());
    }

    #[test]
    fn without_a_project_it_is_this_program() {
        assert!(matches!(source(&[]), Ok(Source::Program(_))));
        let files = [("cli/Cargo.toml", "name = \"dotdo-cli\"\n"), (DOCKERFILE, "")];
        assert_eq!(source(&files).ok(), Some(Source::Repository));
    }
}
