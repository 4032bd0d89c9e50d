//! `dotdo completions`.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::args;
use crate::failure::{Failure, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  source <(dotdo completions bash)
  dotdo completions zsh > \"${fpath[1]}/_dotdo\"
  dotdo completions fish > ~/.config/fish/completions/dotdo.fish
  dotdo completions powershell | Out-String | Invoke-Expression

Exit codes: 0 success, 2 wrong usage.";

/// The arguments of `dotdo completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell that completes
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints the script for a shell.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut args::command(), "dotdo", &mut script);
        put(&String::from_utf8_lossy(&script))
    }
}
