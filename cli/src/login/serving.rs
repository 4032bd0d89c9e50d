//! The login as what `dotdo serve` gets keys of a bucket for.

use dotdo::commands::{LoginSettings, TokenSource};
use dotdo::engine::{Secret, async_trait};
use dotdo::{Error, ErrorKind};

use super::http::Http;
use super::keep::Logins;
use super::session::{Session, tokens};
use crate::failure::Failure;

/// Gives the access token of a login, renewed while a server runs.
pub(crate) struct OfLogin {
    settings: LoginSettings,
    broker: Option<String>,
}

/// The login that the settings choose; `None` without one, or when it could not be used anyway:
/// whoever reads the settings next says what is wrong with them. A login that is over is one: its
/// user expects the bucket, so a server must not begin with an empty folder instead.
pub(crate) fn of_settings() -> Option<OfLogin> {
    let settings = LoginSettings::resolve(None).ok()?;
    let last = Logins::new(&settings).ok()?.last(&settings.profile)?;
    Some(OfLogin { settings, broker: last.broker })
}

#[async_trait]
impl TokenSource for OfLogin {
    async fn token(&self) -> dotdo::Result<Secret> {
        let settings = self.settings.clone();
        // It waits for files, a keyring and the issuer.
        let fresh = tokio::task::spawn_blocking(move || fresh(&settings));
        let fresh = fresh.await.map_err(|_| Error::internal("the login could not be read"))?;
        fresh.map_err(|failure| {
            let kind = match failure {
                Failure::Later(_) => ErrorKind::Unavailable,
                _ => ErrorKind::Unauthenticated,
            };
            Error::new(kind, failure.message().to_owned()).with_code("LOGIN")
        })
    }

    fn name(&self) -> String {
        match &*self.settings.profile {
            LoginSettings::DEFAULT_PROFILE => "the login".to_owned(),
            profile => format!("the login {profile}"),
        }
    }

    fn broker(&self) -> Option<String> {
        self.broker.clone()
    }
}

fn fresh(settings: &LoginSettings) -> Result<Secret, Failure> {
    let logins = Logins::new(settings)?.telling(|line| tracing::warn!("{line}"));
    let profile = settings.profile.clone();
    let session = Session { logins, profile, http: Http::new()? };
    Ok(tokens(&session.fresh()?).access.clone())
}
