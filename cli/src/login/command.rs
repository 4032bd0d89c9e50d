//! The command `dotdo login`.

use clap::Args;
use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;

use super::browser;
use super::claims::Claims;
use super::deploy::broker_url;
use super::device::{Device, Wanted};
use super::kept::{Kept, Place};
use super::provider::Provider;
use super::session::{Session, tokens};
use super::token::JWT_TOKEN;
use super::whoami::Identity;
use crate::failure::{Failure, note, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Prints a URL and a code, and opens the URL in your browser if there is one. The
tokens are kept in the system's keyring, or (without one, or with
DOTDO_LOGIN_KEYRING=off) in a file that only you can read.

Example:
  dotdo login --issuer auth.example.com --client-id client_01

Exit codes: 0 logged in; 1 refused, expired, or the issuer does not answer;
2 wrong usage or settings.";

/// The arguments of `dotdo login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// OpenID issuer [default: auth.issuer, or the last login's]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Client id of the command at the issuer [default: auth.client_id, or the last login's]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Scopes to ask for, separated by spaces [default: openid offline_access]
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Resource that the tokens are for (RFC 8707), if the issuer needs one
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Audience that the tokens are for, if the issuer needs one
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Broker for this login, which gives out keys for the bucket [default: the last login's]
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Name of the login, if you have several [default: default]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print the URL and open no browser
    #[arg(long)]
    no_browser: bool,
    /// Print the same as `dotdo whoami --json`
    #[arg(long)]
    json: bool,
}

impl Login {
    /// Logs in.
    ///
    /// # Errors
    ///
    /// Why there is no login, with what to do. One that was there before is then unchanged.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let settings = LoginSettings::resolve(self.profile.as_deref())?;
        let session = Session::new(&settings)?;
        let last = session.logins.last(&session.profile);
        let issuer = self.issuer(&settings, last.as_ref())?;
        let last = last.filter(|login| is_same_issuer(&login.issuer, &issuer));
        let client_id = self.client_id(&settings, last.as_ref())?;
        if let Some(broker) = &self.broker {
            broker_url(broker)?;
        }
        let provider = Provider::find(&session.http, &issuer)?;
        // What would fail at the end, when the login is approved, fails now.
        drop(session.logins.lock(&session.profile)?);

        let usual = provider.usual_scopes();
        let wanted = Wanted {
            client_id: &client_id,
            scope: self.scope.as_deref().unwrap_or(&usual),
            resource: self.resource.as_deref(),
            audience: self.audience.as_deref(),
        };
        let device = Device::authorize(&session.http, &provider, &wanted)?;
        self.invite(&device);
        let tokens = device.wait(&session.http, &provider, &client_id)?;
        let claims = claims_of(&tokens.access)?;

        let login = Kept {
            issuer: provider.issuer,
            client_id,
            broker: self.broker.clone().or_else(|| last.and_then(|login| login.broker)),
            place: session.logins.place(),
            tokens: Some(tokens),
        };
        let _lock = session.logins.lock(&session.profile)?;
        let login = session.logins.save(&session.profile, login)?;
        match self.json {
            true => print(&Identity::of(&session, &login).json()),
            false => welcome(&session, &login, &claims),
        }
        warn(&login, &claims);
        Ok(())
    }

    /// The issuer of the options, the settings, or the last login.
    fn issuer(&self, settings: &LoginSettings, last: Option<&Kept>) -> Result<String, Failure> {
        let found = match &self.issuer {
            Some(given) => Some(given.clone()),
            None => settings.issuer()?.or_else(|| last.map(|login| login.issuer.clone())),
        };
        found.ok_or_else(|| {
            Failure::Usage(
                "no issuer to log in at: use --issuer, or set auth.issuer (DOTDO_AUTH_ISSUER, WORKOS_AUTH_DOMAIN)"
                    .to_owned(),
            )
        })
    }

    /// The client id of the options, the settings, or the last login.
    fn client_id(&self, settings: &LoginSettings, last: Option<&Kept>) -> Result<String, Failure> {
        let given = self.client_id.clone().or_else(|| settings.client_id.clone());
        given.or_else(|| last.map(|login| login.client_id.clone())).ok_or_else(|| {
            Failure::Usage(
                "no client id for the issuer: use --client-id, or set auth.client_id (DOTDO_AUTH_CLIENT_ID)"
                    .to_owned(),
            )
        })
    }

    /// Tells the user where to approve the login.
    fn invite(&self, device: &Device) {
        let Device { user_code, place, place_with_code, .. } = device;
        let complete = place_with_code.as_ref().unwrap_or(place);
        if !self.no_browser && browser::open(complete) {
            note(&format!("approve the login in your browser, if it shows the code {user_code}"));
            note(&format!("if no browser has opened: {place}"));
            return;
        }
        note(&format!("to log in, open {place} in any browser and enter the code {user_code}"));
        if let Some(complete) = place_with_code {
            note(&format!("(or open {complete})"));
        }
    }
}

/// Whether two texts name the same issuer. Some issuers write a slash at their end.
fn is_same_issuer(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// The claims of the access token.
fn claims_of(access: &Secret) -> Result<Claims, Failure> {
    Claims::of(access.reveal()).ok_or_else(|| {
        Failure::Failed(
            "the issuer gives access tokens that are not JSON Web Tokens, which servers can't verify; some issuers need --resource or \
             --audience for others"
                .to_owned(),
        )
    })
}

/// Says who is logged in, and where the tokens are.
fn welcome(session: &Session, login: &Kept, claims: &Claims) {
    let subject = claims.subject().unwrap_or("somebody");
    let organisation = claims.organisation().map(|name| format!(" of {name}"));
    print(&format!("logged in as {subject}{}", organisation.unwrap_or_default()));
    print(&format!("the tokens are in {}", place(session, login)));
}

/// Says why the login may not be of use.
fn warn(login: &Kept, claims: &Claims) {
    if claims.organisation().is_none() {
        note(
            "the token names no organisation (org_id), so servers will refuse it: choose an organisation at the issuer",
        );
    }
    if tokens(login).refresh.is_none() {
        note("the issuer gave no refresh token, so this login ends with its access token");
    }
    if std::env::var_os(JWT_TOKEN).is_some_and(|token| !token.is_empty()) {
        note(&format!("{JWT_TOKEN} is set, and is used instead of the login"));
    }
}

/// Where the tokens of a login are, for people.
pub(super) fn place(session: &Session, login: &Kept) -> String {
    match login.place {
        Place::Keyring => "the system's keyring".to_owned(),
        Place::File | Place::Nowhere => session.logins.file(&session.profile).display().to_string(),
    }
}
