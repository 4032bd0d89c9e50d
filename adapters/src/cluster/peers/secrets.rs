//! What is derived from the servers' common secret: the key that each of them proves to have, and
//! the hash that makes an address believed.
//!
//! A secret is renewed without a moment in which two servers do not know each other: `old,new`
//! everywhere, then `new,old`, then `new`. The first is the one that a server uses, each of them is
//! taken from others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::Secret;
use http::Uri;
use uuid::Uuid;

/// What keys are derived for. Never change them: make others.
const IDENTITY_CONTEXT: &str = "dotdo 2026-11 identity of servers to each other";
const ADDRESS_CONTEXT: &str = "dotdo 2026-11 addresses of servers";

/// The shortest secret, in bytes: what a random generator gives, not what somebody makes up.
/// Whoever can connect to a server is shown a public key made of it, and can try guesses against
/// that.
pub(crate) const SECRET_BYTES_MIN: usize = 32;

/// Whether `text` is one secret, or several separated by commas, each of which is long enough.
pub(crate) fn are_secrets(text: &str) -> bool {
    parts(text).all(|part| part.len() >= SECRET_BYTES_MIN)
}

/// The first of several secrets: the one that a server uses.
pub(crate) fn first(secret: &Secret) -> Secret {
    Secret::new(parts(secret.reveal()).next().unwrap_or_default())
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

/// What each of the secrets gives, the one to use first.
#[derive(Clone)]
pub(crate) struct Keys(Vec<Derived>);

#[derive(Clone)]
struct Derived {
    /// The seed of an Ed25519 key.
    identity: [u8; 32],
    address: [u8; 32],
}

impl Keys {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(parts(secret.reveal()).map(Derived::from).collect())
    }

    /// The seeds of the servers' signing keys, one's own first.
    pub(super) fn identities(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.0.iter().map(|derived| &derived.identity)
    }

    /// The address under which `instance` is reached, as others believe it: with a keyed hash of
    /// both behind `#`.
    pub(super) fn signed(&self, address: &str, instance: Uuid) -> String {
        let mac = self.0.first().expect("there is one").mac(address, instance);
        format!("{address}#{}", URL_SAFE_NO_PAD.encode(mac.as_bytes()))
    }

    /// Where `instance` is reached, if a server with one of the secrets has said so.
    pub(super) fn believed(&self, signed: &str, instance: Uuid) -> Option<Uri> {
        let (address, hash) = signed.rsplit_once('#')?;
        let hash =
            blake3::Hash::from(<[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(hash).ok()?).ok()?);
        // Comparing two hashes takes the same time wherever they differ.
        let is_ours = self.0.iter().any(|derived| derived.mac(address, instance) == hash);
        if is_ours { place(address) } else { None }
    }
}

impl Derived {
    fn from(secret: &str) -> Self {
        let derive = |context| blake3::derive_key(context, secret.as_bytes());
        Self { identity: derive(IDENTITY_CONTEXT), address: derive(ADDRESS_CONTEXT) }
    }

    fn mac(&self, address: &str, instance: Uuid) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.address);
        hasher.update(instance.as_bytes()).update(address.as_bytes());
        hasher.finalize()
    }
}

/// The root of a server at `http://host:port`, as it is asked for: with the servers' own TLS.
/// `None` when the address says more, or less, than that.
pub(super) fn place(address: &str) -> Option<Uri> {
    let authority = address.strip_prefix("http://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let parsed: http::uri::Authority = authority.parse().ok()?;
    let is_plain = !authority.contains('@') && !parsed.host().is_empty();
    Uri::builder()
        .scheme("https")
        .authority(parsed)
        .path_and_query("/")
        .build()
        .ok()
        .filter(|_| is_plain)
}
