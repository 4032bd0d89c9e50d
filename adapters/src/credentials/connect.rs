//! From the settings to a store that can be opened.

use std::sync::Arc;

use dotdo_core::{Clock, Result, StoreConfig, Tenant};

#[cfg(feature = "s3")]
use super::exchange::exchanged;
use super::plan::Storage;
use super::token::Tokens;

/// A store that can be opened.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) store: StoreConfig,
    /// The tenant that the server's own token names: the server serves its objects, and its keys
    /// may reach nothing else. `None` for a server without such a token.
    pub(crate) tenant: Option<Tenant>,
}

/// Finds out where the objects are, and who gives keys for them. Keys are fetched when the first
/// request to the store needs them, unless only the answer that has them says where the store is.
///
/// # Errors
///
/// `Invalid` or `Forbidden` when the settings or the token can't lead to a store; `Unavailable` when
/// the broker does not answer; `StoreRefused` when it refuses the token.
pub(crate) async fn connect(
    storage: &Storage,
    tokens: &Tokens,
    clock: Arc<dyn Clock>,
) -> Result<Connected> {
    match storage {
        Storage::Known(store) => Ok(Connected { store: store.clone(), tenant: None }),
        #[cfg(feature = "s3")]
        Storage::Exchanged(exchange) => exchanged(exchange, tokens, clock).await,
        // Opening it says which feature is missing.
        #[cfg(not(feature = "s3"))]
        Storage::Exchanged(exchange) => {
            let _ = (tokens, clock);
            let store = StoreConfig::S3(exchange.place.clone());
            Ok(Connected { store, tenant: None })
        }
    }
}
