//! From a token to a bucket: the one place where a source of tokens becomes the configuration of a
//! store.

use std::sync::Arc;

use dotdo_core::{
    AccessKeysError, Clock, Error, ErrorKind, ProvidedKeys, Result, S3Config, S3Credentials,
    StoreConfig, Tenant,
};

use super::broker::Broker;
use super::cache::{KeySource, RenewedKeys};
use super::claims::Claims;
use super::connect::Connected;
use super::plan::{Exchange, Exchanger, TokenFrom};
use super::sts::Sts;
use super::tenants::{Giver, KeysByTenant};
use super::token::{TokenSource, Tokens, newest};
use crate::config::names::{is_bucket, is_label, is_prefix};

/// The bucket of an exchange, with keys that are renewed.
///
/// # Errors
///
/// Those of [`connect`](super::connect()).
pub(super) async fn exchanged(
    exchange: &Exchange,
    tokens: &Tokens,
    clock: Arc<dyn Clock>,
) -> Result<Connected> {
    let token = tokens.source(&exchange.token)?;
    if exchange.is_by_tenant {
        return by_tenant(exchange, token, clock).await;
    }
    let (source, place, tenant): (Arc<dyn KeySource>, _, _) = match &exchange.exchanger {
        Exchanger::Broker(url) => {
            let broker = Arc::new(Broker::new(url, token)?);
            let place = broker.place().await.map_err(not_connected)?.clone();
            agree(&exchange.place, &place.bucket)?;
            (broker, place.bucket, place.tenant)
        }
        Exchanger::Sts(settings) => {
            let (place, tenant) = claimed(exchange, token.as_ref()).await?;
            (Arc::new(Sts::new(settings.clone(), token)?), place, tenant)
        }
    };
    let keys = ProvidedKeys::new(Arc::new(RenewedKeys::new(source, clock)));
    let store = StoreConfig::S3(S3Config { credentials: S3Credentials::Provided(keys), ..place });
    Ok(Connected::whole(store, tenant))
}

/// The bucket of an exchange, with keys for each of its parts. Whose the token itself is does not
/// matter: it is this server's.
async fn by_tenant(
    exchange: &Exchange,
    token: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
) -> Result<Connected> {
    let (place, giver) = match &exchange.exchanger {
        Exchanger::Broker(url) => {
            let broker = Arc::new(Broker::new(url, token)?.for_shared());
            let place = broker.place().await.map_err(not_connected)?.bucket.clone();
            agree(&exchange.place, &place)?;
            (place, Giver::Broker(broker))
        }
        Exchanger::Sts(settings) => {
            (exchange.place.clone(), Giver::Sts(Sts::new(settings.clone(), token)?))
        }
    };
    let keys = KeysByTenant::new(place, giver, clock);
    let store = keys.shared()?;
    Ok(Connected { by_tenant: Some(keys), ..Connected::whole(store, None) })
}

/// Checks that a bucket from the settings, if there is one, is the one that the keys are for.
fn agree(given: &S3Config, granted: &S3Config) -> Result<()> {
    let is_same = given.bucket == granted.bucket && given.prefix == granted.prefix;
    if given.bucket.is_empty() || is_same {
        return Ok(());
    }
    let shown = |place: &S3Config| match place.prefix.as_str() {
        "" => format!("s3://{}", place.bucket),
        prefix => format!("s3://{}/{prefix}", place.bucket),
    };
    Err(Error::invalid(format!(
        "storage is {}, but the broker gives keys for {}; set it to that, or leave it out",
        shown(given),
        shown(granted)
    ))
    .with_code("WRONG_STORAGE"))
}

/// The place and the tenant that the token names, where the settings do not name the place. A token
/// from a header is not there yet.
async fn claimed(
    exchange: &Exchange,
    token: &dyn TokenSource,
) -> Result<(S3Config, Option<Tenant>)> {
    let place = exchange.place.clone();
    // That of the platform says which machine this is: its `org_id`, if it has one, is the
    // platform's customer, and no organisation of the issuer of clients' tokens.
    if matches!(exchange.token, TokenFrom::Header(_) | TokenFrom::OfPlatform(_) | TokenFrom::Fly(_))
    {
        return Ok((place, None));
    }
    let claims = Claims::of(&newest(token).await.map_err(not_connected)?).unwrap_or_default();
    let tenant = claims.tenant()?;
    if !place.bucket.is_empty() {
        return Ok((place, tenant));
    }
    let name = token.name();
    let bucket = claims.storage.bucket.clone().ok_or_else(|| {
        Error::invalid(format!(
            "no storage is set, and the token from {name} names none; set DOTDO_STORAGE (s3://bucket/prefix), or use a token with the claim storage.bucket"
        ))
    })?;
    let tenant = tenant.ok_or_else(|| {
        Error::invalid(format!(
            "the token from {name} names a bucket but no organisation; expected the claim org_id"
        ))
    })?;
    let prefix = claims.prefix(&tenant);
    let region = place.region.clone().or_else(|| claims.storage.region.clone());
    let is_place =
        is_bucket(&bucket) && is_prefix(&prefix) && region.as_deref().is_none_or(is_label);
    if !is_place {
        return Err(Error::invalid(format!(
            "expected a bucket, a prefix and a region in the claim storage of the token from {name}, got others (not shown)"
        )));
    }
    Ok((S3Config { bucket, prefix, region, ..place }, Some(tenant)))
}

fn not_connected(error: AccessKeysError) -> Error {
    let kind = match &error {
        AccessKeysError::Unavailable(_) => ErrorKind::Unavailable,
        AccessKeysError::Refused(_) => ErrorKind::StoreRefused,
    };
    Error::new(kind, format!("there are no keys for the store: {error}")).telling_of_store()
}
