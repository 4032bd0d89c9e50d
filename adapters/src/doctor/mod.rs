//! What `dotdo doctor` asks: whether a server could run here with these settings, and how fast its
//! store is.
//!
//! Promises: nothing is left in the store; no secret is part of what is found.
//! Must not know: objects, requests, how findings are shown.

mod machine;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use dotdo_core::{AzureConfig, GcsConfig, Result, S3Config, StoreConfig};

pub use self::machine::MemoryLimit;
pub use self::store::{DatabaseCheck, StoreCheck, StoreLatencies};
use crate::config::{Config, Resolved, resolve};
use crate::credentials::{Storage, TokenSource, Tokens};
use crate::options::ServeOptions;
use crate::platforms::Platform;
use crate::run::with_login;
use crate::serve::bind;

/// A place where a server could run: the settings that hold here, resolved.
///
/// ```
/// use dotdo::ServeOptions;
/// use dotdo::commands::Premises;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let options = ServeOptions { storage: Some("memory://".to_owned()), ..ServeOptions::default() };
/// let here = Premises::of(options, None)?;
/// assert_eq!(here.platform(), "http");
/// assert!(here.check_store().await?.is_volatile);
/// # Ok::<(), dotdo::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Premises {
    config: Config,
    platform: Platform,
    storage: Storage,
    tokens: Tokens,
}

impl Premises {
    /// Reads the settings as a server would, with the login of whoever asks.
    ///
    /// # Errors
    ///
    /// `Invalid` when a server would not start with these settings.
    pub fn of(options: ServeOptions, login: Option<Arc<dyn TokenSource>>) -> Result<Self> {
        let sources = with_login(options.sources()?, login.as_deref());
        let Resolved { config, platform, storage, .. } = resolve(&sources)?;
        let tokens = Tokens::new(&storage, login);
        Ok(Self { config, platform, storage, tokens })
    }

    /// The name of the platform.
    pub fn platform(&self) -> &'static str {
        self.platform.name()
    }

    /// The issuers whose tokens are accepted.
    pub fn issuers(&self) -> Vec<String> {
        self.config.edge.auth.identity.issuers().map(|issuer| issuer.url()).collect()
    }

    /// The broker or the token service that gives out keys for the store.
    pub fn key_service(&self) -> Option<String> {
        use crate::credentials::{Exchanger, Trusted};
        match &self.storage {
            Storage::Known(_) => None,
            Storage::Exchanged(exchange) => Some(match &exchange.exchanger {
                Exchanger::Broker(url) => url.clone(),
                Exchanger::Sts(settings) => settings.url.clone(),
            }),
            Storage::Federated(federation) => Some(match &federation.trusted {
                Trusted::Google(settings) => settings.token_url.clone(),
                Trusted::Entra(settings) => settings.authority.clone(),
            }),
        }
    }

    /// The URL of the store's service; `None` for a folder or memory, and where only the answer of
    /// a broker says it.
    pub fn store_service(&self) -> Option<String> {
        match &self.storage {
            Storage::Known(store) => service(store),
            Storage::Federated(federation) => service(&federation.store),
            Storage::Exchanged(exchange) => {
                (!exchange.place.bucket.is_empty()).then(|| of_s3(&exchange.place))
            }
        }
    }

    /// The URL of the database that holds the log, if one does.
    pub fn database_service(&self) -> Option<String> {
        self.config.access.database.address()
    }

    /// The folder with the state, if it is one.
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.storage {
            Storage::Known(StoreConfig::Folder { path }) => Some(path.clone()),
            _ => None,
        }
    }

    /// The address to listen on: host and port.
    pub fn address(&self) -> (String, u16) {
        (self.config.host.clone().unwrap_or_default(), self.config.port)
    }

    /// Listens on the address, and stops at once.
    ///
    /// # Errors
    ///
    /// `Unavailable` when it can't be bound, for instance because another program has it;
    /// `Forbidden` when other machines could send requests without authentication.
    pub async fn listen(&self) -> Result<SocketAddr> {
        let listener = bind(&self.config, self.platform).await?;
        listener
            .local_addr()
            .map_err(|cause| dotdo_core::Error::internal(format!("no address: {cause}")))
    }

    /// The memory budget of a server, in bytes.
    pub fn memory_budget_bytes(&self) -> u64 {
        self.config.settings.memory_bytes_max
    }

    /// What limits the memory of this process, if it is known.
    pub fn memory_limit(&self) -> Option<MemoryLimit> {
        machine::memory_limit()
    }

    /// Checks the store and measures it, and the database that holds its log, if one does. An empty
    /// database has an empty table then.
    ///
    /// # Errors
    ///
    /// `Invalid`, `Forbidden`, `StoreRefused` or `Unavailable`, as a server's start would fail, with
    /// what to do.
    pub async fn check_store(&self) -> Result<StoreCheck> {
        store::check(&self.storage, &self.tokens, &self.config.access.database).await
    }
}

impl std::fmt::Debug for Premises {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Premises").field("platform", &self.platform).finish_non_exhaustive()
    }
}

fn service(store: &StoreConfig) -> Option<String> {
    match store {
        StoreConfig::S3(s3) => Some(of_s3(s3)),
        StoreConfig::Gcs(GcsConfig { endpoint, .. }) => {
            Some(endpoint.clone().unwrap_or_else(|| "https://storage.googleapis.com".to_owned()))
        }
        StoreConfig::Azure(AzureConfig { endpoint, account, .. }) => Some(
            endpoint.clone().unwrap_or_else(|| format!("https://{account}.blob.core.windows.net")),
        ),
        _ => None,
    }
}

fn of_s3(s3: &S3Config) -> String {
    s3.endpoint.clone().unwrap_or_else(|| {
        format!("https://s3.{}.amazonaws.com", s3.region.as_deref().unwrap_or("us-east-1"))
    })
}
