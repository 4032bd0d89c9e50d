//! `dotdo settings`.

use std::process::ExitCode;

use clap::Args;

use crate::failure::{Failure, print, report};

/// What follows the options in its help.
pub(crate) const HELP: &str = "Exit codes: 0 success, 2 no setting matches.";

/// The arguments of `dotdo settings`.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Word in the name of a setting, such as lease or LOG_LEVEL
    word: Option<String>,
}

impl Settings {
    /// Prints the settings whose name contains the word.
    pub(crate) fn run(&self) -> ExitCode {
        let word = self.word.as_deref().unwrap_or_default();
        report(
            dotdo::commands::settings_matching(word)
                .map_err(Failure::from)
                .map(|text| print(&text)),
        )
    }
}
