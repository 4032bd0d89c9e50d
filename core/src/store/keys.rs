//! Keys of a store that end, and the port to what replaces them in time.
//!
//! Must not know: where keys come from, how they are cached, and who signs with them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::config::Secret;

/// What signs requests to a store: a key pair for S3, usually a temporary one, or the bearer token of
/// another store ([`AccessKeys::bearer`]).
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{AccessKeys, Secret};
///
/// let token = AccessKeys::bearer(Secret::new("ya29.secret"));
/// assert_eq!(token.secret_access_key.reveal(), "ya29.secret");
/// assert!(token.access_key_id.starts_with("bearer:"), "it is named without being told");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token of temporary keys.
    pub session_token: Option<Secret>,
}

impl AccessKeys {
    /// The access token of a store that wants one in `Authorization: Bearer`. Its id is a part of
    /// its hash.
    pub fn bearer(token: Secret) -> Self {
        Self {
            access_key_id: bearer_id(token.reveal()),
            secret_access_key: token,
            session_token: None,
        }
    }
}

/// The id of a bearer token, which is not secret.
pub(super) fn bearer_id(token: &str) -> String {
    format!("bearer:{}", &blake3::hash(token.as_bytes()).to_hex()[..16])
}

/// Why an [`AccessKeyProvider`] has no keys to give. The message says what failed and what to do,
/// without secrets.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::AccessKeysError;
///
/// /// What the status of a token service means.
/// fn failure(status: u16) -> AccessKeysError {
///     match status {
///         401 | 403 => {
///             AccessKeysError::Refused("the token is not accepted; log in again".to_owned())
///         }
///         _ => AccessKeysError::Unavailable(format!("the token service answered {status}")),
///     }
/// }
///
/// assert_eq!(failure(503).to_string(), "the token service answered 503");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeysError {
    /// Whoever gives keys did not answer, or answered that it can't at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// Whoever gives keys refused, or was not asked because the configuration or the token is of no
    /// use.
    #[error("{0}")]
    Refused(String),
}

/// Gives the keys that sign requests to a store. It is asked before each request, so it keeps the
/// keys that it has.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::sync::{Arc, Mutex};
///
/// use dotdo::engine::{AccessKeyProvider, AccessKeys, AccessKeysError, Secret, async_trait};
///
/// /// Keys from a vault, kept until the store refuses them.
/// #[derive(Default)]
/// struct Vault(Mutex<Option<Arc<AccessKeys>>>);
///
/// #[async_trait]
/// impl AccessKeyProvider for Vault {
///     async fn keys(&self) -> Result<Arc<AccessKeys>, AccessKeysError> {
///         let mut kept = self.0.lock().unwrap();
///         Ok(kept.get_or_insert_with(|| Arc::new(ask_the_vault())).clone())
///     }
///
///     fn refused(&self, access_key_id: &str) {
///         self.0.lock().unwrap().take_if(|kept| kept.access_key_id == access_key_id);
///     }
/// }
/// # fn ask_the_vault() -> AccessKeys {
/// #     AccessKeys { access_key_id: "AKIA".into(), secret_access_key: Secret::new("…"), session_token: None }
/// # }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let vault = Vault::default();
/// # assert_eq!(vault.keys().await, Ok(Arc::new(ask_the_vault())));
/// # vault.refused("AKIA");
/// # assert!(vault.0.lock().unwrap().is_none());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[async_trait]
pub trait AccessKeyProvider: Send + Sync + 'static {
    /// Keys that have not ended, as far as is known. Waits for new ones where there are none, for a
    /// limited time; the wait can be cancelled without harm to others that wait.
    async fn keys(&self) -> Result<Arc<AccessKeys>, AccessKeysError>;

    /// The store has refused the keys with this id because they have ended or were revoked. They
    /// are not given out again.
    fn refused(&self, access_key_id: &str);
}

/// A provider as a part of a configuration. Two are equal if they are the same provider.
/// [`S3Opener`](crate::S3Opener) has an example.
#[derive(Clone)]
pub struct ProvidedKeys(Arc<dyn AccessKeyProvider>);

impl ProvidedKeys {
    /// Keys that `provider` gives.
    pub fn new(provider: Arc<dyn AccessKeyProvider>) -> Self {
        Self(provider)
    }

    #[cfg(feature = "network")]
    pub(super) fn provider(&self) -> Arc<dyn AccessKeyProvider> {
        Arc::clone(&self.0)
    }
}

impl PartialEq for ProvidedKeys {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for ProvidedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProvidedKeys(…)")
    }
}
