//! The store, from the storage's URL and the credentials.

use std::path::PathBuf;

use dotdo_core::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Result, S3Config, S3Credentials,
    Secret, StoreConfig,
};

use super::draft::{Draft, Strength, wrong};
use super::names::{is_bucket, is_label, is_prefix};
use super::{AwsAccess, AzureAccess, GoogleAccess, StorageAccess, exchange};
use crate::credentials::{Exchange, Exchanger, Storage, TokenFrom};

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

/// The store of a configuration.
///
/// # Errors
///
/// `Invalid` when a setting that the store needs is missing.
pub(super) fn storage(draft: &Draft) -> Result<Storage> {
    let config = &draft.config;
    if let Some(exchange) = of_token_alone(draft) {
        return Ok(Storage::Exchanged(exchange));
    }
    let address = config
        .storage
        .as_deref()
        .and_then(parse)
        .expect("the table let only addresses through, and has a default");
    let access = &config.access;
    match address {
        Address::Memory => Ok(Storage::Known(StoreConfig::Memory)),
        Address::Folder(path) => {
            Ok(Storage::Known(StoreConfig::Folder { path: PathBuf::from(path) }))
        }
        Address::Bucket { scheme: "s3", bucket, prefix } => s3(access, bucket, prefix),
        Address::Bucket { scheme: "gs", bucket, prefix } => {
            let store = GcsConfig {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
                endpoint: access.endpoint.clone(),
                credentials: google(&access.google),
            };
            Ok(of_google(access, store))
        }
        Address::Bucket { bucket, prefix, .. } => {
            let store = AzureConfig {
                account: access.azure.storage_account.clone().ok_or_else(|| {
                    wrong("az:// needs a storage account; set AZURE_STORAGE_ACCOUNT".to_owned())
                })?,
                container: bucket.to_owned(),
                prefix: prefix.to_owned(),
                endpoint: access.endpoint.clone(),
                credentials: azure(&access.azure)?,
            };
            Ok(of_azure(access, store))
        }
    }
}

/// A bucket of Google; without credentials, a token may be exchanged for some.
fn of_google(access: &StorageAccess, store: GcsConfig) -> Storage {
    let is_given = store.credentials != GcsCredentials::Platform;
    let store = StoreConfig::Gcs(store);
    let federation = exchange::of_google(access, store.clone()).filter(|_| !is_given);
    federation.map_or(Storage::Known(store), Storage::Federated)
}

/// A container of Azure; without credentials and without the identity of an app, a token may be
/// exchanged for some.
fn of_azure(access: &StorageAccess, store: AzureConfig) -> Storage {
    let is_given = store.credentials != AzureCredentials::Platform;
    let store = StoreConfig::Azure(store);
    let federation = exchange::of_azure(access, store.clone()).filter(|_| !is_given);
    federation.map_or(Storage::Known(store), Storage::Federated)
}

/// The exchange that says where the store is, because the settings do not.
pub(super) fn of_token_alone(draft: &Draft) -> Option<Exchange> {
    let is_given =
        ["storage", "r2.bucket"].into_iter().any(|key| draft.strength(key) > Strength::Default);
    let access = &draft.config.access;
    let exchange = exchange::of_token(access, &place(access, "", "")).filter(|_| !is_given)?;
    // A token that comes with requests says nothing before the first.
    let is_silent = matches!(exchange.token, TokenFrom::Header(_));
    (!is_silent || matches!(exchange.exchanger, Exchanger::Broker(_))).then_some(exchange)
}

/// Checks that there can be keys for each tenant's part of the bucket, if there shall be.
///
/// # Errors
///
/// `Invalid` when nobody exchanges a token for keys, or other settings contradict.
pub(super) fn check_keys_by_tenant(storage: &Storage, access: &StorageAccess) -> Result<()> {
    if !access.identity.keys_by_tenant {
        return Ok(());
    }
    let instead = match storage {
        Storage::Known(_) | Storage::Federated(_) => {
            "expected a token that a token service (AWS_ROLE_ARN) or a broker (DOTDO_BROKER) exchanges for keys of an s3:// storage, got other \
             credentials or another storage"
        }
        _ if access.identity.session_policy.is_some() => {
            "it makes the policies itself; unset DOTDO_STS_SESSION_POLICY"
        }
        _ if access.database.url.is_some() => "a database holds the log; unset TURSO_URL",
        Storage::Exchanged(Exchange { place, exchanger: Exchanger::Sts(_), .. })
            if place.bucket.is_empty() =>
        {
            "expected a storage, because the token's own part is not the whole of it; set DOTDO_STORAGE"
        }
        Storage::Exchanged(_) => return Ok(()),
    };
    Err(wrong(format!("identity.keys_by_tenant: {instead}")))
}

/// What is set for an exchange of tokens but not used; for a warning.
pub(super) fn unused(storage: &Storage, access: &StorageAccess) -> Option<String> {
    let used = matches!(storage.token(), Some(TokenFrom::Settings(_)));
    (access.identity.token.is_some() && !used).then(|| {
        "JWT_TOKEN is set but not used: the storage needs no token, or nobody is set who exchanges \
         it for keys (AWS_ROLE_ARN for a token service, DOTDO_BROKER for a broker, \
         GOOGLE_WORKLOAD_IDENTITY_PROVIDER, AZURE_CLIENT_ID and AZURE_TENANT_ID)"
            .to_owned()
    })
}

fn place(access: &StorageAccess, bucket: &str, prefix: &str) -> S3Config {
    let StorageAccess { r2, aws, .. } = access;
    let endpoint =
        [&r2.endpoint, &aws.endpoint_url_s3, &aws.endpoint_url].into_iter().find_map(Clone::clone);
    let region = aws.region.clone().or_else(|| aws.default_region.clone());
    let region = region.or_else(|| region_of(endpoint.as_deref()?));
    S3Config {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        region: if r2.endpoint.is_some() { Some("auto".to_owned()) } else { region },
        endpoint,
        ..S3Config::default()
    }
}

/// The region of services that say it in their host name, or have one only. It is a part of every
/// signature.
fn region_of(endpoint: &str) -> Option<String> {
    let url = url::Url::parse(endpoint).ok()?;
    let host = url.host_str()?;
    let is_global = host.ends_with(".r2.cloudflarestorage.com")
        || matches!(host, "t3.storage.dev" | "fly.storage.tigris.dev");
    if is_global {
        return Some("auto".to_owned());
    }
    let rest = host.strip_prefix("s3.")?;
    let region = [".backblazeb2.com", ".amazonaws.com", ".amazonaws.com.cn"]
        .into_iter()
        .find_map(|suffix| rest.strip_suffix(suffix))?;
    is_label(region).then(|| region.to_owned())
}

/// A bucket, with credentials in this order: keys; the platform's identity; a token that somebody
/// exchanges for keys; the machine's identity.
fn s3(access: &StorageAccess, bucket: &str, prefix: &str) -> Result<Storage> {
    let place = place(access, bucket, prefix);
    if let Some(keys) = given_keys(access)? {
        return Ok(Storage::Known(StoreConfig::S3(S3Config { credentials: keys, ..place })));
    }
    if let Some(exchange) = exchange::of_amazon(access, &place) {
        return Ok(Storage::Exchanged(exchange));
    }
    let identity = container_identity(&access.aws);
    if identity.is_none()
        && let Some(exchange) = exchange::of_token(access, &place)
    {
        return Ok(Storage::Exchanged(exchange));
    }
    let credentials = identity.unwrap_or(S3Credentials::Instance);
    Ok(Storage::Known(StoreConfig::S3(S3Config { credentials, ..place })))
}

fn given_keys(access: &StorageAccess) -> Result<Option<S3Credentials>> {
    let StorageAccess { r2, aws, .. } = access;
    let r2_keys = pair(
        ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"],
        r2.access_key_id.as_ref(),
        r2.secret_access_key.as_ref(),
    )?;
    if let Some((id, secret)) = r2_keys {
        return Ok(Some(keys(id, secret, None)));
    }
    let given = pair(
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        aws.access_key_id.as_ref(),
        aws.secret_access_key.as_ref(),
    )?;
    Ok(given.map(|(id, secret)| keys(id, secret, aws.session_token.clone())))
}

/// The identity that ECS gives a task, or EKS a pod.
fn container_identity(aws: &AwsAccess) -> Option<S3Credentials> {
    if let Some(relative_uri) = &aws.container_credentials_relative_uri {
        return Some(S3Credentials::Task { relative_uri: relative_uri.clone() });
    }
    let full_uri = aws.container_credentials_full_uri.clone()?;
    let token_file = PathBuf::from(aws.container_authorization_token_file.as_ref()?);
    Some(S3Credentials::Pod { full_uri, token_file })
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
    if azure.federated_token_file.is_some() {
        let names = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"];
        let both = pair(names, azure.client_id.as_ref(), azure.tenant_id.as_ref())?;
        both.ok_or_else(|| {
            wrong(
                "AZURE_FEDERATED_TOKEN_FILE needs AZURE_CLIENT_ID and AZURE_TENANT_ID; set both"
                    .to_owned(),
            )
        })?;
        // It is exchanged as any other token.
        return Ok(AzureCredentials::Platform);
    }
    let client_id = azure.client_id.clone();
    Ok(match azure.identity_endpoint.clone() {
        Some(endpoint) => AzureCredentials::App { endpoint, client_id },
        None => AzureCredentials::Platform,
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
