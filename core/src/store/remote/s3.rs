//! Amazon S3, and what speaks its protocol.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};

use super::super::config::{S3Config, S3Credentials};
use super::super::keys::{AccessKeysError, ProvidedKeys};
use super::super::time::StoreTime;
use super::build::{Parts, Place, client, no_retry};
use super::http::Watching;
use super::lent::Lent;
use crate::error::Result;

/// What several clients of one S3 bucket share: their connections, and the store's clock.
pub(in super::super) struct S3Door {
    time: Arc<StoreTime>,
    connector: Watching,
}

impl S3Door {
    pub(in super::super) fn new(config: &S3Config, time: Arc<StoreTime>) -> Self {
        let home = config
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", region(config)));
        Self { connector: Watching::new(&time, &home), time }
    }
}

fn region(config: &S3Config) -> &str {
    config.region.as_deref().unwrap_or("us-east-1")
}

/// An S3 bucket.
pub(in super::super) fn s3(config: &S3Config, door: &S3Door) -> Result<Parts> {
    let place = Place::new("s3", &config.bucket, &config.prefix)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(region(config))
        .with_client_options(client())
        .with_retry(no_retry())
        .with_http_connector(door.connector.clone());
    if let Some(endpoint) = &config.endpoint {
        builder = builder
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_allow_http(endpoint.starts_with("http://"));
    }
    let (mut secrets, mut lent) = (Vec::new(), None);
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
        S3Credentials::Provided(keys) => {
            let keys = Arc::new(Lent::new(keys.provider()));
            lent = Some(Arc::clone(&keys));
            builder.with_credentials(Arc::new(Signer(keys)))
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
    Ok(Parts { lent, ..Parts::new(store, place, Arc::clone(&door.time), secrets) })
}

/// What signs each request with keys that a provider lends.
pub(super) fn signer(keys: &ProvidedKeys) -> AwsCredentialProvider {
    Arc::new(Signer(Arc::new(Lent::new(keys.provider()))))
}

/// Signs each request with the keys that are valid when it is sent.
struct Signer(Arc<Lent>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

#[async_trait]
impl CredentialProvider for Signer {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let no_keys = |error: AccessKeysError| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        };
        let keys = self.0.keys().await.map_err(no_keys)?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id.clone(),
            secret_key: keys.secret_access_key.reveal().to_owned(),
            token: keys.session_token.as_ref().map(|token| token.reveal().to_owned()),
        }))
    }
}
