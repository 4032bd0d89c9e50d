//! Tokens that were verified within the last minute, by their hash.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::Clock;
use dotdo_core::sync::Mutex;

use super::verifier::Verified;

/// How long a verification is believed. A token that is revoked is accepted for this time longer.
const BELIEVED_MAX: Duration = Duration::from_secs(60);
/// Maximum number of tokens in each of the two generations. One takes about 500 bytes.
const TOKENS_MAX: usize = 4096;

/// Verified tokens. Only their hashes are kept.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Generations>);

/// Two generations: when the younger one is full, the older one is forgotten, so no search for the
/// oldest token is needed.
#[derive(Default)]
struct Generations {
    younger: HashMap<blake3::Hash, Entry>,
    older: HashMap<blake3::Hash, Entry>,
}

#[derive(Clone)]
struct Entry {
    verified: Arc<Verified>,
    /// When it was verified, on the monotonic clock.
    since: Duration,
}

impl Remembered {
    /// What a token was verified as, unless that was too long ago or the token has ended.
    pub(super) fn get(&self, token: &str, clock: &dyn Clock) -> Option<Arc<Verified>> {
        let hash = blake3::hash(token.as_bytes());
        let entry = {
            let known = self.0.lock();
            known.younger.get(&hash).or_else(|| known.older.get(&hash)).cloned()?
        };
        let is_recent = clock.monotonic().saturating_sub(entry.since) < BELIEVED_MAX;
        (is_recent && clock.wall_ms() < entry.verified.expires_ms).then_some(entry.verified)
    }

    /// Remembers what a token was verified as.
    pub(super) fn put(&self, token: &str, verified: Arc<Verified>, clock: &dyn Clock) {
        let hash = blake3::hash(token.as_bytes());
        let mut known = self.0.lock();
        if known.younger.len() >= TOKENS_MAX {
            known.older = std::mem::take(&mut known.younger);
        }
        known.younger.insert(hash, Entry { verified, since: clock.monotonic() });
    }
}
