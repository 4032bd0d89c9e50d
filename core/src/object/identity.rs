//! Who sends a request, as far as there is proof: what tells one caller's stored answers from
//! another's.
//!
//! It is a one-way hash of a name or of a token, never the thing itself: it goes into the object's
//! database and from server to server. It travels in a request's extensions, which no client can
//! reach.

use std::fmt;

use crate::id::ObjectId;

/// What the hashes are derived for. Never change them: whoever sends a request again would be
/// somebody else.
const CONTEXT: &str = "dotdo 2026-11 callers";
const CALL: &str = "object";

/// Somebody who has proved who they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity([u8; 32]);

impl Identity {
    /// The one with this `name` among those of one `kind`, such as the accounts of an
    /// authentication hook.
    pub fn new(kind: &str, name: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&(kind.len() as u64).to_le_bytes()).update(kind.as_bytes()).update(name);
        Self(*hasher.finalize().as_bytes())
    }

    /// The identity whose [`Identity::to_hex`] this is; `None` when it is none's.
    pub fn from_hex(hex: &str) -> Option<Self> {
        blake3::Hash::from_hex(hex).ok().map(|hash| Self(*hash.as_bytes()))
    }

    /// 64 characters that stand for it between servers.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// The handler of `object`, when it makes a request of its own; `origin` is who sent the
    /// request that it passes on, if it does that.
    pub(crate) fn of_call(object: &ObjectId, origin: Option<&Self>) -> Self {
        let mut name = object.key_segments().into_bytes();
        if let Some(Self(origin)) = origin {
            name.push(0);
            name.extend_from_slice(origin);
        }
        Self::new(CALL, &name)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", &self.to_hex()[..8])
    }
}
