//! Authentication of requests by their bearer token (RFC 6750).
//!
//! Promises: a request that needs a token and has none, two, or a wrong one is refused; tokens are
//! compared in constant time and never logged; paths that need no token are matched on the same
//! path that the router uses. Must not know: objects, sockets, platforms.

mod authenticator;
mod bearer;
mod identity;
#[cfg(feature = "oidc")]
mod oidc;
#[cfg(not(feature = "oidc"))]
#[path = "without_oidc.rs"]
mod oidc;
mod paths;
mod tokens;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use dotdo_core::{Caller, Clock, ErrorKind, Result, Secret, StoreConfig};
use http::request;

pub use self::authenticator::Authenticator;
pub(crate) use self::authenticator::SharedAuthenticator;
pub(crate) use self::bearer::INVALID_TOKEN;
#[cfg(feature = "broker")]
pub(crate) use self::bearer::token as bearer_token;
pub(crate) use self::identity::{IdentitySettings, IssuerName, is_issuer, is_organisation};
#[cfg(feature = "fuzzing")]
pub(crate) use self::oidc::fuzz;
#[cfg(all(test, feature = "oidc"))]
pub(crate) use self::oidc::provider;
pub(crate) use self::oidc::{Location, Verifier};
pub(crate) use self::paths::is_skip_path;
use self::paths::{SkipPaths, are_harmless};
pub(crate) use self::tokens::{TOKEN_BYTES_MIN, Tokens, are_tokens};
use crate::edge::Attempts;

/// Authentication.
#[derive(Debug, Clone)]
pub(crate) struct AuthSettings {
    /// Configured tokens, separated by commas.
    pub(crate) tokens: Option<Secret>,
    /// The paths that need no token. Each passes [`is_skip_path`].
    pub(crate) skip_paths: Vec<String>,
    /// The issuers whose tokens are accepted.
    pub(crate) identity: IdentitySettings,
    /// What verifies their tokens, once the program is started.
    pub(crate) verifier: Option<Arc<Verifier>>,
    /// The program's own authenticator.
    pub(crate) authenticator: Option<SharedAuthenticator>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            tokens: None,
            skip_paths: ["/health", "/ready"].map(str::to_owned).to_vec(),
            identity: IdentitySettings::default(),
            verifier: None,
            authenticator: None,
        }
    }
}

impl AuthSettings {
    /// Whether authentication is on.
    pub(crate) fn is_on(&self) -> bool {
        self.tokens.is_some() || self.identity.is_on() || self.authenticator.is_some()
    }

    /// The contradiction in these settings, if there is one.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        (self.identity.is_on() && !are_harmless(&self.skip_paths)).then_some(
            "auth.skip_paths: expected /health and /ready only, since the tenant of any other request comes from its token; \
             for metrics, send one of auth.tokens or a token with the scope dotdo:operator",
        )
    }

    /// The kinds of authentication, for the log.
    pub(crate) fn name(&self) -> String {
        let kinds = [
            ("tokens", self.tokens.is_some()),
            ("issuer", !self.identity.issuers.is_empty()),
            ("development-secret", self.identity.development_secret.is_some()),
            ("program", self.authenticator.is_some()),
        ];
        let on: Vec<&str> =
            kinds.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect();
        if on.is_empty() { "off".to_owned() } else { on.join(",") }
    }

    /// Prepares the verification of tokens for the state in `store`.
    ///
    /// # Errors
    ///
    /// Those of [`Verifier::new`].
    pub(crate) fn prepare(&mut self, store: &StoreConfig, clock: Arc<dyn Clock>) -> Result<()> {
        if self.identity.is_on() {
            let verifier = Verifier::new(&self.identity, Location::of(store), clock)?;
            self.verifier = Some(Arc::new(verifier));
        }
        Ok(())
    }
}

/// Admits or refuses requests.
pub(crate) struct Authentication {
    tokens: Option<Tokens>,
    verifier: Option<Arc<Verifier>>,
    /// The addresses whose tokens were not valid; only with a verifier, whose work costs most.
    attempts: Option<Attempts>,
    authenticator: Option<SharedAuthenticator>,
    skip: SkipPaths,
}

impl Authentication {
    /// The authentication of `settings`.
    pub(crate) fn new(settings: &AuthSettings) -> Self {
        let tokens = settings.tokens.as_ref().map(Tokens::new);
        Self {
            tokens,
            verifier: settings.verifier.clone(),
            attempts: settings.verifier.as_ref().map(|_| Attempts::default()),
            authenticator: settings.authenticator.clone(),
            skip: SkipPaths::new(&settings.skip_paths),
        }
    }

    /// The caller of a request from the address `client`; `None` if authentication is off or the
    /// path needs none.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when there is no token or a wrong one, `RateLimited` for an address that has
    /// sent too many wrong tokens, and the errors of the verifier and of the program's own
    /// authenticator.
    pub(crate) async fn admit(
        &self,
        head: &request::Parts,
        client: Option<IpAddr>,
    ) -> Result<Option<Caller>> {
        if self.skip.is_skipped(head) { Ok(None) } else { self.verify(head, client).await }
    }

    /// The caller of a request to a path that needs a token; `None` if authentication is off.
    ///
    /// # Errors
    ///
    /// Those of [`Authentication::admit`].
    pub(crate) async fn verify(
        &self,
        head: &request::Parts,
        client: Option<IpAddr>,
    ) -> Result<Option<Caller>> {
        if !self.is_on() {
            return Ok(None);
        }
        let token = bearer::token(&head.headers)?;
        self.caller(token, head, client).await.map(Some)
    }

    fn is_on(&self) -> bool {
        self.tokens.is_some() || self.verifier.is_some() || self.authenticator.is_some()
    }

    /// The caller with this token. What is known already costs a hash; everything else is counted.
    async fn caller(
        &self,
        token: &str,
        head: &request::Parts,
        client: Option<IpAddr>,
    ) -> Result<Caller> {
        let known = self.tokens.as_ref().and_then(|tokens| tokens.owner(token)).or_else(|| {
            let verified = self.verifier.as_ref()?.remembered(token)?;
            Some(verified.caller.clone())
        });
        if let Some(caller) = known {
            if let Some(attempts) = &self.attempts {
                attempts.forgive(client);
            }
            return Ok(caller);
        }
        let Some(attempts) = &self.attempts else { return self.check(token, head).await };
        attempts.check(client)?;
        let outcome = self.check(token, head).await;
        match &outcome {
            Ok(_) => attempts.forgive(client),
            Err(error) if error.kind() == ErrorKind::Unauthenticated => attempts.count(client),
            Err(_) => {}
        }
        outcome
    }

    /// The caller with a token that is not known yet.
    async fn check(&self, token: &str, head: &request::Parts) -> Result<Caller> {
        match (&self.verifier, &self.authenticator) {
            (Some(verifier), _) if oidc::is_jwt(token) => {
                verifier.verify(token).await.map(|verified| verified.caller.clone())
            }
            (_, Some(authenticator)) => authenticator.authenticate(token, head).await,
            (_, None) => Err(bearer::invalid("the bearer token is not valid on this server")),
        }
    }
}
