//! Deploy tokens: what they look like, and how they are kept in the bucket.
//!
//! Promises: the bucket has hashes only; a revoked token stays revoked, whatever is delayed or
//! repeated; a token's tenant, scopes and expiry never change.

mod record;
mod store;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::{Random, Secret};

pub(super) use self::record::{Grant, Record};
pub(super) use self::store::{Page, Tokens};

/// How a deploy token begins, so that people and scanners of leaked secrets recognise it.
const PREFIX: &str = "dotdo_";
/// Number of random bytes in a token.
const RANDOM_BYTES: usize = 32;
/// Number of bytes of the hash that are a token's id.
const ID_BYTES: usize = 16;

/// The text of a deploy token.
pub(super) struct DeployToken(Secret);

impl DeployToken {
    /// A new token.
    pub(super) fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; RANDOM_BYTES];
        for half in bytes.chunks_exact_mut(ID_BYTES) {
            half.copy_from_slice(&random.bytes16());
        }
        Self(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Whether a bearer token claims to be one of these.
    pub(super) fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The token with this text; `None` if no token has it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let random = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (random.len() == RANDOM_BYTES).then(|| Self(Secret::new(text)))
    }

    /// The text, for whoever it is issued to.
    pub(super) fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// The hash of the text.
    pub(super) fn hash(&self) -> blake3::Hash {
        blake3::hash(self.0.reveal().as_bytes())
    }
}

/// The id of the token with this hash.
pub(super) fn id_of(hash: &blake3::Hash) -> String {
    hash.to_hex()[..2 * ID_BYTES].to_owned()
}

/// Whether `text` can be an id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
