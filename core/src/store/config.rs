//! The configuration of a store, with explicit values only. The adapters fill it in from the
//! environment and files.

use std::fmt;
use std::path::PathBuf;

use super::keys::ProvidedKeys;

/// A text that is never printed, such as a password.
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
