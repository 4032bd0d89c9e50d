//! Tokens that spell out their caller, for tests of what callers may do.

use dotdo_core::{Caller, Error, ErrorKind, Result, Scope, Scopes, Tenant};

use crate::auth::{AuthSettings, Authenticator, SharedAuthenticator};

/// Knows tokens such as `alice~acme~rw`: a subject, an organisation, and the first letters of
/// scopes. The organisation `local` is that of servers without tenants.
pub(super) struct Spelled;

impl Authenticator for Spelled {
    async fn authenticate(&self, token: &str, _: &http::request::Parts) -> Result<Caller> {
        let wrong = || Error::new(ErrorKind::Unauthenticated, "this spells out no caller");
        let [subject, org, letters] = *token.splitn(3, '~').collect::<Vec<_>>() else {
            return Err(wrong());
        };
        let letter = |scope: &Scope| scope.name()["dotdo:".len()..].chars().next();
        let scopes: Scopes = Scope::ALL
            .into_iter()
            .filter(|scope| letter(scope).is_some_and(|letter| letters.contains(letter)))
            .collect();
        let tenant = if org == "local" { Tenant::local() } else { Tenant::new(org, "shop")? };
        Ok(Caller::new(subject).of_tenant(tenant).with_scopes(scopes))
    }
}

pub(super) fn spelled() -> AuthSettings {
    AuthSettings {
        authenticator: Some(SharedAuthenticator::new(Spelled)),
        ..AuthSettings::default()
    }
}
