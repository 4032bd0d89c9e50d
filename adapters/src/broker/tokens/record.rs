//! The record of a deploy token in the bucket (docs/FORMAT.md, `.broker/`).

use bytes::Bytes;
use dotdo_core::{Error, Key, Result, Scope, Scopes, Tenant};
use serde::{Deserialize, Serialize};

/// The version of the format.
const FORMAT: u32 = 1;

/// What a deploy token is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct Grant {
    pub(in crate::broker) tenant: Tenant,
    pub(in crate::broker) name: String,
    pub(in crate::broker) scopes: Scopes,
    /// The subject of whoever issues it.
    pub(in crate::broker) created_by: String,
    pub(in crate::broker) created_ms: i64,
    pub(in crate::broker) expires_ms: i64,
}

/// A deploy token, as the bucket knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct Record {
    pub(in crate::broker) hash: blake3::Hash,
    pub(in crate::broker) grant: Grant,
    /// When it was revoked, and by whom.
    pub(in crate::broker) revoked: Option<Revoked>,
}

/// The end of a deploy token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct Revoked {
    pub(in crate::broker) at_ms: i64,
    pub(in crate::broker) by: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    hash: String,
    org: String,
    tenant: String,
    name: String,
    scopes: String,
    created_by: String,
    created_ms: i64,
    expires_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_by: Option<String>,
}

impl Record {
    /// The record's bytes.
    pub(super) fn encode(&self) -> Bytes {
        let Grant { tenant, name, scopes, created_by, created_ms, expires_ms } = &self.grant;
        let stored = Stored {
            format: FORMAT,
            hash: self.hash.to_hex().to_string(),
            org: tenant.org().to_owned(),
            tenant: tenant.name().to_owned(),
            name: name.clone(),
            scopes: scopes.to_string(),
            created_by: created_by.clone(),
            created_ms: *created_ms,
            expires_ms: *expires_ms,
            revoked_ms: self.revoked.as_ref().map(|revoked| revoked.at_ms),
            revoked_by: self.revoked.as_ref().map(|revoked| revoked.by.clone()),
        };
        serde_json::to_vec(&stored).expect("strings and numbers are JSON").into()
    }

    /// The record in the bytes of `key`.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it is damaged, or of a version that this program does not know.
    pub(super) fn decode(key: &Key, bytes: &[u8]) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(key, what);
        let stored: Stored = serde_json::from_slice(bytes)
            .map_err(|_| corrupt("expected the record of a deploy token, got other bytes"))?;
        if stored.format != FORMAT {
            let what = format!("expected format {FORMAT}, got {}", stored.format);
            return Err(corrupt(&what));
        }
        let hash = blake3::Hash::from_hex(&stored.hash)
            .map_err(|_| corrupt("expected a hash of 64 hex digits, got another text"))?;
        let tenant = Tenant::new(&stored.org, &stored.tenant)
            .map_err(|_| corrupt("expected the names of a tenant, got other texts"))?;
        let by = stored.revoked_by.unwrap_or_default();
        Ok(Self {
            hash,
            grant: Grant {
                tenant,
                name: stored.name,
                scopes: narrow(Scopes::parse(&stored.scopes)),
                created_by: stored.created_by,
                created_ms: stored.created_ms,
                expires_ms: stored.expires_ms,
            },
            revoked: stored.revoked_ms.map(|at_ms| Revoked { at_ms, by }),
        })
    }
}

/// The scopes that a deploy token can have.
pub(in crate::broker) fn narrow(scopes: Scopes) -> Scopes {
    scopes.without(Scope::Admin).without(Scope::Operator)
}
