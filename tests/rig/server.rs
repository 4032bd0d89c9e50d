//! A real `dotdo` server: the binary that users run, in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use nix::sys::signal::Signal;

use crate::chores::{Deadline, profile, target};
use crate::process::Process;

/// How long a server may take to listen and to be ready.
const START_SECONDS_MAX: u64 = 180;

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `None`: the `dotdo` command, built when it is first needed.
    program: Option<PathBuf>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The working directory; `None`: that of the test.
    directory: Option<PathBuf>,
}

impl Setup {
    /// `dotdo serve` on a free port with its state at `storage`, such as `file:///tmp/state` or
    /// `s3://bucket/prefix`.
    ///
    /// # Panics
    ///
    /// When the program can't be built.
    pub fn new(storage: &str) -> Self {
        let arguments = ["serve", "--host", "127.0.0.1", "--port", "0", "--storage", storage]
            .map(str::to_owned)
            .to_vec();
        Self { program: None, arguments, environment: Vec::new(), directory: None }
    }

    /// The `dotdo` command with these arguments, in this working directory.
    pub(crate) fn command_line(arguments: Vec<String>, directory: &Path) -> Self {
        let directory = Some(directory.to_owned());
        Self { program: None, arguments, environment: Vec::new(), directory }
    }

    /// `dotdo broker` on a free port for the tenants' state at `storage`.
    ///
    /// # Panics
    ///
    /// When the program can't be built.
    pub fn broker(storage: &str) -> Self {
        let mut setup = Self::new(storage);
        setup.arguments[0] = "broker".to_owned();
        setup
    }

    /// A user's program, such as an example: it takes no arguments and is configured by its
    /// environment.
    pub fn of(program: impl Into<PathBuf>, storage: &str) -> Self {
        let environment = [("DOTDO_HOST", "127.0.0.1"), ("DOTDO_STORAGE", storage), ("PORT", "0")];
        let environment =
            environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { program: Some(program.into()), arguments: Vec::new(), environment, directory: None }
    }

    /// Another program than `dotdo`, such as an example, that takes the same arguments.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The command, without any variable of the test's own environment that configures servers.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program.clone().unwrap_or_else(dotdo));
        command.args(&self.arguments);
        let is_ours = |name: &str| {
            ["DOTDO_", "AWS_", "R2_", "REDIS_", "TURSO_", "WORKOS_", "JWT_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                || name == "PORT"
        };
        for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it ends or is not ready in time, with what it wrote.
    pub async fn start(&self) -> Server {
        let server = self.start_listening().await;
        let client = reqwest::Client::new();
        let url = server.url("/ready");
        let ready = || async {
            client.get(&url).send().await.ok().filter(|answer| answer.status().is_success())
        };
        let is_ready = Deadline::in_seconds(START_SECONDS_MAX).until(ready).await.is_some();
        assert!(
            is_ready,
            "the server is not ready after {START_SECONDS_MAX} s:\n{}",
            server.stderr()
        );
        server
    }

    /// Starts it and waits until it listens, ready or not.
    ///
    /// # Panics
    ///
    /// When it ends or does not listen in time, with what it wrote.
    pub async fn start_listening(&self) -> Server {
        self.try_start()
            .await
            .unwrap_or_else(|log| panic!("the server ended before it listened:\n{log}"))
    }

    /// Starts it and waits until it listens, ready or not.
    ///
    /// # Errors
    ///
    /// What it logged, when it ended before that, as it does without a store.
    ///
    /// # Panics
    ///
    /// When it neither listens nor ends in time, with what it wrote.
    pub async fn try_start(&self) -> Result<Server, String> {
        let process = Process::start(&mut self.command());
        let deadline = Deadline::in_seconds(START_SECONDS_MAX);
        loop {
            if let Some(address) = listening_address(&process.stderr()) {
                return Ok(Server { base: format!("http://{address}"), process });
            }
            if process.ended().is_some() {
                let (status, log) = process.last_words();
                return Err(format!("{log}\n{status}"));
            }
            assert!(
                !deadline.is_over(),
                "the server does not listen after {START_SECONDS_MAX} s:\n{}",
                process.stderr()
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// A running server.
pub struct Server {
    process: Process,
    base: String,
}

impl Server {
    /// The URL of `path`, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The operating system's number of it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has logged.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Closes the other end of its standard error after its next line.
    pub fn hear_no_more(&self) {
        self.process.hear_no_more();
    }

    /// Ends it as a loss of power would, as far as a process can tell.
    pub fn kill9(&self) {
        self.process.kill9();
    }

    /// Asks it to end in order and waits until it has.
    pub fn terminate(&self) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.process.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&self) -> ExitStatus {
        self.process.wait()
    }

    /// Sends it any other signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process.ended()
    }
}

/// The address in the log line that says `listening`, whether it is text or JSON.
fn listening_address(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let from = line.find("127.0.0.1:")?;
    let address: String = line[from..]
        .chars()
        .take_while(|char| char.is_ascii_digit() || ".:".contains(*char))
        .collect();
    Some(address)
}

/// The `dotdo` program, built from these sources.
///
/// # Panics
///
/// When it can't be built.
pub fn dotdo() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

/// Builds it with the very features that `cargo test --workspace` has given every dependency, so
/// that none is compiled twice: those of the whole workspace, with development dependencies, which
/// naming a test asks for.
fn build() -> PathBuf {
    let profile = profile();
    let mut command = Command::new(env!("CARGO"));
    command
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "dotdo",
            "--test",
            "tidy",
            "--target-dir",
        ])
        .arg(target());
    if profile.ends_with("release") {
        command.arg("--release");
    }
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // What cargo tells a test of its package. Build scripts, such as that of `ring`, run again when it
    // changes, and with them everything that depends on theirs.
    let of_package = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "OUT_DIR"];
    for (name, _) in std::env::vars() {
        if of_package.iter().any(|beginning| name.starts_with(beginning)) {
            command.env_remove(name);
        }
    }
    let output = command.output().expect("cargo, which has built this test, can be started");
    assert!(
        output.status.success(),
        "dotdo can't be built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    profile.join("dotdo")
}
