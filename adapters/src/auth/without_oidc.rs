//! Tokens of issuers in a program that was built without the feature `oidc`: none are accepted, and
//! whoever sets an issuer is told so at the start (`config/features.rs`).

use std::sync::Arc;

use dotdo_core::{Caller, Clock, Error, Result, StoreConfig};

use super::IdentitySettings;

/// What would verify tokens. There is none.
#[derive(Debug)]
pub(crate) enum Verifier {}

/// A verified token. There is none.
pub(crate) struct Verified {
    pub(crate) caller: Caller,
}

/// Where a server has its state, which only tokens restrict.
pub(crate) struct Location;

impl Location {
    pub(crate) fn of(_: &StoreConfig) -> Self {
        Self
    }
}

impl Verifier {
    /// # Errors
    ///
    /// `Invalid`, always.
    pub(crate) fn new(_: &IdentitySettings, _: Location, _: Arc<dyn Clock>) -> Result<Self> {
        Err(Error::invalid("this program was built without the feature `oidc`"))
    }

    pub(crate) fn remembered(&self, _: &str) -> Option<Arc<Verified>> {
        match *self {}
    }

    pub(crate) async fn verify(&self, _: &str) -> Result<Arc<Verified>> {
        match *self {}
    }
}

/// Nothing is recognised, because nothing could be verified.
pub(super) fn is_jwt(_: &str) -> bool {
    false
}
