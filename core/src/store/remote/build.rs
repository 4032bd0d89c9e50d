//! What the clients of all services share: no retries, a connect timeout, and the place to which
//! keys are relative.

use std::sync::Arc;

use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::super::Key;
use super::super::config::Secret;
use super::super::time::StoreTime;
use super::lent::Lent;
use crate::error::{Error, Result};
use crate::limits::{STORE_ANSWER_MAX, STORE_CONNECT_MAX};

/// The parts of a bucket on the network.
#[derive(Clone)]
pub(in super::super) struct Parts {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) pages: Arc<dyn PaginatedListStore>,
    pub(super) prefix: Key,
    pub(super) location: String,
    pub(super) time: Arc<StoreTime>,
    /// Secrets that no error may contain.
    pub(super) secrets: Vec<Secret>,
    /// The keys, where they are replaced from time to time.
    pub(super) lent: Option<Arc<Lent>>,
}

impl Parts {
    pub(super) fn new<S: ObjectStore + PaginatedListStore>(
        store: S,
        place: Place,
        time: Arc<StoreTime>,
        secrets: Vec<Secret>,
    ) -> Self {
        let store = Arc::new(store);
        Self {
            store: Arc::clone(&store) as _,
            pages: store,
            prefix: place.prefix,
            location: place.location,
            time,
            secrets,
            lent: None,
        }
    }
}

/// The place to which keys are relative.
pub(super) struct Place {
    prefix: Key,
    pub(super) location: String,
}

impl Place {
    pub(super) fn new(scheme: &str, bucket: &str, prefix: &str) -> Result<Self> {
        let prefix = prefix.trim_matches('/');
        if bucket.is_empty() || bucket.contains('/') {
            return Err(Error::invalid(format!(
                "expected the name of a bucket, as in {scheme}://BUCKET/PREFIX, got {bucket:?}"
            )));
        }
        Path::parse(prefix).map_err(|error| {
            Error::invalid(format!("expected a prefix for keys, got {prefix:?}: {error}"))
        })?;
        let mut place = Self { prefix: Key::new(prefix), location: format!("{scheme}://{bucket}") };
        place.location += &place.suffix();
        Ok(place)
    }

    pub(super) fn suffix(&self) -> String {
        if self.prefix.as_str().is_empty() { String::new() } else { format!("/{}", self.prefix) }
    }

    /// The configuration is wrong. The client's own text may repeat a key file, so only its kind is
    /// said.
    pub(super) fn wrong(&self, error: &object_store::Error) -> Error {
        let what = match error {
            object_store::Error::Generic { store, .. } => {
                format!("the {store} client rejects its settings")
            }
            other => other.to_string(),
        };
        Error::invalid(format!(
            "cannot open {}: {what}; check the endpoint, the region and the credentials",
            self.location
        ))
    }
}

/// Every call gets its own time limit, so the client has none for whole requests: large objects
/// take long.
pub(super) fn client() -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout_disabled()
        .with_connect_timeout(STORE_CONNECT_MAX)
}

pub(super) fn no_retry() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        retry_timeout: STORE_ANSWER_MAX,
        backoff: BackoffConfig::default(),
    }
}
