//! Builds one client per service from explicit values, all without retries, with a connect timeout,
//! and with watched responses.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::super::Key;
use super::super::config::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, S3Config, S3Credentials, Secret,
};
use super::super::time::StoreTime;
use super::http::Watching;
use crate::error::{Error, Result};
use crate::limits::{STORE_ANSWER_MAX, STORE_CONNECT_MAX};

/// The parts of a bucket on the network.
pub(in super::super) struct Parts {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) pages: Arc<dyn PaginatedListStore>,
    pub(super) prefix: Key,
    pub(super) location: String,
    pub(super) time: Arc<StoreTime>,
    /// Secrets that no error may contain.
    pub(super) secrets: Vec<Secret>,
}

impl Parts {
    fn new<S: ObjectStore + PaginatedListStore>(
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
        }
    }
}

/// An S3 bucket.
pub(in super::super) fn s3(config: &S3Config, time: Arc<StoreTime>) -> Result<Parts> {
    let place = Place::new("s3", &config.bucket, &config.prefix)?;
    let region = config.region.as_deref().unwrap_or("us-east-1");
    let home =
        config.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(region)
        .with_client_options(client())
        .with_retry(no_retry())
        .with_http_connector(Watching::new(&time, &home));
    if let Some(endpoint) = &config.endpoint {
        builder = builder
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_allow_http(endpoint.starts_with("http://"));
    }
    let mut secrets = Vec::new();
    builder = match &config.credentials {
        S3Credentials::Instance => builder,
        S3Credentials::Unsigned => builder.with_skip_signature(true),
        S3Credentials::Keys { access_key_id, secret_access_key, session_token } => {
            secrets.push(secret_access_key.clone());
            secrets.extend(session_token.clone());
            let builder = builder
                .with_access_key_id(access_key_id)
                .with_secret_access_key(secret_access_key.reveal());
            session_token.iter().fold(builder, |builder, token| builder.with_token(token.reveal()))
        }
        S3Credentials::WebIdentity { token_file, role_arn, session_name, sts_endpoint } => {
            let builder = builder
                .with_config(AmazonS3ConfigKey::WebIdentityTokenFile, token_file.to_string_lossy())
                .with_config(AmazonS3ConfigKey::RoleArn, role_arn);
            let builder = session_name.iter().fold(builder, |builder, name| {
                builder.with_config(AmazonS3ConfigKey::RoleSessionName, name)
            });
            sts_endpoint.iter().fold(builder, |builder, endpoint| {
                builder.with_config(AmazonS3ConfigKey::StsEndpoint, endpoint)
            })
        }
        S3Credentials::Task { relative_uri } => {
            builder.with_config(AmazonS3ConfigKey::ContainerCredentialsRelativeUri, relative_uri)
        }
        S3Credentials::Pod { full_uri, token_file } => builder
            .with_config(AmazonS3ConfigKey::ContainerCredentialsFullUri, full_uri)
            .with_config(
                AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
                token_file.to_string_lossy(),
            ),
    };
    let store = builder.build().map_err(|error| place.wrong(&error))?;
    Ok(Parts::new(store, place, time, secrets))
}

/// A Google Cloud Storage bucket.
pub(in super::super) fn gcs(config: &GcsConfig, time: Arc<StoreTime>) -> Result<Parts> {
    let place = Place::new("gs", &config.bucket, &config.prefix)?;
    let is_http =
        config.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let home = config.endpoint.as_deref().unwrap_or("https://storage.googleapis.com");
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&config.bucket)
        .with_client_options(client().with_allow_http(is_http))
        .with_retry(no_retry())
        .with_http_connector(Watching::new(&time, home));
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    let mut secrets = Vec::new();
    builder = match &config.credentials {
        GcsCredentials::Platform => builder,
        GcsCredentials::Unsigned => builder.with_skip_signature(true),
        GcsCredentials::ServiceAccountKey(key) => {
            secrets.push(key.clone());
            builder.with_service_account_key(key.reveal())
        }
        GcsCredentials::ServiceAccountFile(path) => {
            builder.with_service_account_path(path.to_string_lossy())
        }
    };
    let store = builder.build().map_err(|error| place.wrong(&error))?;
    Ok(Parts::new(store, place, time, secrets))
}

/// An Azure Blob Storage container.
pub(in super::super) fn azure(config: &AzureConfig, time: Arc<StoreTime>) -> Result<Parts> {
    let mut place = Place::new("az", &config.container, &config.prefix)?;
    let home = config
        .endpoint
        .clone()
        .unwrap_or_else(|| format!("https://{}.blob.core.windows.net", config.account));
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&config.account)
        .with_container_name(&config.container)
        .with_client_options(client())
        .with_retry(no_retry())
        .with_http_connector(Watching::new(&time, &home));
    match &config.endpoint {
        Some(endpoint) => {
            builder = builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(endpoint.clone())
        }
        // Includes the account, which readers of Iceberg files need.
        None => {
            place.location = format!(
                "abfss://{}@{}.dfs.core.windows.net{}",
                config.container,
                config.account,
                place.suffix()
            );
        }
    }
    let mut secrets = Vec::new();
    builder = match &config.credentials {
        AzureCredentials::Platform => builder,
        AzureCredentials::App { endpoint, client_id } => {
            let builder = builder.with_msi_endpoint(endpoint);
            client_id.iter().fold(builder, |builder, client_id| builder.with_client_id(client_id))
        }
        AzureCredentials::Unsigned => builder.with_skip_signature(true),
        AzureCredentials::AccessKey(key) => {
            secrets.push(key.clone());
            builder.with_access_key(key.reveal())
        }
        AzureCredentials::Sas(sas) => {
            secrets.push(sas.clone());
            builder.with_config(AzureConfigKey::SasKey, sas.reveal())
        }
        AzureCredentials::WorkloadIdentity { token_file, client_id, tenant_id } => builder
            .with_federated_token_file(token_file.to_string_lossy())
            .with_client_id(client_id)
            .with_tenant_id(tenant_id),
    };
    let store = builder.build().map_err(|error| place.wrong(&error))?;
    Ok(Parts::new(store, place, time, secrets))
}

/// The place to which keys are relative.
struct Place {
    prefix: Key,
    location: String,
}

impl Place {
    fn new(scheme: &str, bucket: &str, prefix: &str) -> Result<Self> {
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

    fn suffix(&self) -> String {
        if self.prefix.as_str().is_empty() { String::new() } else { format!("/{}", self.prefix) }
    }

    /// The configuration is wrong. The client's own text may repeat a key file, so only its kind is
    /// said.
    fn wrong(&self, error: &object_store::Error) -> Error {
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
fn client() -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout_disabled()
        .with_connect_timeout(STORE_CONNECT_MAX)
}

fn no_retry() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        retry_timeout: STORE_ANSWER_MAX,
        backoff: BackoffConfig::default(),
    }
}
