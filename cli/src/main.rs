//! The `dotdo` command.

mod args;

use std::process::ExitCode;

use clap::Parser;
use dotdo::App;
use dotdo::graph::Graph;

use self::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => {
            dotdo::run_with(App::new().class("DO", || Graph), options.into())
        }
        Command::Health(about) => {
            let question = about.question();
            dotdo::health(about.into(), question)
        }
    }
}
