//! The command line. Values are checked together with those of the environment and the files, so
//! that the same mistake gets the same error everywhere.

use clap::{Args, Parser, Subcommand};
use dotdo::ServeOptions;

use crate::login::{Login, Logout, Token, Whoami};
use crate::new::New;

const EXAMPLES: &str = "\
Examples:
  dotdo                               Serve on 127.0.0.1:8787 from ./.dotdo
  dotdo -p 3000 --storage /srv/state  Serve on another port, from another folder
  dotdo --storage s3://bucket/prefix  Keep the state in a bucket (AWS_* are the
                                      credentials, or R2_* for Cloudflare R2)
  dotdo --storage memory://           Keep nothing
  dotdo health --ready                Check that the server can use its store
  dotdo settings lease                List the settings about leases

  curl http://127.0.0.1:8787/do/hello/things  Query the object hello";

const SETTINGS: &str = "\
A setting without a flag is read from its environment variable, ./dotdo.toml or
~/.config/dotdo/config.toml. `dotdo settings` lists all settings.

Exit codes: 0 success, 1 failure or a second signal, 2 wrong usage or settings.";

const BROKER: &str = "\
Needs the issuer of the tokens (auth.issuer), the bucket (storage) with keys for
all of it, and what makes keys: a role of the store's token service
(broker.role_arn), or Cloudflare's API (broker.r2_account_id and
broker.r2_api_token). docs/IDENTITY.md has an example.

  POST /v1/credentials       Exchange a token for keys
  POST /v1/deploy-tokens     Issue a deploy token; GET lists, DELETE revokes

Exit codes: 0 success, 1 failure or a second signal, 2 wrong usage or settings.";

const HEALTH: &str = "\
Sends GET /health (or GET /ready) to the address and the port in the settings,
and prints the response.

Exit codes: 0 healthy; 1 unhealthy, not running or no response within 4 s;
2 wrong usage or settings.";

const NEW: &str = "\
dotdo is not on a registry yet, so a new project has to know where its sources
are.

Example:
  dotdo new my-counter --dotdo-path ~/src/dotdo

Exit codes: 0 created; 1 not created; 2 wrong usage, such as a name that cargo
does not accept.";

const NO_MATCH: &str = "Exit codes: 0 success, 2 no setting matches.";

const LOGIN: &str = "\
Prints a URL and a code, and opens the URL in your browser if there is one. The
tokens are kept in the system's keyring, or (without one, or with
DOTDO_LOGIN_KEYRING=off) in a file that only you can read.

Example:
  dotdo login --issuer auth.example.com --client-id client_01

Exit codes: 0 logged in; 1 refused, expired, or the issuer does not answer;
2 wrong usage or settings.";

const LOGOUT: &str = "\
Revokes the tokens at the issuer where that is possible, and removes them from
this machine in any case.

Exit codes: 0 logged out, or not logged in; 1 the tokens can't be removed;
2 wrong usage or settings.";

const WHOAMI: &str = "\
Exit codes: 0 logged in; 1 not logged in, or the login can't be renewed;
2 wrong usage or settings.";

const TOKEN: &str = "\
Without an option, prints the access token of the login, renewed if it is about
to expire. Deploy tokens live longer and can be revoked; a broker issues them.

Examples:
  curl -H \"Authorization: Bearer $(dotdo token)\" https://example.com/do/a/things
  dotdo token --deploy --name production --expires 90d --scope dotdo:write
  dotdo token --list
  dotdo token --revoke 0a1b2c3d4e5f60718293a4b5c6d7e8f9

Exit codes: 0 success; 1 not logged in, refused, or no answer; 2 wrong usage or
settings.";

fn after_help() -> String {
    format!("{EXAMPLES}\n\n{SETTINGS}")
}

/// Durable objects without a server to run or a database to rent
#[derive(Debug, Parser)]
#[command(
    name = "dotdo",
    version,
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    after_help = after_help()
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve objects over HTTP (the default command)
    #[command(after_help = after_help())]
    Serve(Serve),
    /// Exchange tokens for short-lived keys of a tenant's part of a bucket
    #[command(after_help = BROKER)]
    Broker(Broker),
    /// Check the server that runs on this machine
    #[command(after_help = HEALTH)]
    Health(Health),
    /// List all settings, or those whose name contains a word
    #[command(after_help = NO_MATCH)]
    Settings(Settings),
    /// Log in at an OpenID issuer
    #[command(after_help = LOGIN)]
    Login(Login),
    /// End the login
    #[command(after_help = LOGOUT)]
    Logout(Logout),
    /// Show who is logged in
    #[command(after_help = WHOAMI)]
    Whoami(Whoami),
    /// Print an access token, or work with deploy tokens
    #[command(after_help = TOKEN)]
    Token(Token),
    /// Create a project with a class and a test
    #[command(after_help = NEW)]
    New(New),
}

/// The arguments of `dotdo broker`.
#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 picks a free port [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// The bucket with the state of all tenants: s3://bucket/prefix
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl From<Broker> for ServeOptions {
    fn from(Broker { host, port, storage, log_level }: Broker) -> Self {
        Self { host, port, storage, log_level, ..Self::default() }
    }
}

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

/// The arguments of `dotdo settings`.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Word in the name of a setting, such as lease or LOG_LEVEL
    pub(crate) word: Option<String>,
}

/// The arguments of `dotdo serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 picks a free port [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// Folder, s3://, gs://, az:// or memory:// for all state [default: ./.dotdo]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Class for requests that do not name one
    #[arg(long, value_name = "CLASS")]
    default_class: Option<String>,
    /// off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Accept requests from other machines without authentication; for private networks only
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
