//! What the command line takes. Values are checked where those of the environment and the files
//! are, so they get the same answers.

use clap::{Args, Parser, Subcommand};
use dotdo::ServeOptions;

const EXAMPLES: &str = "\
Examples:
  dotdo                                         serve on 127.0.0.1:8787, state in ./.dotdo
  dotdo serve --port 3000 --storage /srv/state  another port and folder
  dotdo serve --storage s3://bucket/prefix      a bucket (AWS_*, or R2_ENDPOINT and R2_* for Cloudflare R2)
  dotdo serve --storage memory://               nothing is kept

  curl http://127.0.0.1:8787/do/hello/things    ask the object \"hello\"
  dotdo health                                  ask the server on this machine whether it is up

Settings without a flag come from the environment, ./dotdo.toml and ~/.config/dotdo/config.toml
(--help lists them all, -h does not).

Exit codes: 0 done, 1 failed or ended by a second signal, 2 wrong usage or configuration.";

/// The examples, and every setting.
fn everything() -> String {
    format!("{EXAMPLES}\n\n{}", dotdo::settings_reference())
}

/// Durable objects without a server to run or a database to rent.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "dotdo", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES, after_long_help = everything())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve objects over HTTP (the default)
    #[command(after_help = EXAMPLES, after_long_help = everything())]
    Serve(Serve),
    /// Ask the server on this machine whether it is up
    #[command(
        after_help = "Asks GET /health, or /ready, where the settings say that the server listens, and prints the answer.\n\n\
                            Exit codes: 0 it is well, 1 it is not, does not run or does not answer within 4 s, 2 wrong usage or configuration."
    )]
    Health(Health),
}

/// Where the server is, and what it is asked.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Address that it listens on [env: DOTDO_HOST] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port that it listens on [env: PORT] [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// Ask whether it can use its store as well
    #[arg(long)]
    ready: bool,
}

impl Health {
    /// What is asked.
    pub(crate) fn question(&self) -> dotdo::Health {
        if self.ready { dotdo::Health::Ready } else { dotdo::Health::Up }
    }
}

impl From<Health> for ServeOptions {
    fn from(Health { host, port, ready: _ }: Health) -> Self {
        Self { host, port, ..Self::default() }
    }
}

/// What serving takes.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on [env: DOTDO_HOST] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on, 0 for any free one [env: PORT] [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// Where the state is kept: a folder, s3://, gs://, az:// or memory:// [env: DOTDO_STORAGE]
    /// [default: ./.dotdo]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Class of requests that name none [env: DEFAULT_DO_CLASS]
    #[arg(long, value_name = "CLASS")]
    default_class: Option<String>,
    /// How much is logged: error, warn, info, debug, trace or off [env: LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Serve other machines although nobody has to prove who they are: private networks only [env:
    /// DOTDO_ALLOW_UNAUTHENTICATED]
    #[arg(long)]
    allow_unauthenticated: bool,
}

impl From<Serve> for ServeOptions {
    fn from(serve: Serve) -> Self {
        Self {
            host: serve.host,
            port: serve.port,
            storage: serve.storage,
            default_class: serve.default_class,
            log_level: serve.log_level,
            allow_unauthenticated: serve.allow_unauthenticated,
        }
    }
}
