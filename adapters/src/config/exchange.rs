//! Which token is exchanged for keys, and by whom, according to the settings.

use std::path::PathBuf;

use dotdo_core::S3Config;

use super::{IdentityAccess, StorageAccess};
use crate::credentials::{Exchange, Exchanger, StsSettings, TokenFrom};

/// The session name of servers that are given none.
const SESSION: &str = "dotdo";

/// The region of Amazon's token service if no region is set.
const REGION: &str = "us-east-1";

/// The exchange that Amazon's own variables ask for (IRSA): a token in a file, and a role.
pub(super) fn of_amazon(access: &StorageAccess, place: &S3Config) -> Option<Exchange> {
    let (file, _) = (access.aws.web_identity_token_file.as_ref()?, access.aws.role_arn.as_ref()?);
    Some(Exchange {
        place: place.clone(),
        token: TokenFrom::File(PathBuf::from(file)),
        exchanger: Exchanger::Sts(sts(access)),
    })
}

/// The exchange of a token that was given for this purpose: by a token service where a role or its
/// URL is set, otherwise by the broker; `None` without a token, or without either.
pub(super) fn of_token(access: &StorageAccess, place: &S3Config) -> Option<Exchange> {
    let StorageAccess { aws, identity, .. } = access;
    let token = token(identity)?;
    // Tokens of a login go to its broker, other tokens never do.
    let of_login = identity.login.as_ref().filter(|_| token == TokenFrom::Login);
    let broker = identity.broker.as_ref().or_else(|| of_login?.broker.as_ref());
    let exchanger = match broker {
        _ if aws.role_arn.is_some() || aws.endpoint_url_sts.is_some() => {
            Exchanger::Sts(sts(access))
        }
        Some(url) => Exchanger::Broker(url.clone()),
        None => return None,
    };
    Some(Exchange { place: place.clone(), token, exchanger })
}

/// The token, in the order of how explicit its source is.
fn token(identity: &IdentityAccess) -> Option<TokenFrom> {
    let IdentityAccess { token, token_file, token_header, login, .. } = identity;
    let given = token.clone().map(TokenFrom::Settings);
    given
        .or_else(|| token_file.as_ref().map(|file| TokenFrom::File(PathBuf::from(file))))
        .or_else(|| token_header.clone().map(TokenFrom::Header))
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
