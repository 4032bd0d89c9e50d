//! Keys of a part of the bucket, and what they may do.

use dotdo_core::{Scope, Secret};

pub(super) use crate::credentials::Access;

impl Access {
    /// The name in requests and in the audit log.
    pub(in crate::broker) fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
        }
    }

    /// The scope that a caller needs for it.
    pub(in crate::broker) fn scope(self) -> Scope {
        match self {
            Self::ReadWrite => Scope::Write,
            Self::ReadOnly => Scope::Read,
        }
    }
}

/// Temporary keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Secret,
    /// When they end, in milliseconds since 1970.
    pub(super) expires_ms: i64,
}
