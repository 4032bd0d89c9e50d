//! `dotdo health`.

use clap::Args;
use dotdo::ServeOptions;

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Sends GET /health (or GET /ready) to the address and the port in the settings,
and prints the response.

Exit codes: 0 healthy; 1 unhealthy, not running or no response within 4 s;
2 wrong usage or settings.";

/// The arguments of `dotdo health`.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Address that the server listens on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port that the server listens on [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// Check that the server can use its store, too
    #[arg(long)]
    ready: bool,
}

impl Health {
    /// The check to make.
    pub(crate) fn question(&self) -> dotdo::commands::Health {
        if self.ready { dotdo::commands::Health::Ready } else { dotdo::commands::Health::Up }
    }
}

impl From<Health> for ServeOptions {
    fn from(Health { host, port, ready: _ }: Health) -> Self {
        Self { host, port, ..Self::default() }
    }
}
