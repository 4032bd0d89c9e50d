//! Verifies tokens: from a text that anybody may have written to a caller.

use std::fmt;
use std::sync::Arc;

use dotdo_core::{Caller, Clock, Result};

use super::authority::{self, Location, StorageClaims};
use super::claims::{Audience, Claims};
use super::issuer::Issuer;
use super::keys::{Algorithm, Key};
use super::metrics;
use super::remembered::Remembered;
use super::token::Unverified;
use crate::auth::IdentitySettings;
use crate::auth::bearer::invalid;

/// Verifies the tokens of the configured issuers.
pub(crate) struct Verifier {
    issuers: Vec<Arc<Issuer>>,
    /// The key of tokens that are signed with the development secret.
    development: Option<Key>,
    audience: Audience,
    operators: Vec<String>,
    /// Where the state is that tokens give access to.
    location: Location,
    clock: Arc<dyn Clock>,
    remembered: Remembered,
}

/// A verified token.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Whose it is, with the tenant and the scopes that it gives.
    pub(crate) caller: Caller,
    /// The part of the bucket that it names, within which the caller's tenant is.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a broker passes it on"))]
    pub(crate) storage: Option<StorageClaims>,
    /// When it ends, in milliseconds since 1970.
    pub(crate) expires_ms: i64,
}

impl Verifier {
    /// A verifier for the state at `location`.
    ///
    /// # Errors
    ///
    /// `Invalid` when there is no TLS.
    pub(crate) fn new(
        settings: &IdentitySettings,
        location: Location,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let issuers = settings
            .issuers()
            .map(|issuer| Issuer::new(issuer.name, issuer.url(), clock.clone()).map(Arc::new));
        let audience =
            Audience { required: settings.audience.clone(), client: settings.client_id.clone() };
        let secret = settings.development_secret.as_ref();
        Ok(Self {
            issuers: issuers.collect::<Result<_>>()?,
            development: secret.map(|secret| Key::of_secret(secret.reveal())),
            audience,
            operators: settings.operators.clone(),
            location,
            clock,
            remembered: Remembered::default(),
        })
    }

    /// What a token was verified as within the last minute. It costs one hash.
    pub(crate) fn remembered(&self, token: &str) -> Option<Arc<Verified>> {
        let verified = self.remembered.get(token, &*self.clock)?;
        metrics::count_remembered();
        Some(verified)
    }

    /// Verifies a token: its signature, its time, its audience, and that its caller may reach the
    /// state here.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` for an invalid token; `Forbidden` (`MISSING_ORGANISATION`, `BAD_TENANT`,
    /// `WRONG_STORAGE`) for a valid one that does not suffice; `Unavailable` (`AUTH_UNAVAILABLE`)
    /// when the issuer's keys can't be fetched. No message repeats what is in the token.
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Verified>> {
        if let Some(verified) = self.remembered(token) {
            return Ok(verified);
        }
        // Boxed: few requests get here, and the future of each would have room for it.
        let outcome = Box::pin(self.verify_now(token)).await;
        metrics::count(&outcome);
        let verified = Arc::new(outcome?);
        self.remembered.put(token, verified.clone(), &*self.clock);
        Ok(verified)
    }

    async fn verify_now(&self, token: &str) -> Result<Verified> {
        let unverified = Unverified::parse(token)?;
        let claims = Claims::parse(&unverified.claims)?;
        let issuer = self.issuer(&claims, unverified.algorithm)?;
        // Before the key is looked for: an old token's key may be gone, and that is not what is
        // wrong with it.
        let expires_ms = claims.check_time(self.clock.wall_ms())?;
        let key = self.key(issuer, &unverified).await?;
        if !key.verifies(unverified.signed, unverified.signature) {
            return Err(invalid("the token's signature does not match"));
        }
        claims.check_audience(&self.audience)?;
        let subject = claims.subject()?;
        let name = issuer.and_then(|issuer| issuer.name.as_deref());
        let tenant = authority::tenant(name, &claims)?;
        let scopes = authority::scopes(&claims, &tenant, &self.operators)?;
        let storage = StorageClaims::of(&claims)?;
        self.location.check(storage.as_ref(), &tenant)?;
        // Without an issuer, the development secret is the only one.
        let url = issuer.map_or("", |issuer| &*issuer.url);
        let caller = Caller::new(subject).of_issuer(url).of_tenant(tenant).with_scopes(scopes);
        Ok(Verified { caller, storage, expires_ms })
    }

    /// The issuer that the token names. Tokens that are signed with the development secret may
    /// name none.
    fn issuer(&self, claims: &Claims, algorithm: Algorithm) -> Result<Option<&Arc<Issuer>>> {
        let named = claims.issuer()?;
        let found = self.issuers.iter().find(|issuer| Some(&*issuer.url) == named);
        let is_development = algorithm == Algorithm::Hs256 && self.development.is_some();
        if found.is_some() || (is_development && (named.is_none() || self.issuers.is_empty())) {
            return Ok(found);
        }
        if self.issuers.is_empty() {
            return Err(other_algorithm("HS256"));
        }
        let known: Vec<&str> = self.issuers.iter().map(|issuer| &*issuer.url).collect();
        let expected = known.join(" or ");
        Err(invalid(match named {
            Some(_) => format!("the token is of another issuer; expected exactly {expected}"),
            None => format!("the token names no issuer (iss); expected {expected}"),
        }))
    }

    async fn key(&self, issuer: Option<&Arc<Issuer>>, token: &Unverified<'_>) -> Result<Key> {
        match (token.algorithm, &self.development, issuer) {
            (Algorithm::Hs256, Some(key), _) => Ok(key.clone()),
            (Algorithm::Hs256, None, _) => Err(other_algorithm("RS256, ES256 or EdDSA")),
            (algorithm, _, Some(issuer)) => issuer.key(token.kid.as_deref(), algorithm).await,
            (_, _, None) => Err(other_algorithm("HS256")),
        }
    }
}

fn other_algorithm(expected: &str) -> dotdo_core::Error {
    invalid(format!(
        "the token is signed with an algorithm that is not accepted; expected {expected}"
    ))
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers: Vec<&str> = self.issuers.iter().map(|issuer| &*issuer.url).collect();
        f.debug_struct("Verifier").field("issuers", &issuers).finish_non_exhaustive()
    }
}
