//! The command line. Values are checked together with those of the environment and the files, so
//! that the same mistake gets the same error everywhere.

pub(crate) mod broker;
pub(crate) mod health;
pub(crate) mod serve;
pub(crate) mod settings;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::broker::Broker;
use self::health::Health;
use self::serve::{Serve, ServeWorker};
use self::settings::Settings;
#[cfg(feature = "javascript")]
use crate::build::{self, Build};
#[cfg(feature = "javascript")]
use crate::check::{self, Check};
use crate::config::{self, Config};
use crate::deploy::{self, Deploy};
use crate::dev::{self, Dev};
use crate::doctor::{self, Doctor};
use crate::failure::report;
use crate::login::{self, Login, Logout, Token, Whoami};
use crate::manual::completions::{self, Completions};
use crate::manual::man::{self, ManPages};
use crate::new::{self, New};
use crate::objects::clone::{self, Clone};
use crate::objects::diff::{self, Diff};
use crate::objects::get::{self, Get};
use crate::objects::inspect::{self, Inspect};
use crate::objects::ls::{self, Ls};
use crate::objects::mv::{self, Mv};
use crate::objects::rm::{self, Rm};
use crate::objects::rollup::{self, Rollup};
use crate::objects::snapshot::Snapshot;
use crate::objects::sql::{self, Sql};
use crate::objects::tail::{self, Tail};
use crate::objects::verify::{self, Verify};

/// The commands by subject, in the order of the help. Every command is in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Serve", &["serve", "broker", "health", "settings", "config", "doctor"]),
    (
        "Objects",
        &[
            "ls", "inspect", "get", "sql", "tail", "diff", "verify", "snapshot", "clone", "mv",
            "rm", "rollup",
        ],
    ),
    ("Account", &["login", "logout", "whoami", "token"]),
    ("Project", PROJECT),
];

/// What is about a project.
#[cfg(feature = "javascript")]
const PROJECT: &[&str] = &["new", "dev", "check", "build", "deploy", "completions", "man"];
#[cfg(not(feature = "javascript"))]
const PROJECT: &[&str] = &["new", "dev", "deploy", "completions", "man"];

/// What follows the options in the help of `dotdo` itself.
const HELP: &str = "\
Without a command, it is `dotdo serve`. `dotdo COMMAND --help` has examples, and
`dotdo settings` lists all settings.
Exit codes: 0 success, 1 failure or a second signal, 2 wrong usage or settings.";

/// Durable objects without a server to run or a database to rent
#[derive(Debug, Parser)]
#[command(
    name = "dotdo",
    version,
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    after_help = HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve objects over HTTP (the default command)
    #[command(after_help = serve::HELP)]
    Serve(ServeWorker),
    /// Exchange tokens for short-lived keys of a part of a bucket
    #[command(after_help = broker::HELP)]
    Broker(Broker),
    /// Check the server that runs on this machine
    #[command(after_help = health::HELP)]
    Health(Health),
    /// List all settings, or those whose name contains a word
    #[command(after_help = settings::HELP)]
    Settings(Settings),
    /// Read and write settings
    #[command(after_help = config::HELP)]
    Config(Config),
    /// Check whether a server could run here, and what to do if not
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
    /// Build and serve the project here, again whenever it changes
    #[command(after_help = dev::HELP)]
    Dev(Dev),
    /// Load a worker in JavaScript, and list its classes
    #[cfg(feature = "javascript")]
    #[command(after_help = check::HELP)]
    Check(Check),
    /// Write what a platform or a machine needs to serve a worker
    #[cfg(feature = "javascript")]
    #[command(after_help = build::HELP)]
    Build(Build),
    /// Deploy to a platform, by the platform's own tool
    #[command(after_help = deploy::HELP)]
    Deploy(Deploy),
    /// List objects, or the classes that have some
    #[command(after_help = ls::HELP)]
    Ls(Ls),
    /// Show what an object has: tables, owner, log, snapshots, alarms
    #[command(after_help = inspect::HELP)]
    Inspect(Inspect),
    /// Show the rows of a table with a key
    #[command(after_help = get::HELP)]
    Get(Get),
    /// Run SQL on an object, or open a prompt
    #[command(after_help = sql::HELP)]
    Sql(Sql),
    /// Show the requests that a server answers, as they happen
    #[command(after_help = tail::HELP)]
    Tail(Tail),
    /// Compare two objects, or an object at two times
    #[command(after_help = diff::HELP)]
    Diff(Diff),
    /// Check every record and file of objects
    #[command(after_help = verify::HELP)]
    Verify(Verify),
    /// List, create, export, import and restore states of objects
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Copy an object
    #[command(after_help = clone::HELP)]
    Clone(Clone),
    /// Rename an object, or move the objects of a class
    #[command(after_help = mv::HELP)]
    Mv(Mv),
    /// Remove an object and all it has
    #[command(after_help = rm::HELP)]
    Rm(Rm),
    /// Have all objects of a class in its tables for analytics
    #[command(after_help = rollup::HELP)]
    Rollup(Rollup),
    /// Log in at an OpenID issuer
    #[command(after_help = login::LOGIN_HELP)]
    Login(Login),
    /// End the login
    #[command(after_help = login::LOGOUT_HELP)]
    Logout(Logout),
    /// Show who is logged in
    #[command(after_help = login::WHOAMI_HELP)]
    Whoami(Whoami),
    /// Print an access token, or work with deploy tokens
    #[command(after_help = login::TOKEN_HELP)]
    Token(Token),
    /// Create a project with a class and a test
    #[command(after_help = new::HELP)]
    New(New),
    /// Print the completions of a shell
    #[command(after_help = completions::HELP)]
    Completions(Completions),
    /// Write the man pages into a folder
    #[command(after_help = man::HELP)]
    Man(ManPages),
}

impl Cli {
    /// The command line of this process. One that is wrong, or asks for help, ends it.
    pub(crate) fn of_process() -> Self {
        let matches = command().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Does what was asked.
    pub(crate) fn run(self) -> ExitCode {
        let Some(command) = self.command else { return self.serve.run() };
        match command {
            Command::Serve(about) => about.run(),
            Command::Broker(about) => dotdo::commands::run_broker(about.into()),
            Command::Health(about) => {
                let question = about.question();
                dotdo::commands::health(about.into(), question)
            }
            Command::Settings(about) => about.run(),
            Command::Config(about) => report(about.run()),
            Command::Doctor(about) => report(about.run()),
            Command::Dev(about) => report(about.run()),
            #[cfg(feature = "javascript")]
            Command::Check(about) => report(about.run()),
            #[cfg(feature = "javascript")]
            Command::Build(about) => report(about.run()),
            Command::Deploy(about) => report(about.run()),
            Command::Ls(about) => report(about.run()),
            Command::Inspect(about) => report(about.run()),
            Command::Get(about) => report(about.run()),
            Command::Sql(about) => report(about.run()),
            Command::Tail(about) => report(about.run()),
            Command::Diff(about) => about.run(),
            Command::Verify(about) => about.run(),
            Command::Snapshot(about) => report(about.run()),
            Command::Clone(about) => report(about.run()),
            Command::Mv(about) => report(about.run()),
            Command::Rm(about) => report(about.run()),
            Command::Rollup(about) => report(about.run()),
            Command::Login(about) => report(about.run()),
            Command::Logout(about) => report(about.run()),
            Command::Whoami(about) => report(about.run()),
            Command::Token(about) => report(about.run()),
            Command::New(about) => new::run(&about),
            Command::Completions(about) => report(about.run()),
            Command::Man(about) => report(about.run()),
        }
    }
}

/// The parser. Its help lists the commands by group, and leaves the options of `serve` to that
/// command's help.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command().mut_args(|argument| argument.hide(true));
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        groups(&command)
    );
    command.override_usage("dotdo [COMMAND] [OPTIONS]").help_template(template)
}

/// The commands with what they do, by group.
fn groups(command: &clap::Command) -> String {
    /// Columns before what a command does.
    const NAME_COLUMNS: usize = 13;
    let line = |name: &&str| {
        let about = command.find_subcommand(name).and_then(clap::Command::get_about);
        let about = about.map(ToString::to_string).unwrap_or_default();
        format!("  {name:<NAME_COLUMNS$}{about}\n")
    };
    let group = |(heading, names): &(&str, &[&str])| {
        format!("{heading}:\n{}\n", names.iter().map(line).collect::<String>())
    };
    GROUPS.iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command();
        let mut commands: Vec<&str> = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(clap::Command::get_name)
            .collect();
        grouped.sort_unstable();
        commands.sort_unstable();
        assert_eq!(grouped, commands);
    }

    #[test]
    fn the_parser_is_consistent() {
        command().debug_assert();
    }
}
