//! Amazon S3, and what speaks its protocol.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::super::config::{S3Config, S3Credentials};
use super::super::time::StoreTime;
use super::build::{Parts, Place, client, no_retry};
use super::http::Watching;
use crate::error::Result;

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
