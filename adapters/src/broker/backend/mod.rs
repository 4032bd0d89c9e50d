//! What makes keys: the token service of an S3 store, or R2.

mod http;
mod r2;
mod sts;
#[cfg(test)]
pub(super) mod testing;

use dotdo_core::{Result, Secret};

pub(super) use self::r2::{R2, R2Settings};
pub(super) use self::sts::{Sts, StsSettings};
use super::keys::{Access, Keys};
use crate::credentials::Part;

/// How long keys are asked for, in seconds: the least that Amazon gives.
pub(super) const KEYS_SECONDS: u32 = 900;

/// What makes keys.
#[derive(Debug)]
pub(super) enum Backend {
    /// The token service of an S3 store.
    Sts(Sts),
    /// Cloudflare R2.
    R2(R2),
}

/// The keys that are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) part: &'a Part,
    /// The prefixes that the keys are limited to, each with a slash at its end.
    pub(super) prefixes: &'a [String],
    pub(super) access: Access,
    /// The caller's own JWT; `None` for a deploy token.
    pub(super) jwt: Option<&'a Secret>,
}

impl Backend {
    /// Makes keys; `now_ms` is the time before the request.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the backend does not answer, `StoreRefused` when it refuses the broker,
    /// `Forbidden` when it refuses the caller's own token.
    pub(super) async fn issue(&self, wanted: &Wanted<'_>, now_ms: i64) -> Result<Keys> {
        match self {
            Self::Sts(sts) => sts.issue(wanted).await,
            Self::R2(r2) => r2.issue(wanted, now_ms).await,
        }
    }

    /// Whether the caller's own token is sent to the store, so that its keys are nobody else's.
    pub(super) fn is_of_caller(&self) -> bool {
        matches!(self, Self::Sts(sts) if sts.is_of_caller())
    }

    /// The name in the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sts(_) => "sts",
            Self::R2(_) => "r2",
        }
    }
}
