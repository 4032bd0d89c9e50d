//! The `dotdo` command.

mod args;
mod config;
mod deploy;
mod dev;
mod display;
mod doctor;
mod failure;
mod login;
mod manual;
mod new;
mod objects;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    args::Cli::of_process().run()
}
