//! `dotdo settings`.

use std::process::ExitCode;

use clap::Args;

use crate::failure::{Failure, print, report};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
With --json: {\"settings\": [{\"key\", \"variables\", \"section\", \"about\", \"accepts\",
\"default\"}]}.

Exit codes: 0 success, 2 no setting matches.";

/// The arguments of `dotdo settings`.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Word in the name of a setting, such as lease or LOG_LEVEL
    word: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Settings {
    /// Prints the settings whose name contains the word.
    pub(crate) fn run(&self) -> ExitCode {
        let word = self.word.as_deref().unwrap_or_default();
        let text = match self.json {
            true => dotdo::commands::settings_matching_as_json(word),
            false => dotdo::commands::settings_matching(word),
        };
        report(text.map_err(Failure::from).map(|text| print(&text)))
    }
}
