//! The `dotdo` command.

mod args;
mod failure;
mod login;
mod new;

use std::process::ExitCode;

fn main() -> ExitCode {
    args::Cli::of_process().run()
}
