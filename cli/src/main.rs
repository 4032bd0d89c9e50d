//! The `dotdo` command.

mod args;
mod failure;
mod login;
mod manual;
mod new;

use std::process::ExitCode;

fn main() -> ExitCode {
    args::Cli::of_process().run()
}
