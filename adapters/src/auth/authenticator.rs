//! The authenticator of a program.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dotdo_core::{Caller, ErrorKind, Result};
use http::request;

use super::bearer;

/// Authenticates callers by their bearer token: verifies JWTs, queries a session store, or looks up
/// API keys. Objects see the caller as [`Context::caller`](crate::Context::caller).
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
    /// Returns the caller with this token. It is called concurrently for every request that needs a
    /// token, so cache slow lookups. With `auth.issuer`, tokens that are JWTs are verified as the
    /// issuer's and do not come here. `request` is the head as it was received; nothing in it is
    /// verified.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` for an invalid token (401), `Forbidden` for a caller without permission
    /// (403), `Unavailable` when the check is not possible now (503). The client sees the messages,
    /// so they must not contain the token.
    fn authenticate(
        &self,
        token: &str,
        request: &request::Parts,
    ) -> impl Future<Output = Result<Caller>> + Send;
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

    /// The result of the program's authenticator.
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
