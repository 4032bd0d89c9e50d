//! The `dotdo` command.

mod args;
#[cfg(feature = "javascript")]
mod build;
#[cfg(feature = "javascript")]
mod check;
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
mod parent;
mod terminal;
#[cfg(feature = "javascript")]
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    parent::watch();
    args::Cli::of_process().run()
}
