//! Tokens that are part of the configuration.

use dotdo_core::{Caller, Identity, Random as _, Result, Scope, Scopes, Secret};
use http::HeaderMap;

use super::bearer::{self, is_token};
use crate::system::components::OsRandom;

/// Minimum length of a token, in bytes: long enough to be from a random generator.
pub(crate) const TOKEN_BYTES_MIN: usize = 32;

/// The configured tokens, hashed with a key that only this process has.
///
/// Tokens are compared by their hashes, so the time does not reveal how much of a token was right
/// or which one matched.
pub(crate) struct Tokens {
    key: [u8; 32],
    hashes: Vec<blake3::Hash>,
}

/// Whether `text` is one or several tokens, separated by commas.
pub(crate) fn are_tokens(text: &str) -> bool {
    split(text).all(|token| token.len() >= TOKEN_BYTES_MIN && is_token(token))
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

impl Tokens {
    /// The tokens in this setting.
    pub(crate) fn new(configured: &Secret) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&OsRandom.bytes16());
        key[16..].copy_from_slice(&OsRandom.bytes16());
        let hashes = split(configured.reveal())
            .map(|token| blake3::keyed_hash(&key, token.as_bytes()))
            .collect();
        Self { key, hashes }
    }

    /// Checks that a request has one of the tokens.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when it has none, or another.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<()> {
        let owner = self.owner(bearer::token(headers)?);
        owner.map(drop).ok_or_else(|| bearer::invalid("the secret is not the one of tick.secret"))
    }

    /// The name of a token's bearer: `token-1` for the first configured token, and so on.
    pub(super) fn owner(&self, token: &str) -> Option<Caller> {
        let hash = blake3::keyed_hash(&self.key, token.as_bytes());
        // All are compared, each in constant time.
        let found = (1..)
            .zip(&self.hashes)
            .fold(None, |found, (number, known)| if *known == hash { Some(number) } else { found });
        found.map(|number: usize| caller(&format!("token-{number}"), token))
    }
}

/// The bearer of a configured token, who operates the server. The token distinguishes it, because
/// its name is a position in a list that may change.
pub(super) fn caller(name: &str, token: &str) -> Caller {
    Caller::new(name)
        .with_account(Identity::new("token", token.as_bytes()))
        .with_scopes(Scopes::USER.with(Scope::Operator))
}
