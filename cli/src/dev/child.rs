//! The processes that are started: each in a group of its own, so that Ctrl-C reaches only this
//! program, which then ends them in order.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::failure::{Failure, note};

/// How long a server may take to stop: longer than its own `shutdown.deadline_ms`.
const STOP_MAX: Duration = Duration::from_secs(15);

/// A server.
pub(super) struct Child {
    process: tokio::process::Child,
    group: Group,
}

/// A process with those that it has started; what is left of it ends with the value.
pub(super) struct Group(Option<u32>);

impl Group {
    /// The group of a process that was started in one of its own.
    pub(super) fn of(process: &tokio::process::Child) -> Self {
        Self(process.id())
    }

    /// The process has ended, and its id may be another's now.
    pub(super) fn has_ended(mut self) {
        self.0 = None;
    }

    #[cfg(unix)]
    fn send(&self, signal: nix::sys::signal::Signal) {
        let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) else { return };
        // It may have ended meanwhile.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.send(nix::sys::signal::Signal::SIGKILL);
    }
}

impl Child {
    /// Starts a program with more variables in its environment.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be started.
    pub(super) fn start(
        program: &Path,
        arguments: &[&str],
        variables: Vec<(&str, String)>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.args(arguments).envs(variables).stdin(Stdio::null()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let process = command
            .spawn()
            .map_err(|cause| Failure::of(&format!("can't run {}", program.display()), cause))?;
        let group = Group::of(&process);
        Ok(Self { process, group })
    }

    /// Waits for its end, and says how it ended.
    pub(super) async fn ended(&mut self) -> String {
        match self.process.wait().await {
            Ok(status) => {
                self.group.0 = None;
                status_text(status)
            }
            Err(cause) => cause.to_string(),
        }
    }

    /// Has it stop, and waits for that.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be waited for.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        self.group.send(nix::sys::signal::Signal::SIGTERM);
        #[cfg(not(unix))]
        let _ = self.process.start_kill();
        match tokio::time::timeout(STOP_MAX, self.process.wait()).await {
            Ok(ended) => {
                ended.map_err(|cause| Failure::of("can't wait for the server", cause))?;
                self.group.has_ended();
            }
            Err(_) => note(&format!(
                "dotdo dev: the server did not stop within {} s, and was killed",
                STOP_MAX.as_secs()
            )),
        }
        Ok(())
    }
}

fn status_text(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}
