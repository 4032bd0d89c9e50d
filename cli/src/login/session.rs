//! Gives the access token of a login, and renews it in time.
//!
//! Promises: of several processes one renews, and the others use what it got (a refresh token works
//! once); what a provider has issued is kept before it is used; a failure that may pass changes
//! nothing.

use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;

use super::http::Http;
use super::keep::{Logins, Readers};
use super::kept::{Kept, Place, Tokens};
use super::provider::{Provider, Said};
use crate::failure::Failure;

/// The login of a profile.
pub(super) struct Session {
    pub(super) logins: Logins,
    pub(super) profile: String,
    pub(super) http: Http,
}

impl Session {
    /// The login that `settings` name.
    ///
    /// # Errors
    ///
    /// Those of [`Logins::new`] and [`Http::new`].
    pub(super) fn new(settings: &LoginSettings) -> Result<Self, Failure> {
        let logins = Logins::new(settings)?;
        Ok(Self { logins, profile: settings.profile.clone(), http: Http::new()? })
    }

    /// The login with an access token that has not expired, as far as this machine's clock tells.
    ///
    /// # Errors
    ///
    /// `Failed` without a login, and when it can't be renewed, with what to do.
    pub(super) fn fresh(&self) -> Result<Kept, Failure> {
        let login = self.loaded()?;
        if !tokens(&login).are_due() {
            return Ok(login);
        }
        let _lock = self.logins.lock(&self.profile)?;
        // Another process may have renewed it meanwhile.
        let login = self.loaded()?;
        if !tokens(&login).are_due() {
            return Ok(login);
        }
        self.renewed(login)
    }

    /// Renews a login. The caller has the lock.
    fn renewed(&self, login: Kept) -> Result<Kept, Failure> {
        let old = tokens(&login);
        let Some(refresh) = old.refresh.clone() else {
            return match old.have_expired() {
                false => Ok(login),
                true => Err(self.over("it has expired, and the issuer gave no refresh token")),
            };
        };
        self.http.hold_signals();
        match self.refresh(&login, &refresh) {
            Said::Tokens(mut new) => {
                // Without rotation the old one stays valid (RFC 6749, section 6).
                new.refresh = new.refresh.or(Some(refresh));
                self.logins.save(&self.profile, Kept { tokens: Some(new), ..login })
            }
            Said::Refused { error, text } if error == "invalid_grant" => {
                self.logins.end(&self.profile, login)?;
                Err(self.over(&format!("the issuer has ended it ({text})")))
            }
            Said::Refused { text, .. } => self.not_now(login, &text),
            Said::Nothing(why) => self.not_now(login, &why),
        }
    }

    fn refresh(&self, login: &Kept, refresh: &Secret) -> Said {
        match Provider::find(&self.http, &login.issuer) {
            Ok(provider) => provider.refresh(&self.http, &login.client_id, refresh),
            Err(failure) => Said::Nothing(failure.message().to_owned()),
        }
    }

    /// The login as it is, if it is still of use.
    fn not_now(&self, login: Kept, why: &str) -> Result<Kept, Failure> {
        if tokens(&login).have_expired() {
            return Err(Failure::Later(format!(
                "the login has expired and can't be renewed at the moment: {why}; try again later"
            )));
        }
        self.logins.tell(&format!("the login can't be renewed at the moment: {why}"));
        Ok(login)
    }

    fn loaded(&self) -> Result<Kept, Failure> {
        self.logins.load(&self.profile, Readers::Refused)?.ok_or_else(|| self.absent())
    }

    /// There is no login.
    pub(super) fn absent(&self) -> Failure {
        let is_login = |name: &String| {
            *name != self.profile
                && self.logins.last(name).is_some_and(|login| login.place != Place::Nowhere)
        };
        let others: Vec<String> = self.logins.profiles().into_iter().filter(is_login).collect();
        if others.is_empty() {
            return Failure::Failed("not logged in; run `dotdo login`".to_owned());
        }
        let (profile, others) = (&self.profile, others.join(", "));
        Failure::Failed(format!(
            "not logged in as profile {profile}; there is a login for {others}: choose one with --profile, or run `dotdo login --profile {profile}`"
        ))
    }

    fn over(&self, why: &str) -> Failure {
        let option = match &*self.profile {
            LoginSettings::DEFAULT_PROFILE => String::new(),
            name => format!(" --profile {name}"),
        };
        Failure::Failed(format!("the login is over: {why}; run `dotdo login{option}`"))
    }
}

/// The tokens of a login that was loaded.
pub(super) fn tokens(login: &Kept) -> &Tokens {
    login.tokens.as_ref().expect("a loaded login has its tokens")
}
