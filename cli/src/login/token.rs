//! The command `dotdo token`: the access token of the login, and deploy tokens.

use std::io::{IsTerminal as _, stdout};

use clap::Args;
use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;

use super::deploy::{Broker, Issue};
use super::durations;
use super::http::Http;
use super::session::{Session, tokens};
use crate::failure::{Failure, note, print};

/// The variable with the token of a deployment, which wins over a login.
pub(super) const JWT_TOKEN: &str = "JWT_TOKEN";

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Without an option, prints the access token of the login, renewed if it is about
to expire. Deploy tokens live longer and can be revoked; a broker issues them.

Examples:
  curl -H \"Authorization: Bearer $(dotdo token)\" https://example.com/do/a/things
  dotdo token --deploy --name production --expires 90d --scope dotdo:write
  dotdo token --list
  dotdo token --revoke 0a1b2c3d4e5f60718293a4b5c6d7e8f9

Exit codes: 0 success; 1 not logged in, refused, or no answer; 2 wrong usage or
settings.";

/// The arguments of `dotdo token`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Get a deploy token from the broker and print it
    #[arg(long, group = "what")]
    deploy: bool,
    /// List the deploy tokens of the tenant
    #[arg(long, group = "what")]
    list: bool,
    /// Revoke the deploy token with this id
    #[arg(long, value_name = "ID", group = "what")]
    revoke: Option<String>,
    /// Name of the deploy token, for the list [default: deploy]
    #[arg(long, value_name = "NAME", requires = "deploy")]
    name: Option<String>,
    /// Life of the deploy token, such as 12h or 90d [default: the broker's]
    #[arg(long, value_name = "TIME", requires = "deploy", value_parser = durations::seconds)]
    expires: Option<u64>,
    /// Scope of the deploy token, such as dotdo:read; may be repeated [default: yours]
    #[arg(long, value_name = "SCOPE", requires = "deploy")]
    scope: Vec<String>,
    /// Print JSON
    #[arg(long, requires = "what")]
    json: bool,
    /// Name of the login, if you have several [default: default]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl Token {
    /// Prints the access token, or works with deploy tokens.
    ///
    /// # Errors
    ///
    /// `Failed` without a login, or when the broker refuses; `Usage` without a broker.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let settings = LoginSettings::resolve(self.profile.as_deref())?;
        let (http, token, broker) = match given_token().filter(|_| self.profile.is_none()) {
            Some(token) => (Http::new()?, token, None),
            None => {
                let session = Session::new(&settings)?;
                let login = session.fresh()?;
                (session.http, tokens(&login).access.clone(), login.broker)
            }
        };
        if !self.deploy && !self.list && self.revoke.is_none() {
            warn_of_secret();
            print(token.reveal());
            return Ok(());
        }
        let url = settings.broker.clone().or(broker);
        let broker = Broker::new(&http, url.as_deref(), token)?;
        match &self.revoke {
            Some(id) => broker.revoke(id),
            None if self.list => broker.list(self.json),
            None => self.issue(&broker),
        }
    }

    fn issue(&self, broker: &Broker<'_>) -> Result<(), Failure> {
        let issue = Issue {
            name: self.name.as_deref().unwrap_or("deploy"),
            scopes: &self.scope,
            expires_in_seconds: self.expires,
        };
        warn_of_secret();
        broker.issue(&issue, self.json)
    }
}

/// The token in the environment.
pub(super) fn given_token() -> Option<Secret> {
    std::env::var(JWT_TOKEN).ok().filter(|token| !token.is_empty()).map(Secret::new)
}

/// Warns when a secret is about to be seen rather than read by a program.
fn warn_of_secret() {
    if stdout().is_terminal() {
        note("this token is a secret: whoever has it can do what you can");
    }
}
