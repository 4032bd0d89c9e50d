//! The command `dotdo whoami`.

use clap::Args;
use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;
use serde_json::json;

use super::claims::Claims;
use super::command::place;
use super::kept::Kept;
use super::session::{Session, tokens};
use super::times::{away, now, written};
use super::token::{JWT_TOKEN, given_token};
use crate::failure::{Failure, plain, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Exit codes: 0 logged in; 1 not logged in, or the login can't be renewed;
2 wrong usage or settings.";

/// The arguments of `dotdo whoami`.
#[derive(Debug, Args)]
pub(crate) struct Whoami {
    /// Name of the login, if you have several [default: default]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An identity to print.
pub(super) struct Identity {
    profile: Option<String>,
    claims: Claims,
    expires_at: Option<u64>,
    kept_in: String,
}

impl Whoami {
    /// Prints who the user is to servers.
    ///
    /// # Errors
    ///
    /// `Failed` without a login, or when it can't be renewed.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let settings = LoginSettings::resolve(self.profile.as_deref())?;
        let identity = match given_token().filter(|_| self.profile.is_none()) {
            Some(token) => given(&token)?,
            None => {
                let session = Session::new(&settings)?;
                // It is renewed if it is due.
                Identity::of(&session, &session.fresh()?)
            }
        };
        print(&if self.json { identity.json() } else { identity.text() });
        Ok(())
    }
}

/// The identity of the token in the environment.
fn given(token: &Secret) -> Result<Identity, Failure> {
    let claims = Claims::of(token.reveal()).ok_or_else(|| {
        Failure::Failed(format!(
            "{JWT_TOKEN} is set to something else than a JSON Web Token; whose deploy token it is, only the broker can tell"
        ))
    })?;
    let expires_at = claims.expires_at();
    Ok(Identity { profile: None, claims, expires_at, kept_in: JWT_TOKEN.to_owned() })
}

impl Identity {
    /// The identity of a login.
    pub(super) fn of(session: &Session, login: &Kept) -> Self {
        Self {
            profile: Some(session.profile.clone()),
            claims: Claims::of(tokens(login).access.reveal()).unwrap_or_default(),
            expires_at: tokens(login).expires_at,
            kept_in: place(session, login),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        json!({
            "profile": self.profile,
            "subject": self.claims.subject(),
            "organisation": self.claims.organisation(),
            "tenant": self.claims.tenant(),
            "scopes": self.claims.scopes(),
            "issuer": self.claims.issuer(),
            "expires": self.expires_at.map(written),
            "keptIn": self.kept_in,
        })
        .to_string()
    }

    fn text(&self) -> String {
        let Self { claims, .. } = self;
        let unknown = || "(none)".to_owned();
        let claim = |value: Option<&str>| value.map_or_else(unknown, plain);
        let scopes = Some(plain(&claims.scopes().join(" "))).filter(|scopes| !scopes.is_empty());
        let expires = |at| format!("{} ({})", away(at, now()), written(at));
        let lines = [
            ("subject", claim(claims.subject())),
            ("organisation", claim(claims.organisation())),
            ("tenant", claim(claims.tenant())),
            ("scopes", scopes.unwrap_or_else(unknown)),
            ("issuer", claim(claims.issuer())),
            ("expires", self.expires_at.map_or_else(unknown, expires)),
            ("kept in", self.kept_in.clone()),
        ];
        let profile = self.profile.iter().map(|name| ("profile", name.clone()));
        let lines = profile.chain(lines).map(|(name, value)| format!("{name:<13} {value}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}
