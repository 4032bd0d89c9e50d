//! Deploy tokens as callers.

use std::sync::Arc;

use dotdo_core::{Caller, Error, ErrorKind, Result};
use http::request;

use super::tokens::{DeployToken, Tokens};
use crate::auth::Authenticator;

/// Authenticates by deploy tokens.
pub(super) struct DeployTokens(pub(super) Arc<Tokens>);

impl Authenticator for DeployTokens {
    /// A deploy token acts for whoever issued it, within its own scopes.
    async fn authenticate(&self, token: &str, _: &request::Parts) -> Result<Caller> {
        if !DeployToken::is_meant(token) {
            let text = "expected a JWT or a deploy token, got another text";
            return Err(Error::new(ErrorKind::Unauthenticated, text));
        }
        let grant = self.0.find(token).await?.grant;
        Ok(Caller::new(grant.created_by).of_tenant(grant.tenant).with_scopes(grant.scopes))
    }
}
