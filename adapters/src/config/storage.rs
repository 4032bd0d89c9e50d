//! Builds a [`StoreConfig`] from the storage's URL and the credentials.

use std::path::PathBuf;

use dotdo_core::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Result, S3Config, S3Credentials,
    Secret, StoreConfig,
};

use super::draft::wrong;
use super::{AwsAccess, AzureAccess, Config, GoogleAccess, StorageAccess};

/// The URL of a storage in parts.
enum Address<'a> {
    Memory,
    Folder(&'a str),
    Bucket { scheme: &'a str, bucket: &'a str, prefix: &'a str },
}

/// Whether `text` is the URL or the folder of a storage.
pub(super) fn check(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether `text` can be the name of a bucket. Stores may have stricter rules.
pub(super) fn is_bucket(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn parse(text: &str) -> Option<Address<'_>> {
    let Some((scheme, rest)) = text.split_once("://") else {
        // A plain path. Something like `s3:bucket` is a typo, not a folder.
        let slip =
            ["file:", "s3:", "gs:", "az:", "memory:"].iter().any(|scheme| text.starts_with(scheme));
        return (!text.is_empty() && !text.contains('\0') && !slip)
            .then_some(Address::Folder(text));
    };
    match scheme {
        "memory" => rest.is_empty().then_some(Address::Memory),
        "file" => (rest.starts_with('/') && !rest.contains('\0')).then_some(Address::Folder(rest)),
        "s3" | "gs" | "az" => {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_end_matches('/');
            (is_bucket(bucket) && is_prefix(prefix)).then_some(Address::Bucket {
                scheme,
                bucket,
                prefix,
            })
        }
        _ => None,
    }
}

/// Whether `prefix` can begin a key: every store must accept its segments unchanged.
fn is_prefix(prefix: &str) -> bool {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._=".contains(&byte))
    };
    prefix.is_empty() || prefix.split('/').all(plain)
}

/// The store of a configuration.
///
/// # Errors
///
/// `Invalid` when a setting that the store needs is missing.
pub(super) fn store(config: &Config) -> Result<StoreConfig> {
    let address = config
        .storage
        .as_deref()
        .and_then(parse)
        .expect("the table let only addresses through, and has a default");
    let access = &config.access;
    match address {
        Address::Memory => Ok(StoreConfig::Memory),
        Address::Folder(path) => Ok(StoreConfig::Folder { path: PathBuf::from(path) }),
        Address::Bucket { scheme: "s3", bucket, prefix } => {
            s3(access, bucket, prefix).map(StoreConfig::S3)
        }
        Address::Bucket { scheme: "gs", bucket, prefix } => Ok(StoreConfig::Gcs(GcsConfig {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: access.endpoint.clone(),
            credentials: google(&access.google),
        })),
        Address::Bucket { bucket, prefix, .. } => Ok(StoreConfig::Azure(AzureConfig {
            account: access.azure.storage_account.clone().ok_or_else(|| {
                wrong("az:// needs a storage account; set AZURE_STORAGE_ACCOUNT".to_owned())
            })?,
            container: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: access.endpoint.clone(),
            credentials: azure(&access.azure)?,
        })),
    }
}

fn s3(access: &StorageAccess, bucket: &str, prefix: &str) -> Result<S3Config> {
    let StorageAccess { r2, aws, .. } = access;
    let r2_keys = pair(
        ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"],
        r2.access_key_id.as_ref(),
        r2.secret_access_key.as_ref(),
    )?;
    let credentials = match r2_keys {
        Some((id, secret)) => keys(id, secret, None),
        None => aws_credentials(aws)?,
    };
    let region = aws.region.clone().or_else(|| aws.default_region.clone());
    Ok(S3Config {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        region: if r2.endpoint.is_some() { Some("auto".to_owned()) } else { region },
        endpoint: [&r2.endpoint, &aws.endpoint_url_s3, &aws.endpoint_url]
            .into_iter()
            .find_map(Clone::clone),
        credentials,
    })
}

/// Credentials in Amazon's own order: keys, a web identity, the platform's identity.
fn aws_credentials(aws: &AwsAccess) -> Result<S3Credentials> {
    let given = pair(
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        aws.access_key_id.as_ref(),
        aws.secret_access_key.as_ref(),
    )?;
    if let Some((id, secret)) = given {
        return Ok(keys(id, secret, aws.session_token.clone()));
    }
    let web = pair(
        ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
        aws.web_identity_token_file.as_ref(),
        aws.role_arn.as_ref(),
    );
    if let Ok(Some((token_file, role_arn))) = web {
        return Ok(S3Credentials::WebIdentity {
            token_file: PathBuf::from(token_file),
            role_arn: role_arn.clone(),
            session_name: aws.role_session_name.clone(),
            sts_endpoint: None,
        });
    }
    if let Some(relative_uri) = &aws.container_credentials_relative_uri {
        return Ok(S3Credentials::Task { relative_uri: relative_uri.clone() });
    }
    match (&aws.container_credentials_full_uri, &aws.container_authorization_token_file) {
        (Some(full_uri), Some(file)) => {
            Ok(S3Credentials::Pod { full_uri: full_uri.clone(), token_file: PathBuf::from(file) })
        }
        _ => Ok(S3Credentials::Instance),
    }
}

fn keys(id: &str, secret: &Secret, session_token: Option<Secret>) -> S3Credentials {
    S3Credentials::Keys {
        access_key_id: id.to_owned(),
        secret_access_key: secret.clone(),
        session_token,
    }
}

fn google(google: &GoogleAccess) -> GcsCredentials {
    match (&google.service_account_key, &google.application_credentials) {
        (Some(key), _) => GcsCredentials::ServiceAccountKey(key.clone()),
        (None, Some(file)) => GcsCredentials::ServiceAccountFile(PathBuf::from(file)),
        (None, None) => GcsCredentials::Platform,
    }
}

fn azure(azure: &AzureAccess) -> Result<AzureCredentials> {
    if let Some(key) = &azure.storage_key {
        return Ok(AzureCredentials::AccessKey(key.clone()));
    }
    if let Some(sas) = &azure.storage_sas_token {
        return Ok(AzureCredentials::Sas(sas.clone()));
    }
    let Some(file) = &azure.federated_token_file else {
        let client_id = azure.client_id.clone();
        return Ok(match azure.identity_endpoint.clone() {
            Some(endpoint) => AzureCredentials::App { endpoint, client_id },
            None => AzureCredentials::Platform,
        });
    };
    let names = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"];
    let (client_id, tenant_id) = pair(names, azure.client_id.as_ref(), azure.tenant_id.as_ref())?
        .ok_or_else(|| {
        wrong(
            "AZURE_FEDERATED_TOKEN_FILE needs AZURE_CLIENT_ID and AZURE_TENANT_ID; set both"
                .to_owned(),
        )
    })?;
    Ok(AzureCredentials::WorkloadIdentity {
        token_file: PathBuf::from(file),
        client_id: client_id.clone(),
        tenant_id: tenant_id.clone(),
    })
}

/// Two settings that must be given together or not at all.
fn pair<A, B>(names: [&str; 2], first: Option<A>, second: Option<B>) -> Result<Option<(A, B)>> {
    match (first, second) {
        (Some(first), Some(second)) => Ok(Some((first, second))),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(wrong(format!("{} is set but {} is not; set both or neither", names[0], names[1])))
        }
        (None, Some(_)) => {
            Err(wrong(format!("{} is set but {} is not; set both or neither", names[1], names[0])))
        }
    }
}
