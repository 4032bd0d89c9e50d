//! Authentication of requests by their bearer token (RFC 6750).
//!
//! Promises: a request that needs a token and has none, two, or a wrong one is refused; tokens are
//! compared in constant time and never logged; paths that need no token are matched on the same
//! path that the router uses. Must not know: objects, sockets, platforms.

mod authenticator;
mod bearer;
mod paths;
mod tokens;

#[cfg(test)]
mod tests;

use dotdo_core::{Caller, Error, ErrorKind, Result, Secret, Tenant};
use http::request;

pub use self::authenticator::Authenticator;
pub(crate) use self::authenticator::SharedAuthenticator;
pub(crate) use self::bearer::INVALID_TOKEN;
use self::paths::SkipPaths;
pub(crate) use self::paths::is_skip_path;
use self::tokens::Tokens;
pub(crate) use self::tokens::{TOKEN_BYTES_MIN, are_tokens};

/// Authentication.
#[derive(Debug, Clone)]
pub(crate) struct AuthSettings {
    /// Configured tokens, separated by commas.
    pub(crate) tokens: Option<Secret>,
    /// The paths that need no token. Each passes [`is_skip_path`].
    pub(crate) skip_paths: Vec<String>,
    /// The program's own authenticator.
    pub(crate) authenticator: Option<SharedAuthenticator>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            tokens: None,
            skip_paths: ["/health", "/ready"].map(str::to_owned).to_vec(),
            authenticator: None,
        }
    }
}

impl AuthSettings {
    /// Whether authentication is on.
    pub(crate) fn is_on(&self) -> bool {
        self.tokens.is_some() || self.authenticator.is_some()
    }

    /// The kind of authentication, for the log.
    pub(crate) fn name(&self) -> &'static str {
        match (&self.tokens, &self.authenticator) {
            (None, None) => "off",
            (Some(_), None) => "tokens",
            (None, Some(_)) => "program",
            (Some(_), Some(_)) => "tokens,program",
        }
    }
}

/// Admits or refuses requests.
pub(crate) struct Authentication {
    tokens: Option<Tokens>,
    authenticator: Option<SharedAuthenticator>,
    skip: SkipPaths,
    /// The tenant whose objects are served; callers of other tenants are refused.
    tenant: Tenant,
}

impl Authentication {
    /// The authentication of `settings` for the objects of `tenant`.
    pub(crate) fn new(settings: &AuthSettings, tenant: Tenant) -> Self {
        let tokens = settings.tokens.as_ref().map(Tokens::new);
        Self {
            tokens,
            authenticator: settings.authenticator.clone(),
            skip: SkipPaths::new(&settings.skip_paths),
            tenant,
        }
    }

    /// The caller of a request; `None` if authentication is off or the path needs none.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when there is no token or a wrong one, `Forbidden` for a caller of another
    /// tenant, and the errors of the program's own authenticator.
    pub(crate) async fn admit(&self, head: &request::Parts) -> Result<Option<Caller>> {
        if (self.tokens.is_none() && self.authenticator.is_none()) || self.skip.is_skipped(head) {
            return Ok(None);
        }
        let token = bearer::token(&head.headers)?;
        let caller = match (
            self.tokens.as_ref().and_then(|tokens| tokens.owner(token)),
            &self.authenticator,
        ) {
            (Some(caller), _) => caller,
            (None, Some(authenticator)) => authenticator.authenticate(token, head).await?,
            (None, None) => {
                return Err(bearer::invalid("the bearer token is not valid on this server"));
            }
        };
        if *caller.tenant() != self.tenant {
            return Err(Error::new(ErrorKind::Forbidden, "the token belongs to another tenant")
                .with_code("WRONG_TENANT"));
        }
        Ok(Some(caller))
    }
}
