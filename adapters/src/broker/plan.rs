//! What the broker needs of its configuration, checked before anything starts.

use dotdo_core::{AwsSigner, Error, Result, S3Config, StoreConfig};

use super::backend::{Backend, R2, R2Settings, Sts, StsSettings};
use crate::config::{BrokerSettings, Config};
use crate::credentials::is_private_address;

/// Cloudflare's own API.
const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";
/// The region of stores that have none.
const REGION: &str = "us-east-1";

/// The place of all tenants' state, as clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The store's URL.
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) bucket: String,
    /// The prefix of the location, without slashes at its ends.
    pub(super) prefix: String,
}

/// The parts of a broker.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) backend: Backend,
    pub(super) place: Place,
}

impl Plan {
    /// # Errors
    ///
    /// `Invalid` without an issuer, without a store that has keys, without a way to make them, and
    /// for URLs of other machines without https.
    pub(super) fn new(config: &Config, store: &StoreConfig) -> Result<Self> {
        if config.edge.auth.identity.issuers.is_empty() {
            return Err(wrong(
                "the broker needs an issuer, whose tokens it exchanges: set auth.issuer (DOTDO_AUTH_ISSUER or WORKOS_AUTH_DOMAIN)",
            ));
        }
        let StoreConfig::S3(store) = store else {
            return Err(wrong(
                "the broker gives keys of a bucket with S3's protocol: set storage (DOTDO_STORAGE) to s3://bucket/prefix",
            ));
        };
        let place = place(config, store);
        if let Some(url) = &store.endpoint {
            check_url("the URL of the storage", url)?;
        }
        check_url("broker.public_endpoint", &place.endpoint)?;
        Ok(Self { backend: backend(&config.broker, store, config)?, place })
    }
}

fn place(config: &Config, store: &S3Config) -> Place {
    let amazon = || format!("https://s3.{}.amazonaws.com", region(store));
    let told = config.broker.public_endpoint.as_ref().or(store.endpoint.as_ref());
    Place {
        endpoint: told.cloned().unwrap_or_else(amazon),
        region: region(store),
        bucket: store.bucket.clone(),
        prefix: store.prefix.trim_matches('/').to_owned(),
    }
}

fn region(store: &S3Config) -> String {
    store.region.clone().unwrap_or_else(|| REGION.to_owned())
}

fn backend(settings: &BrokerSettings, store: &S3Config, config: &Config) -> Result<Backend> {
    match (&settings.role_arn, &settings.r2_account_id) {
        (Some(_), Some(_)) => Err(wrong(
            "expected broker.role_arn or broker.r2_account_id, got both; set the one that makes the keys",
        )),
        (None, None) => Err(wrong(
            "the broker needs something that makes keys: set broker.role_arn (a role of the store's token service), or broker.r2_account_id and broker.r2_api_token (R2)",
        )),
        (Some(role_arn), None) => sts(settings, store, role_arn),
        (None, Some(account_id)) => r2(settings, store, (account_id, config)),
    }
}

fn sts(settings: &BrokerSettings, store: &S3Config, role_arn: &str) -> Result<Backend> {
    let amazon = || format!("https://sts.{}.amazonaws.com/", region(store));
    let given = settings.sts_endpoint.as_ref().or(store.endpoint.as_ref());
    let endpoint = given.cloned().unwrap_or_else(amazon);
    check_url("broker.sts_endpoint", &endpoint)?;
    let settings = StsSettings {
        endpoint,
        region: region(store),
        role_arn: role_arn.to_owned(),
        bucket: store.bucket.clone(),
        web_identity: settings.web_identity,
    };
    Ok(Backend::Sts(Sts::new(settings, AwsSigner::new(store)?)?))
}

fn r2(
    settings: &BrokerSettings,
    store: &S3Config,
    (account_id, config): (&str, &Config),
) -> Result<Backend> {
    let token = settings.r2_api_token.clone().ok_or_else(|| {
        wrong("broker.r2_account_id is set but broker.r2_api_token is not; set both")
    })?;
    let parent = config.access.r2.access_key_id.clone().ok_or_else(|| {
        wrong("temporary keys of R2 need a parent: set R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY")
    })?;
    let api = settings.r2_api_endpoint.as_deref().unwrap_or(CLOUDFLARE);
    check_url("broker.r2_api_endpoint", api)?;
    let settings = R2Settings {
        api: api.trim_end_matches('/').to_owned(),
        account_id: account_id.to_owned(),
        api_token: token,
        parent_access_key_id: parent,
        bucket: store.bucket.clone(),
    };
    Ok(Backend::R2(R2::new(settings)?))
}

/// Checks that what is sent to a URL can't be read on the way.
fn check_url(name: &str, url: &str) -> Result<()> {
    if is_private_address(url) {
        return Ok(());
    }
    Err(wrong(&format!(
        "{name}: expected an https:// URL (http:// on loopback only), got {url:?}: keys and tokens are sent there"
    )))
}

fn wrong(message: &str) -> Error {
    Error::invalid(message).with_code("BAD_CONFIG")
}

#[cfg(test)]
mod tests;
