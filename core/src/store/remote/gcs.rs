//! Google Cloud Storage.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;

use super::super::config::{GcsConfig, GcsCredentials};
use super::super::time::StoreTime;
use super::build::{Parts, Place, client, no_retry};
use super::http::Watching;
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
