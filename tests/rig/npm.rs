//! The npm packages as their users have them: tarballs of these sources, which npm installs.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::chores::scratch;
use crate::server::dotdo;
use crate::tools::{node_packages, npm_cache, run};

/// The folder with the packages of the projects in `scenarios/javascript/projects`.
///
/// # Panics
///
/// When they can't be installed, with what is missing.
pub fn project_packages() -> PathBuf {
    let manifest = include_str!("../scenarios/javascript/projects/package.json");
    let lock = include_str!("../scenarios/javascript/projects/package-lock.json");
    node_packages("projects", manifest, lock)
}

const MANIFEST: &str = include_str!("tools/npm/package.json");

/// What is said when a command of npm fails.
const NEEDS: &str = "Node 20 or newer with npm";

/// The packages, and an npm that reaches no network.
pub struct Npm {
    packages: TempDir,
    cache: PathBuf,
}

impl Npm {
    /// Packs the packages with this machine's program.
    ///
    /// # Panics
    ///
    /// When something is missing.
    pub fn packed() -> Self {
        let (packages, cache) = (scratch(), npm_cache("npm", MANIFEST));
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../npm/pack");
        let mut node = Command::new("node");
        node.arg(pack).args(["--fast", "--program"]).arg(dotdo()).arg("--out").arg(packages.path());
        run(&mut node, "Node 20 or newer with npm, and tar");
        Self { packages, cache }
    }

    /// The tarball whose name begins like this, before its version.
    ///
    /// # Panics
    ///
    /// When there is not one.
    pub fn tarball(&self, name: &str) -> String {
        let beginning = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let path = self.packages.path().join(format!("{beginning}.tgz"));
        assert!(path.is_file(), "{}", path.display());
        path.display().to_string()
    }

    /// The tarball with the program for this machine.
    pub fn program(&self) -> String {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        self.tarball(&format!("dotdo-{system}-{arch}"))
    }

    /// `npm`, or another program that runs in its environment, in a folder.
    pub fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        let is_ours = |name: &str| {
            ["DOTDO_", "AWS_", "R2_", "npm_", "NODE_ENV"]
                .iter()
                .any(|start| name.starts_with(start))
                || name == "PORT"
        };
        for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        command.env("npm_config_cache", &self.cache).env("npm_config_offline", "true");
        command.env("npm_config_audit", "false").env("npm_config_fund", "false");
        command
    }

    /// Runs a command to its end; what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn run(&self, folder: &Path, line: &[&str]) -> String {
        let [program, arguments @ ..] = line else { panic!("expected a command") };
        run(self.command(program, folder).args(arguments), NEEDS)
    }
}
