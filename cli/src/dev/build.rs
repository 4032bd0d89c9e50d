//! `cargo build`, and the program that it made.

use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::child::Group;
use crate::failure::{Failure, note};

/// What a build made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Built {
    /// A program; `fresh` if it was there already.
    Program { path: PathBuf, fresh: bool },
    /// Nothing: cargo has said why.
    Failed,
}

/// A message of cargo about something that it made.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Builds the project. Dropping the future ends cargo and what it has started.
///
/// # Errors
///
/// `Failed` when cargo can't be started, or the project has not exactly one program.
pub(super) async fn build(arguments: &[String]) -> Result<Built, Failure> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--message-format", "json-render-diagnostics"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    #[cfg(unix)]
    command.process_group(0);
    let mut cargo = command
        .spawn()
        .map_err(|cause| Failure::of("can't run cargo (https://rustup.rs installs it)", cause))?;
    let group = Group::of(&cargo);
    let stdout = cargo.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    let mut programs = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        programs.extend(program_of(&line));
    }
    let status = cargo.wait().await.map_err(|cause| Failure::of("can't wait for cargo", cause))?;
    group.has_ended();
    if !status.success() {
        return Ok(Built::Failed);
    }
    match (programs.pop(), programs.len()) {
        (Some(program), 0) => Ok(program),
        (found, others) => {
            let count = others + usize::from(found.is_some());
            note(&format!(
                "dotdo dev: expected one program, got {count}; choose one with `dotdo dev -- --bin NAME`"
            ));
            Ok(Built::Failed)
        }
    }
}

/// The program that a line of cargo's output is about.
fn program_of(line: &str) -> Option<Built> {
    let message: Message = serde_json::from_str(line).ok()?;
    let path = message.executable.filter(|_| message.reason == "compiler-artifact")?;
    Some(Built::Program { path, fresh: message.fresh })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_what_cargo_prints() {
        let line =
            r#"{"reason":"compiler-artifact","executable":"/t/debug/a","fresh":true,"target":{}}"#;
        let path = PathBuf::from("/t/debug/a");
        assert_eq!(program_of(line), Some(Built::Program { path, fresh: true }));
        for other in [
            r#"{"reason":"compiler-artifact","executable":null,"fresh":false}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "no JSON",
        ] {
            assert_eq!(program_of(other), None);
        }
    }
}
