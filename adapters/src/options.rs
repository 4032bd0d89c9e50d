//! What a command line says about serving, and the exit codes that a program ends with.

use dotdo_core::Result;

use crate::config::Sources;

/// The exit code of a program that did what it was asked to.
pub(crate) const DONE: u8 = 0;
/// The exit code of a program that failed, or was ended by a second signal.
pub(crate) const FAILED: u8 = 1;
/// The exit code of a program that was started the wrong way.
pub(crate) const MISUSED: u8 = 2;

/// What a command line says about serving. What it leaves out comes from the environment, the files
/// and the defaults.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The address to listen on.
    pub host: Option<String>,
    /// The port to listen on.
    pub port: Option<String>,
    /// Where the state is kept.
    pub storage: Option<String>,
    /// The class of requests that name none.
    pub default_class: Option<String>,
    /// How much is logged.
    pub log_level: Option<String>,
    /// Serve other machines although nobody has to prove who they are.
    pub allow_unauthenticated: bool,
}

impl ServeOptions {
    /// What they, the environment and the files say.
    ///
    /// # Errors
    ///
    /// `Invalid` when a file is there and can't be read.
    pub(crate) fn sources(self) -> Result<Sources> {
        Sources::gather(self.flags())
    }

    /// The settings that were given: key, flag, value.
    fn flags(self) -> Vec<(&'static str, &'static str, String)> {
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
        given.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))).collect()
    }
}
