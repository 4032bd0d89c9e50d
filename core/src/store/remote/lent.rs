//! The keys that sign requests to a store, where a provider lends them for a time.

use std::sync::Arc;

use super::super::config::Secret;
use super::super::keys::{AccessKeyProvider, AccessKeys, AccessKeysError};
use super::http::Answer;
use crate::sync::Mutex;

/// Number of key pairs that are remembered: those that sign now, and those that signed requests
/// that are still under way.
const REMEMBERED: usize = 2;

/// A provider, and the keys that it gave last.
pub(super) struct Lent {
    provider: Arc<dyn AccessKeyProvider>,
    /// The newest first.
    seen: Mutex<Vec<Arc<AccessKeys>>>,
}

impl Lent {
    pub(super) fn new(provider: Arc<dyn AccessKeyProvider>) -> Self {
        Self { provider, seen: Mutex::new(Vec::new()) }
    }

    /// The keys for a request that is sent now.
    pub(super) async fn keys(&self) -> Result<Arc<AccessKeys>, AccessKeysError> {
        let keys = self.provider.keys().await?;
        let mut seen = self.seen.lock();
        if seen.first().is_none_or(|newest| !Arc::ptr_eq(newest, &keys)) {
            seen.insert(0, Arc::clone(&keys));
            seen.truncate(REMEMBERED);
        }
        Ok(keys)
    }

    /// The newest access token, for the client of `store`.
    #[cfg(any(feature = "gcs", feature = "azure-blob"))]
    pub(super) async fn bearer(&self, store: &'static str) -> object_store::Result<String> {
        let no_token = |error: AccessKeysError| object_store::Error::Generic {
            store,
            source: Box::new(error),
        };
        let keys = self.keys().await.map_err(no_token)?;
        Ok(keys.secret_access_key.reveal().to_owned())
    }

    /// Whether the store refused a request because its keys have ended, so that the same request
    /// may succeed with others. The provider learns of it.
    pub(super) fn have_ended(&self, answer: &Answer) -> bool {
        let Some(access_key_id) = answer.access_key_id.as_deref().filter(|_| answer.is_of_keys())
        else {
            return false;
        };
        self.provider.refused(access_key_id);
        true
    }

    /// What no error may contain.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let secrets = |keys: &Arc<AccessKeys>| {
            [Some(keys.secret_access_key.clone()), keys.session_token.clone()]
        };
        self.seen.lock().iter().flat_map(secrets).flatten().collect()
    }
}
