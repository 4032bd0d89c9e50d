//! Tools from the package indexes of Python and Node, each in a folder of its own in the build
//! folder, pinned by files in `tools/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chores::target;

/// A tool that tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// SeaweedFS: an S3 store that keeps its promises.
    Seaweed,
    /// moto: another implementation of S3, for a second opinion.
    Moto,
    /// cargo-lambda: an emulator of AWS Lambda's APIs.
    CargoLambda,
    /// PyIceberg, polars, and DuckDB with its Iceberg extension: the readers of our tables.
    Readers,
    /// Helm's engine, and the schemas of Kubernetes.
    Helm,
    /// websockets: a client of WebSockets that compresses.
    WebSockets,
    /// The parsers of Prometheus' text format and of its queries.
    Prometheus,
}

impl Tool {
    fn pins(self) -> (&'static str, &'static str) {
        match self {
            Self::Seaweed => ("seaweedfs", include_str!("tools/seaweedfs.txt")),
            Self::Moto => ("moto", include_str!("tools/moto.txt")),
            Self::CargoLambda => ("cargo-lambda", include_str!("tools/cargo-lambda.txt")),
            Self::Readers => ("readers", include_str!("tools/readers.txt")),
            Self::Helm => ("helm", include_str!("tools/helm.txt")),
            Self::WebSockets => ("websockets", include_str!("tools/websockets.txt")),
            Self::Prometheus => ("prometheus", include_str!("tools/prometheus.txt")),
        }
    }

    /// The program `name` of this tool; installs the tool when this build folder does not have it
    /// in this version.
    ///
    /// # Panics
    ///
    /// When it can't be installed, with what is missing.
    pub fn program(self, name: &str) -> PathBuf {
        self.home().join("bin").join(name)
    }

    /// The virtual environment, complete.
    fn home(self) -> PathBuf {
        let (name, pins) = self.pins();
        complete(name, pins, |home| install(home, &home.with_extension("txt"), pins))
    }
}

/// The folder in which `node` finds the packages of `manifest`, in the versions of `lock`.
///
/// # Panics
///
/// When they can't be installed, with what is missing.
pub(crate) fn node_packages(name: &str, manifest: &str, lock: &str) -> PathBuf {
    complete(name, lock, |home| {
        let _ = fs::remove_dir_all(home);
        fs::create_dir_all(home).expect("the build folder is writable");
        fs::write(home.join("package.json"), manifest).expect("the build folder is writable");
        fs::write(home.join("package-lock.json"), lock).expect("the build folder is writable");
        let mut npm = Command::new("npm");
        // The versions of the lock file, as `npm ci` takes them. That refuses a lock file that lacks
        // optional packages for other systems, which an index may not have.
        let arguments = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
        npm.args(arguments).current_dir(home);
        run(&mut npm, "Node 20 or newer with npm, and a Node package index");
    })
}

/// The folder of a cache of npm that has all packages of `manifest`, whose versions are exact, and what
/// is known of them.
///
/// # Panics
///
/// When they can't be fetched, with what is missing.
pub(crate) fn npm_cache(name: &str, manifest: &str) -> PathBuf {
    let home = complete(name, manifest, |home| {
        let _ = fs::remove_dir_all(home);
        fs::create_dir_all(home.join("project")).expect("the build folder is writable");
        fs::write(home.join("project/package.json"), manifest)
            .expect("the build folder is writable");
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--cache"])
            .arg(home.join("cache"))
            .current_dir(home.join("project"));
        run(&mut npm, "Node 20 or newer with npm, and a Node package index");
    });
    home.join("cache")
}

/// The folder of the tool `name` after `install`, which is only run when the build folder does not
/// have it with these pins.
fn complete(name: &str, pins: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let rigs = target().join("rigs");
    fs::create_dir_all(&rigs).expect("the build folder is writable");
    let home = rigs.join(name);
    // Test binaries run at the same time; one installs, the others wait.
    let lock =
        File::create(rigs.join(format!("{name}.lock"))).expect("the build folder is writable");
    lock.lock().expect("files can be locked");
    let installed = home.join("installed.txt");
    if !fs::read_to_string(&installed).is_ok_and(|found| found == pins) {
        install(&home);
        fs::write(installed, pins).expect("the build folder is writable");
    }
    home
}

fn install(home: &Path, file: &Path, pins: &str) {
    let _ = fs::remove_dir_all(home);
    fs::write(file, pins).expect("the build folder is writable");
    run(
        Command::new("python3").args(["-m", "venv"]).arg(home),
        "Python 3.11 or newer with its venv module",
    );
    // The files name all that is used; cargo-lambda would bring a compiler along.
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "--no-input",
        "-r",
    ];
    run(Command::new(home.join("bin/python")).args(pip).arg(file), "a Python package index");
}

/// Runs a command to its end; `needs` is said when it fails.
pub(crate) fn run(command: &mut Command, needs: &str) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("this test needs {needs}: {command:?} does not start: {error}")
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "this test needs {needs}: {command:?} failed, {}\n{stderr}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
