//! What a program brings to find out who its callers are.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dotdo_core::{ErrorKind, Identity, Result, Tenant};
use http::request;

use super::bearer;

/// Finds out whose a bearer token is: the way to verify JWTs, ask a session store, or look a key
/// up.
///
/// ```no_run
/// use dotdo::{Authenticator, Caller, Error, ErrorKind, Result};
///
/// struct Sessions;
///
/// impl Authenticator for Sessions {
///     async fn authenticate(&self, token: &str, _: &http::request::Parts) -> Result<Caller> {
///         match token.strip_prefix("session-of-") {
///             Some(user) => Ok(Caller::new(user)),
///             None => Err(Error::new(ErrorKind::Unauthenticated, "there is no such session")),
///         }
///     }
/// }
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// The caller with this token. It is called for every request that needs a token, many at a
    /// time; what is slow belongs into a cache. `request` is the head as it came in, and nothing in
    /// it is proven.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` for a token that is not good (401), `Forbidden` for a caller who may not
    /// do this (403), `Unavailable` when that can't be found out now (503). Their sentences reach
    /// the client: nothing of the token belongs into them.
    fn authenticate(
        &self,
        token: &str,
        request: &request::Parts,
    ) -> impl Future<Output = Result<Caller>> + Send;
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: String,
    tenant: Option<Tenant>,
    identity: Identity,
}

impl Caller {
    /// The caller with this name, which is the same at each request and nobody else's: a subject,
    /// an account, the name of a key. Limits are counted by it, and it is in the access log.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let identity = Identity::new("account", name.as_bytes());
        Self { name, tenant: None, identity }
    }

    /// The bearer of a configured token. It goes by the token, because its name is a place in a
    /// list that changes.
    pub(super) fn of_token(name: impl Into<String>, token: &str) -> Self {
        Self { identity: Identity::new("token", token.as_bytes()), ..Self::new(name) }
    }

    /// What tells the caller from all others, and nothing else of them.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// The same caller, who may reach the objects of `tenant` and of no other: elsewhere the answer
    /// is 403.
    #[must_use]
    pub fn of_tenant(self, tenant: Tenant) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// The caller's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tenant whose objects the caller may reach; `None` for those of any.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }
}

/// An [`Authenticator`] of any type.
#[derive(Clone)]
pub(crate) struct SharedAuthenticator(Arc<dyn AnyAuthenticator>);

type Deciding<'a> = Pin<Box<dyn Future<Output = Result<Caller>> + Send + 'a>>;

trait AnyAuthenticator: Send + Sync {
    fn authenticate<'a>(&'a self, token: &'a str, request: &'a request::Parts) -> Deciding<'a>;
}

impl<T: Authenticator> AnyAuthenticator for T {
    fn authenticate<'a>(&'a self, token: &'a str, request: &'a request::Parts) -> Deciding<'a> {
        Box::pin(Authenticator::authenticate(self, token, request))
    }
}

impl SharedAuthenticator {
    pub(crate) fn new(authenticate: impl Authenticator) -> Self {
        Self(Arc::new(authenticate))
    }

    /// What the program says.
    pub(super) async fn authenticate(
        &self,
        token: &str,
        request: &request::Parts,
    ) -> Result<Caller> {
        let said = self.0.authenticate(token, request).await;
        said.map_err(|error| match error.kind() {
            ErrorKind::Unauthenticated => error.with_code(bearer::INVALID_TOKEN),
            ErrorKind::Unavailable => error.with_code("AUTH_UNAVAILABLE"),
            _ => error,
        })
    }
}

impl fmt::Debug for SharedAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAuthenticator")
    }
}
