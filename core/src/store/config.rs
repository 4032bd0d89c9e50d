//! The configuration of a store, with explicit values only. The adapters fill it in from the
//! environment and files.

use std::fmt;
use std::path::PathBuf;

use super::keys::ProvidedKeys;

/// A text that is never printed, such as a password.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::Secret;
///
/// let password = Secret::new("swordfish");
/// assert_eq!(format!("{password:?}"), "(secret)");
/// assert_eq!(password.reveal(), "swordfish");
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text` so that it is not printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where the state is kept.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{S3Config, StoreConfig};
///
/// let folder = StoreConfig::Folder { path: "/srv/state".into() };
/// assert_eq!(folder.feature(), None);
/// let bucket =
///     StoreConfig::S3(S3Config { bucket: "state".to_owned(), ..S3Config::default() });
/// assert_eq!(bucket.feature(), Some("s3"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum StoreConfig {
    /// In the memory of this process.
    Memory,
    /// A folder, created when missing. Every write is synced to disk (fsync) before it is
    /// acknowledged. The file system must have hard links.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Amazon S3 and compatible stores: R2, Tigris, SeaweedFS, MinIO …
    S3(S3Config),
    /// Google Cloud Storage.
    Gcs(GcsConfig),
    /// Azure Blob Storage.
    Azure(AzureConfig),
}

impl StoreConfig {
    /// The cargo feature that brings the client of this store; `None` for those that need none.
    pub fn feature(&self) -> Option<&'static str> {
        match self {
            Self::Memory | Self::Folder { .. } => None,
            Self::S3(_) => Some("s3"),
            Self::Gcs(_) => Some("gcs"),
            Self::Azure(_) => Some("azure-blob"),
        }
    }
}

/// An S3 bucket, or a part of one.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{S3Config, S3Credentials, Secret};
///
/// let r2 = S3Config {
///     bucket: "state".to_owned(),
///     prefix: "shop".to_owned(),
///     region: Some("auto".to_owned()),
///     endpoint: Some("https://ACCOUNT.r2.cloudflarestorage.com".to_owned()),
///     credentials: S3Credentials::Keys {
///         access_key_id: "AKIA…".to_owned(),
///         secret_access_key: Secret::new("…"),
///         session_token: None,
///     },
/// };
/// # use std::sync::Arc;
/// # use dotdo::testing::{CountingRandom, ManualClock};
/// # let (clock, random) = (Arc::new(ManualClock::new()), Arc::new(CountingRandom::starting_at(1)));
/// # let config = dotdo::engine::StoreConfig::S3(r2);
/// # let bucket = dotdo::engine::open(&config, dotdo::engine::Uuid::from_u128(1), clock, random)?;
/// # assert_eq!(bucket.location(), "s3://state/shop");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// The prefix of all keys; may be empty. Slashes at its ends are ignored.
    pub prefix: String,
    /// The region; `us-east-1` when not given. R2 takes `auto`.
    pub region: Option<String>,
    /// The service's address, such as `https://ACCOUNT.r2.cloudflarestorage.com`; Amazon's when not
    /// given. `http://` is accepted.
    pub endpoint: Option<String>,
    /// The credentials.
    pub credentials: S3Credentials,
}

/// The credentials for an S3 store.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{S3Config, S3Credentials};
///
/// // On a machine of Amazon's, nothing has to be configured.
/// assert_eq!(S3Config::default().credentials, S3Credentials::Instance);
/// // On ECS, the platform says where the task gets its identity.
/// let relative_uri = "/v2/credentials/5a8d".to_owned();
/// let task =
///     S3Config { credentials: S3Credentials::Task { relative_uri }, ..S3Config::default() };
/// # assert_ne!(task, S3Config::default());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum S3Credentials {
    /// The machine's own identity, from the instance metadata service.
    #[default]
    Instance,
    /// A key pair.
    Keys {
        /// The access key id.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: Secret,
        /// The session token of temporary credentials.
        session_token: Option<Secret>,
    },
    /// Keys that end, from a provider that replaces them in time.
    Provided(ProvidedKeys),
    /// The task's identity on ECS: the path that the platform gives.
    Task {
        /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
        relative_uri: String,
    },
    /// The pod's identity on EKS.
    Pod {
        /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
        full_uri: String,
        /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
        token_file: PathBuf,
    },
    /// None: requests are not signed.
    Unsigned,
}

/// A Google Cloud Storage bucket, or a part of one.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{GcsConfig, GcsCredentials};
///
/// let config = GcsConfig {
///     bucket: "state".to_owned(),
///     credentials: GcsCredentials::ServiceAccountFile("/run/secrets/gcs.json".into()),
///     ..GcsConfig::default()
/// };
/// assert_eq!(config.endpoint, None, "the service of Google");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GcsConfig {
    /// The bucket's name.
    pub bucket: String,
    /// The prefix of all keys; may be empty.
    pub prefix: String,
    /// URL of the service if it is not the default, such as an emulator's.
    pub endpoint: Option<String>,
    /// The credentials.
    pub credentials: GcsCredentials,
}

/// The credentials for Google Cloud Storage.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{GcsConfig, GcsCredentials};
///
/// // For an emulator.
/// let config = GcsConfig {
///     bucket: "state".to_owned(),
///     endpoint: Some("http://127.0.0.1:4443".to_owned()),
///     credentials: GcsCredentials::Unsigned,
///     ..GcsConfig::default()
/// };
/// assert_ne!(config.credentials, GcsCredentials::default());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum GcsCredentials {
    /// The machine's own identity (or `gcloud`'s default credentials in the home folder).
    #[default]
    Platform,
    /// A service account's key as JSON.
    ServiceAccountKey(Secret),
    /// A file that holds one.
    ServiceAccountFile(PathBuf),
    /// Access tokens that end ([`AccessKeys::bearer`](crate::AccessKeys::bearer)), from a provider
    /// that replaces them in time.
    Provided(ProvidedKeys),
    /// None: requests are not signed.
    Unsigned,
}

/// An Azure Blob Storage container, or a part of one.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{AzureConfig, AzureCredentials};
///
/// let config = AzureConfig {
///     account: "shopstate".to_owned(),
///     container: "state".to_owned(),
///     ..AzureConfig::default()
/// };
/// assert_eq!(
///     config.credentials,
///     AzureCredentials::Platform,
///     "the machine's managed identity"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AzureConfig {
    /// The storage account.
    pub account: String,
    /// The container.
    pub container: String,
    /// The prefix of all keys; may be empty.
    pub prefix: String,
    /// URL of the account if it is not the default, such as an emulator's. `http://` is accepted.
    pub endpoint: Option<String>,
    /// The credentials.
    pub credentials: AzureCredentials,
}

/// The credentials for Azure Blob Storage.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{AzureConfig, AzureCredentials, Secret};
///
/// let credentials = AzureCredentials::Sas(Secret::new("?sv=2024-11-04&sp=rwdl&sig=…"));
/// let config = AzureConfig {
///     account: "shopstate".to_owned(),
///     container: "state".to_owned(),
///     credentials,
///     ..AzureConfig::default()
/// };
/// assert!(!format!("{config:?}").contains("sig"), "secrets are not printed");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AzureCredentials {
    /// The machine's managed identity.
    #[default]
    Platform,
    /// The app's managed identity, on App Service and Functions. `object_store` reads the header
    /// for the endpoint from the environment (`IDENTITY_HEADER`).
    App {
        /// The token endpoint.
        endpoint: String,
        /// The identity, when the app has several.
        client_id: Option<String>,
    },
    /// The account's key.
    AccessKey(Secret),
    /// A shared access signature: the query string, with or without `?`.
    Sas(Secret),
    /// A token in a file, exchanged at Entra ID (workload identity).
    WorkloadIdentity {
        /// The file that holds the token.
        token_file: PathBuf,
        /// The application.
        client_id: String,
        /// The directory.
        tenant_id: String,
    },
    /// Access tokens that end ([`AccessKeys::bearer`](crate::AccessKeys::bearer)), from a provider
    /// that replaces them in time.
    Provided(ProvidedKeys),
    /// None: requests are not signed.
    Unsigned,
}
