//! A container of an image, instead of a process: `deploy/docker/try --contract` makes the image
//! and runs the suite so.
//!
//! It is the same HTTP. The user is the image's own, its root can't be written to, and signals go
//! to the program, not to Podman.

use std::os::unix::fs::chown;
use std::process::{Command, Output};

use dotdo_tests::{Setup, unique};
use nix::sys::signal::Signal;

/// The user of the image; what it shall write to must be its.
const USER: u32 = 10_001;

/// The longest that a container runs when nobody is left to end it.
const LIFETIME_SECONDS: u32 = 1800;

/// A running container; it ends with its handle.
pub(super) struct Container {
    name: String,
}

impl Container {
    /// How to start a container of `image` as `setup` would start its program.
    pub(super) fn of(image: &str, setup: &Setup) -> (Self, Setup) {
        let name = format!("dotdo-contract-{}", unique().simple());
        let mut arguments: Vec<String> =
            ["--runtime", "runc", "run", "--rm", "--no-healthcheck", "--sig-proxy=false"]
                .map(str::to_owned)
                .to_vec();
        arguments.extend(
            [
                "--network",
                "host",
                "--read-only",
                "--cap-drop",
                "all",
                "--security-opt",
                "no-new-privileges",
            ]
            .map(str::to_owned),
        );
        arguments.extend(
            ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", "--name", &name]
                .map(str::to_owned),
        );
        arguments.push(format!("--timeout={LIFETIME_SECONDS}"));
        for (variable, value) in setup
            .command()
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
        {
            arguments.push(format!("--env={variable}={value}"));
            if let Some(folder) = value.strip_prefix("file://") {
                chown(folder, Some(USER), Some(USER)).unwrap_or_else(|cause| {
                    panic!("{folder} can't be given to the image's user: {cause}")
                });
                arguments.push(format!("--volume={folder}:{folder}"));
            }
        }
        arguments.push(image.to_owned());
        let setup = arguments.into_iter().fold(setup.clone().program("podman"), Setup::arg);
        (Self { name }, setup)
    }

    /// Signals the program in it. One that has ended already is left alone.
    pub(super) fn signal(&self, signal: Signal) {
        let done = self.podman(&["kill", "--signal", signal.as_str()]);
        let said = String::from_utf8_lossy(&done.stderr);
        let has_ended =
            ["no such container", "no container", "not running", "container state improper"]
                .iter()
                .any(|words| said.contains(words));
        assert!(done.status.success() || has_ended, "{} can't be signalled: {said}", self.name);
    }

    fn podman(&self, arguments: &[&str]) -> Output {
        Command::new("podman")
            .args(["--runtime", "runc"])
            .args(arguments)
            .arg(&self.name)
            .output()
            .expect("podman, which has started it")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.podman(&["rm", "--force", "--time=0"]);
    }
}
