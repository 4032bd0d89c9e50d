//! What a command line needs to log in: the settings about logins, read like all others.
//!
//! Must not know: how to log in, where tokens are kept.

use std::path::PathBuf;

use dotdo_core::{Error, Result};

use crate::auth::IssuerName;
use crate::config::{DEFAULT_PROFILE, Flag, Sources, resolve, user_folder};

/// The settings about logins.
///
/// ```
/// use dotdo::commands::LoginSettings;
///
/// let settings = LoginSettings::resolve(Some("work"))?;
/// assert_eq!(settings.profile, "work");
/// match settings.issuer()? {
///     Some(issuer) => println!("log in at {issuer}"),
///     None => println!("set auth.issuer, or name an issuer"),
/// }
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginSettings {
    /// The name of the login.
    pub profile: String,
    /// The client id at the issuer.
    pub client_id: Option<String>,
    /// The URL of the broker.
    pub broker: Option<String>,
    /// Whether the system's keyring is used where there is one.
    pub keyring: bool,
    /// The URL of the server that commands about objects ask; `None`: they work on the bucket.
    pub server: Option<String>,
    /// The class for requests that do not name one.
    pub default_class: Option<String>,
    /// The user's folder for configuration; `None` without a home folder.
    pub folder: Option<PathBuf>,
    /// The issuers: name, if it has one, and URL.
    issuers: Vec<(Option<String>, String)>,
}

impl LoginSettings {
    /// The name of the login of a user who has only one.
    pub const DEFAULT_PROFILE: &str = DEFAULT_PROFILE;

    /// The settings of the environment and the files, where `profile` wins over theirs.
    ///
    /// # Errors
    ///
    /// `Invalid` when any setting is wrong, as when a server starts.
    pub fn resolve(profile: Option<&str>) -> Result<Self> {
        let flag =
            |value: &str| Flag { key: "login.profile", name: "--profile", value: value.to_owned() };
        let config = resolve(&Sources::gather(profile.map(flag).into_iter().collect())?)?.config;
        let identity = &config.edge.auth.identity;
        let owned = |issuer: IssuerName<'_>| (issuer.name.map(str::to_owned), issuer.url());
        Ok(Self {
            profile: config.login.profile.unwrap_or_else(|| Self::DEFAULT_PROFILE.to_owned()),
            client_id: identity.client_id.clone(),
            broker: config.access.identity.broker.clone(),
            keyring: config.login.keyring,
            server: config.login.server,
            default_class: config.default_class,
            folder: user_folder(),
            issuers: identity.issuers().map(owned).collect(),
        })
    }

    /// The issuer to log in at: the one that is named like the profile, else the one without a name,
    /// else the only one. `None` if no issuer is set.
    ///
    /// # Errors
    ///
    /// `Invalid` when there are several and none of them is meant.
    pub fn issuer(&self) -> Result<Option<String>> {
        let find =
            |wanted: Option<&str>| self.issuers.iter().find(|(name, _)| name.as_deref() == wanted);
        match (find(Some(&self.profile)).or_else(|| find(None)), &*self.issuers) {
            (Some((_, url)), _) | (None, [(_, url)]) => Ok(Some(url.clone())),
            (None, []) => Ok(None),
            (None, several) => {
                let names: Vec<&str> =
                    several.iter().filter_map(|(name, _)| name.as_deref()).collect();
                Err(Error::invalid(format!(
                    "auth.issuer has several issuers, and none is named {}: use --profile with one of their names ({}), or --issuer",
                    self.profile,
                    names.join(", ")
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Issuer = (Option<&'static str>, &'static str);

    fn issuer(profile: &str, issuers: &[Issuer]) -> Result<Option<String>> {
        let settings = LoginSettings {
            profile: profile.to_owned(),
            client_id: None,
            broker: None,
            keyring: true,
            server: None,
            default_class: None,
            folder: None,
            issuers: issuers
                .iter()
                .map(|(name, url)| (name.map(str::to_owned), (*url).to_owned()))
                .collect(),
        };
        settings.issuer()
    }

    #[test]
    fn the_profile_chooses_among_issuers() {
        let found = |profile: &str, issuers: &[Issuer]| {
            issuer(profile, issuers).expect("one is meant").unwrap_or_default()
        };
        let several = &[(None, "https://a"), (Some("b"), "https://b"), (Some("c"), "https://c")];
        assert_eq!(found("default", several), "https://a");
        assert_eq!(found("b", several), "https://b");
        assert_eq!(found("other", several), "https://a");
        assert_eq!(found("default", &several[1..2]), "https://b");
        assert_eq!(found("default", &[]), "");
        let error = issuer("default", &several[1..]).expect_err("none is meant");
        assert!(error.message().contains("--profile") && error.message().contains("b, c"));
    }
}
