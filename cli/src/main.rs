//! The `dotdo` command.

mod args;
mod login;
mod new;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use dotdo::{App, Serve};
use dotdo_builtin::Graph;

use self::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => {
            let app = App::new().class("DO", || Graph);
            let serve = Serve::new(app).options(options.into());
            match login::of_settings() {
                Some(login) => serve.login(login).run(),
                None => serve.run(),
            }
        }
        Command::Broker(options) => dotdo::commands::run_broker(options.into()),
        Command::Health(about) => {
            let question = about.question();
            dotdo::commands::health(about.into(), question)
        }
        Command::Settings(about) => settings(about.word.as_deref().unwrap_or_default()),
        Command::New(about) => new::run(&about),
        Command::Login(about) => login::report(about.run()),
        Command::Logout(about) => login::report(about.run()),
        Command::Whoami(about) => login::report(about.run()),
        Command::Token(about) => login::report(about.run()),
    }
}

/// Prints the settings whose name contains `word`.
fn settings(word: &str) -> ExitCode {
    // An error while writing means that the reader is gone, as in `dotdo settings | head`.
    match dotdo::commands::settings_matching(word) {
        Ok(text) => {
            let _ = writeln!(io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "dotdo: {}", error.message());
            ExitCode::from(2)
        }
    }
}
