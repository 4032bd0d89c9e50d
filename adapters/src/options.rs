//! Settings from a command line, and the exit codes of a program.

use dotdo_core::Result;

use crate::config::{Flag, Sources};

/// The exit code of success.
pub(crate) const DONE: u8 = 0;
/// The exit code of a failure, and after a second signal.
pub(crate) const FAILED: u8 = 1;
/// The exit code of wrong usage or a wrong configuration.
pub(crate) const MISUSED: u8 = 2;

/// Settings from a command line. They take precedence over the environment and the files; a field
/// that is `None` (or `false`) leaves the setting to these and to the default. [`Serve`](crate::Serve)
/// has an example.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The address to listen on.
    pub host: Option<String>,
    /// The port to listen on.
    pub port: Option<String>,
    /// The folder or bucket for all state.
    pub storage: Option<String>,
    /// The class for requests that do not name one.
    pub default_class: Option<String>,
    /// The log level.
    pub log_level: Option<String>,
    /// Whether to accept requests from other machines without authentication.
    pub allow_unauthenticated: bool,
}

impl ServeOptions {
    /// These settings together with those of the environment and the files.
    ///
    /// # Errors
    ///
    /// `Invalid` when a file exists but can't be read.
    pub(crate) fn sources(self) -> Result<Sources> {
        Sources::gather(self.flags())
    }

    /// The given settings, as flags.
    fn flags(self) -> Vec<Flag> {
        let given = [
            ("host", "--host", self.host),
            ("port", "--port", self.port),
            ("storage", "--storage", self.storage),
            ("default_class", "--default-class", self.default_class),
            ("log.level", "--log-level", self.log_level),
            (
                "allow_unauthenticated",
                "--allow-unauthenticated",
                self.allow_unauthenticated.then(|| "true".to_owned()),
            ),
        ];
        let flag =
            |(key, name, value): (_, _, Option<String>)| Some(Flag { key, name, value: value? });
        given.into_iter().filter_map(flag).collect()
    }
}
