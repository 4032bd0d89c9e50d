//! The hash that separates stored responses of different callers.
//!
//! It is a one-way hash of a name or a token, because it is stored in the object's database and
//! sent between servers.

use std::fmt;

use crate::id::{ObjectId, Tenant};

/// Contexts of the key derivation. They must not change, because retries would get another
/// identity.
const CONTEXT: &str = "dotdo 2026-11 callers";
const CALL: &str = "object";
const TENANT: &str = "tenant";

/// A hash that distinguishes callers.
///
/// ```
/// # mod dotdo { pub mod identity { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::Caller;
/// use dotdo::identity::Identity;
///
/// // Each shop numbers its customers, so 42 is somebody else in another shop.
/// let account = Identity::new("customer", b"shop-7/42");
/// let caller = Caller::new("42").with_account(account);
/// assert_ne!(caller, Caller::new("42"));
/// assert_eq!(Identity::from_hex(&account.to_hex()), Some(account));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity([u8; 32]);

impl Identity {
    /// The identity with this `name` among those of one `kind`, such as the accounts of a program's
    /// own authenticator.
    pub fn new(kind: &str, name: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&(kind.len() as u64).to_le_bytes()).update(kind.as_bytes()).update(name);
        Self(*hasher.finalize().as_bytes())
    }

    /// Parses the result of [`Identity::to_hex`]; `None` if it is invalid.
    pub fn from_hex(hex: &str) -> Option<Self> {
        blake3::Hash::from_hex(hex).ok().map(|hash| Self(*hash.as_bytes()))
    }

    /// The form between servers: 64 characters.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// This identity within `tenant`. In the tenant `local/local` it is unchanged, because identities
    /// are stored and existed before tenants.
    pub(crate) fn within(&self, tenant: &Tenant) -> Self {
        if tenant.is_local() {
            return *self;
        }
        let mut name = self.0.to_vec();
        name.extend_from_slice(&(tenant.org().len() as u64).to_le_bytes());
        name.extend_from_slice(tenant.org().as_bytes());
        name.extend_from_slice(tenant.name().as_bytes());
        Self::new(TENANT, &name)
    }

    /// The identity of `object`'s handler, among those of its tenant, for its own requests. `origin`
    /// is the sender of the request that it passes on, if any.
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
