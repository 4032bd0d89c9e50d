//! Which token is exchanged for keys, and by whom, according to the settings.

use std::path::PathBuf;

use dotdo_core::{S3Config, StoreConfig};

use super::{AzureAccess, IdentityAccess, StorageAccess};
use crate::credentials::{
    EntraSettings, Exchange, Exchanger, Federation, GoogleSettings, StsSettings, TokenFrom, Trusted,
};

/// The session name of servers that are given none.
const SESSION: &str = "dotdo";

/// The audience of tokens for Amazon's token service.
const AMAZON: &str = "sts.amazonaws.com";
/// The audience of tokens for Entra ID.
const AZURE: &str = "api://AzureADTokenExchange";
/// Entra ID in the public cloud.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// The region of Amazon's token service if no region is set.
const REGION: &str = "us-east-1";

/// The exchange that Amazon's own variables ask for (IRSA): a token in a file, and a role.
pub(super) fn of_amazon(access: &StorageAccess, place: &S3Config) -> Option<Exchange> {
    let (file, _) = (access.aws.web_identity_token_file.as_ref()?, access.aws.role_arn.as_ref()?);
    Some(Exchange {
        place: place.clone(),
        token: TokenFrom::OfPlatform(PathBuf::from(file)),
        exchanger: Exchanger::Sts(sts(access)),
        is_by_tenant: access.identity.keys_by_tenant,
    })
}

/// The exchange of a token that was given for this purpose: by a token service where a role or its
/// URL is set, otherwise by the broker; `None` without a token, or without either.
pub(super) fn of_token(access: &StorageAccess, place: &S3Config) -> Option<Exchange> {
    let StorageAccess { aws, identity, .. } = access;
    let is_sts = aws.role_arn.is_some() || aws.endpoint_url_sts.is_some();
    let audience = if is_sts { Some(AMAZON) } else { identity.broker.as_deref() };
    let token = token(identity, audience)?;
    // Tokens of a login go to its broker, other tokens never do.
    let of_login = identity.login.as_ref().filter(|_| token == TokenFrom::Login);
    let broker = identity.broker.as_ref().or_else(|| of_login?.broker.as_ref());
    let exchanger = match broker {
        _ if is_sts => Exchanger::Sts(sts(access)),
        Some(url) => Exchanger::Broker(url.clone()),
        None => return None,
    };
    let is_by_tenant = identity.keys_by_tenant;
    Some(Exchange { place: place.clone(), token, exchanger, is_by_tenant })
}

/// The exchange of a token for access to a bucket of Google, where a provider trusts its issuer.
pub(super) fn of_google(access: &StorageAccess, store: StoreConfig) -> Option<Federation> {
    let provider = access.google.workload_identity_provider.as_ref()?;
    let audience = format!("//iam.googleapis.com/{provider}");
    let token = token(&access.identity, Some(&format!("https:{audience}")))?;
    let account_url = access.google.service_account.as_ref().map(|account| {
        format!(
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        )
    });
    let settings = GoogleSettings {
        audience,
        token_type: "urn:ietf:params:oauth:token-type:jwt".to_owned(),
        token_url: "https://sts.googleapis.com/v1/token".to_owned(),
        account_url,
    };
    Some(Federation { store, token, trusted: Trusted::Google(settings) })
}

/// The exchange of a token for access to a container of Azure, where an application trusts its
/// issuer.
pub(super) fn of_azure(access: &StorageAccess, store: StoreConfig) -> Option<Federation> {
    let AzureAccess { client_id, tenant_id, authority_host, federated_token_file, .. } =
        &access.azure;
    let (client_id, tenant_id) = (client_id.clone()?, tenant_id.clone()?);
    let of_file = federated_token_file.as_ref().map(|file| TokenFrom::OfPlatform(file.into()));
    let token = of_file.or_else(|| token(&access.identity, Some(AZURE)))?;
    let authority = authority_host.clone().unwrap_or_else(|| AUTHORITY.to_owned());
    let settings = EntraSettings { authority, tenant_id, client_id };
    Some(Federation { store, token, trusted: Trusted::Entra(settings) })
}

/// The token, in the order of how explicit its source is. `audience` is who gets it.
fn token(identity: &IdentityAccess, audience: Option<&str>) -> Option<TokenFrom> {
    let IdentityAccess { token, token_file, token_header, login, .. } = identity;
    let of_fly = || {
        let audience = identity.token_audience.as_deref().or(audience)?;
        identity.is_on_fly.then(|| TokenFrom::Fly(audience.to_owned()))
    };
    let given = token.clone().map(TokenFrom::Settings);
    given
        .or_else(|| token_file.as_ref().map(|file| TokenFrom::File(PathBuf::from(file))))
        .or_else(|| token_header.clone().map(TokenFrom::Header))
        .or_else(of_fly)
        .or_else(|| login.as_ref().map(|_| TokenFrom::Login))
}

fn sts(access: &StorageAccess) -> StsSettings {
    let aws = &access.aws;
    let given = aws.endpoint_url_sts.as_ref().or(aws.endpoint_url.as_ref()).cloned();
    let region = aws.region.as_deref().or(aws.default_region.as_deref()).unwrap_or(REGION);
    StsSettings {
        url: given.unwrap_or_else(|| amazon(region)),
        role_arn: aws.role_arn.clone(),
        session_name: aws.role_session_name.clone().unwrap_or_else(|| SESSION.to_owned()),
        policy: access.identity.session_policy.clone(),
        duration_seconds: access.identity.duration_seconds,
    }
}

/// Amazon's token service in a region.
fn amazon(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://sts.{region}.{domain}")
}
