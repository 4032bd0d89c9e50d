//! Keys that are derived from the servers' shared secret: the key for authentication, and the key
//! that signs addresses.
//!
//! A secret is rotated without an interruption: `old,new` everywhere, then `new,old`, then `new`. A
//! server uses the first and accepts all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::Secret;
use http::Uri;
use uuid::Uuid;

/// Contexts of key derivation. Never change them; add others.
const IDENTITY_CONTEXT: &str = "dotdo 2026-11 identity of servers to each other";
const ADDRESS_CONTEXT: &str = "dotdo 2026-11 addresses of servers";

/// Minimum length of a secret, in bytes: long enough to be from a random generator. Anyone who
/// connects to a server sees a public key that is made from it, and can try guesses.
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

/// The keys of each secret, the one to use first.
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

    /// The signed address of `instance`: with a keyed hash of both after `#`.
    pub(super) fn signed(&self, address: &str, instance: Uuid) -> String {
        let mac = self.0.first().expect("there is one").mac(address, instance);
        format!("{address}#{}", URL_SAFE_NO_PAD.encode(mac.as_bytes()))
    }

    /// The address of `instance`, if a server with one of the secrets has signed it.
    pub(super) fn believed(&self, signed: &str, instance: Uuid) -> Option<Uri> {
        let (address, hash) = signed.rsplit_once('#')?;
        let hash =
            blake3::Hash::from(<[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(hash).ok()?).ok()?);
        // The comparison takes constant time.
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

/// The root URL of a server at `http://host:port`, with the servers' own TLS. `None` for any other
/// form of address.
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
