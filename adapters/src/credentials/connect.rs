//! From the settings to a store that can be opened.

use std::sync::Arc;

#[cfg(any(feature = "gcs", feature = "azure-blob"))]
use dotdo_core::ProvidedKeys;
#[cfg(feature = "azure-blob")]
use dotdo_core::{AzureConfig, AzureCredentials};
use dotdo_core::{Clock, Result, StoreConfig, Tenant};
#[cfg(feature = "gcs")]
use dotdo_core::{GcsConfig, GcsCredentials};

#[cfg(any(feature = "gcs", feature = "azure-blob"))]
use super::cache::RenewedKeys;
#[cfg(feature = "azure-blob")]
use super::entra::Entra;
#[cfg(feature = "s3")]
use super::exchange::exchanged;
#[cfg(feature = "gcs")]
use super::google::{Google, external_account};
use super::plan::Storage;
#[cfg(any(feature = "gcs", feature = "azure-blob"))]
use super::plan::{Federation, Trusted};
use super::token::Tokens;

/// A store that can be opened.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) store: StoreConfig,
    /// The tenant that the server's own token names: the server serves its objects, and its keys
    /// may reach nothing else. `None` for a server without such a token.
    pub(crate) tenant: Option<Tenant>,
    /// Where the keys of each tenant's part come from, if there are such; those of `store` reach
    /// only what all tenants share.
    #[cfg(feature = "s3")]
    pub(crate) by_tenant: Option<super::tenants::KeysByTenant>,
}

impl Connected {
    /// A store whose keys reach all that this server serves.
    pub(super) fn whole(store: StoreConfig, tenant: Option<Tenant>) -> Self {
        Self {
            store,
            tenant,
            #[cfg(feature = "s3")]
            by_tenant: None,
        }
    }
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
        #[cfg(feature = "gcs")]
        Storage::Known(StoreConfig::Gcs(config)) => {
            google(config, clock).map(|store| Connected::whole(store, None))
        }
        #[cfg(any(feature = "gcs", feature = "azure-blob"))]
        Storage::Federated(federation) => {
            let store = federated(federation, tokens, clock)?;
            Ok(Connected::whole(store, None))
        }
        Storage::Known(store) => Ok(Connected::whole(store.clone(), None)),
        #[cfg(feature = "s3")]
        Storage::Exchanged(exchange) => exchanged(exchange, tokens, clock).await,
        // Opening it says which feature is missing.
        #[cfg(not(feature = "s3"))]
        Storage::Exchanged(exchange) => {
            let _ = (tokens, clock);
            let store = StoreConfig::S3(exchange.place.clone());
            Ok(Connected::whole(store, None))
        }
        #[cfg(not(any(feature = "gcs", feature = "azure-blob")))]
        Storage::Federated(federation) => Ok(Connected::whole(federation.store.clone(), None)),
    }
}

/// The store of a federation, with access tokens that are renewed. One that the program was built
/// without keeps its credentials: opening it says which feature is missing.
#[cfg(any(feature = "gcs", feature = "azure-blob"))]
fn federated(
    federation: &Federation,
    tokens: &Tokens,
    clock: Arc<dyn Clock>,
) -> Result<StoreConfig> {
    let token = tokens.source(&federation.token)?;
    match (&federation.store, &federation.trusted) {
        #[cfg(feature = "gcs")]
        (StoreConfig::Gcs(config), Trusted::Google(settings)) => {
            let google = Google::new(settings.clone(), token, Arc::clone(&clock))?;
            Ok(with_tokens_of(config, google, clock))
        }
        #[cfg(feature = "azure-blob")]
        (StoreConfig::Azure(config), Trusted::Entra(settings)) => {
            let entra = Entra::new(settings, token, Arc::clone(&clock))?;
            let keys = ProvidedKeys::new(Arc::new(RenewedKeys::new(Arc::new(entra), clock)));
            let credentials = AzureCredentials::Provided(keys);
            Ok(StoreConfig::Azure(AzureConfig { credentials, ..config.clone() }))
        }
        (store, _) => Ok(store.clone()),
    }
}

/// A bucket of Google, whose file with credentials may ask for an exchange.
#[cfg(feature = "gcs")]
fn google(config: &GcsConfig, clock: Arc<dyn Clock>) -> Result<StoreConfig> {
    let file = match &config.credentials {
        GcsCredentials::ServiceAccountFile(path) => external_account(path)?,
        _ => None,
    };
    let Some((settings, token)) = file else { return Ok(StoreConfig::Gcs(config.clone())) };
    let google = Google::new(settings, token, Arc::clone(&clock))?;
    Ok(with_tokens_of(config, google, clock))
}

#[cfg(feature = "gcs")]
fn with_tokens_of(config: &GcsConfig, google: Google, clock: Arc<dyn Clock>) -> StoreConfig {
    let keys = ProvidedKeys::new(Arc::new(RenewedKeys::new(Arc::new(google), clock)));
    let credentials = GcsCredentials::Provided(keys);
    StoreConfig::Gcs(GcsConfig { credentials, ..config.clone() })
}
