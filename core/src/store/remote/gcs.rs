//! Google Cloud Storage.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};

use super::super::config::{GcsConfig, GcsCredentials};
use super::super::time::StoreTime;
use super::build::{Parts, Place, client, no_retry};
use super::http::Watching;
use super::lent::Lent;
use crate::error::Result;

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
    let (mut secrets, mut lent) = (Vec::new(), None);
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
        GcsCredentials::Provided(keys) => {
            let keys = Arc::new(Lent::new(keys.provider()));
            lent = Some(Arc::clone(&keys));
            builder.with_credentials(Arc::new(Bearer(keys)))
        }
    };
    let store = builder.build().map_err(|error| place.wrong(&error))?;
    Ok(Parts { lent, ..Parts::new(store, place, time, secrets) })
}

/// Authorizes each request with the token that is valid when it is sent.
struct Bearer(Arc<Lent>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

#[async_trait]
impl CredentialProvider for Bearer {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        Ok(Arc::new(GcpCredential { bearer: self.0.bearer("GCS").await? }))
    }
}
