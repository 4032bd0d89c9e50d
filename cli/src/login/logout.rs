//! The command `dotdo logout`.

use clap::Args;
use dotdo::commands::LoginSettings;
use serde_json::json;

use super::keep::Readers;
use super::kept::Kept;
use super::provider::Provider;
use super::session::{Session, tokens};
use crate::failure::{Failure, note, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Revokes the tokens at the issuer where that is possible, and removes them from
this machine in any case.

Exit codes: 0 logged out, or not logged in; 1 the tokens can't be removed;
2 wrong usage or settings.";

/// The arguments of `dotdo logout`.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Name of the login, if you have several [default: default]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print {"wasLoggedIn", "revoked"}
    #[arg(long)]
    json: bool,
}

impl Logout {
    /// Revokes the tokens of the login where that is possible, and forgets them in any case.
    ///
    /// # Errors
    ///
    /// `Failed` when they can't be removed.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let session = Session::new(&LoginSettings::resolve(self.profile.as_deref())?)?;
        if !session.logins.file(&session.profile).exists() {
            let nothing = r#"{"wasLoggedIn":false,"revoked":false}"#;
            print(if self.json { nothing } else { "not logged in" });
            return Ok(());
        }
        let _lock = session.logins.lock(&session.profile)?;
        let revoked = match session.logins.load(&session.profile, Readers::Allowed) {
            Ok(Some(login)) => revoke(&session, &login),
            // It is over already.
            Ok(None) => Ok(()),
            Err(failure) => Err(failure.message().to_owned()),
        };
        session.logins.forget(&session.profile)?;
        match self.json {
            true => print(&json!({ "wasLoggedIn": true, "revoked": revoked.is_ok() }).to_string()),
            false => print("logged out"),
        }
        if let Err(why) = revoked {
            note(&format!(
                "the tokens could not be revoked and stay valid until they expire: {why}"
            ));
        }
        Ok(())
    }
}

/// Revokes the refresh token of a login.
fn revoke(session: &Session, login: &Kept) -> Result<(), String> {
    let Some(refresh) = &tokens(login).refresh else { return Ok(()) };
    let provider = Provider::find(&session.http, &login.issuer)
        .map_err(|failure| failure.message().to_owned())?;
    provider.revoke(&session.http, &login.client_id, refresh)
}
