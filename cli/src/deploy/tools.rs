//! The platforms' own tools: where they are, which version, and whether somebody is logged in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    /// The program.
    pub(super) program: &'static str,
    /// The arguments with which it prints its version.
    pub(super) version: &'static [&'static str],
    /// The arguments of a command that fails if nobody is logged in.
    pub(super) who: Option<&'static [&'static str]>,
    /// The command that logs in.
    pub(super) log_in: &'static str,
    /// How to get it.
    pub(super) install: &'static str,
}

/// A tool that is there.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// What it says of its version; empty if it says nothing.
    pub(crate) version: String,
}

/// Why a tool can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is not on the path.
    Program,
    /// Nobody is logged in.
    Login,
}

/// Maximum number of characters of a version that are shown.
const VERSION_CHARS_MAX: usize = 60;

impl Tool {
    /// The program's name.
    pub(crate) fn name(&self) -> &'static str {
        self.program
    }

    /// How to get it.
    pub(crate) fn how_to_install(&self) -> &'static str {
        self.install
    }

    /// The tool, if it is on the path.
    pub(crate) fn find(&self) -> Option<Found> {
        let path = on_path(self.program)?;
        let output = asking(&path, self.version).output().ok();
        let text = output.map(|output| {
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            if stdout.trim().is_empty() {
                String::from_utf8_lossy(&output.stderr).into_owned()
            } else {
                stdout
            }
        });
        let line = text
            .as_deref()
            .and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
        let version = line.unwrap_or_default().chars().take(VERSION_CHARS_MAX).collect();
        Some(Found { path, version })
    }

    /// Whether somebody is logged in; tools without logins always say yes.
    pub(super) fn is_logged_in(&self, found: &Found) -> bool {
        let Some(who) = self.who else { return true };
        let mut command = asking(&found.path, who);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// What to do about a tool that can't be used.
    pub(super) fn remedy(&self, missing: &Missing) -> String {
        let Self { program, install, log_in, .. } = self;
        match missing {
            Missing::Program => format!("{program} is not on the PATH: {install}"),
            Missing::Login => format!("{program} is not logged in: run `{log_in}`"),
        }
    }
}

/// A question to a tool, which our own settings are no business of.
fn asking(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let ours =
        |name: &str| ["DOTDO_", "R2_", "JWT_TOKEN"].iter().any(|ours| name.starts_with(ours));
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| ours(name)).for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// A program on the path.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file() || file.with_extension("exe").is_file() || file.with_extension("cmd").is_file()
}
