//! The token by which a server says who it is, and who exchanges it for keys of the bucket.

use super::any;
use crate::config::setting::{Kind, Setting, number, secret, text};
use crate::credentials::is_private_address;

/// Shortest time for which keys are asked, in seconds: what token services allow.
const DURATION_SECONDS_MIN: u64 = 900;
/// Longest time for which keys are asked, in seconds.
const DURATION_SECONDS_MAX: u64 = 43_200;

fn is_header(text: &str) -> bool {
    http::HeaderName::try_from(text).is_ok()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The server's own identity.
pub(super) static IDENTITY: &[Setting] = &[
    Setting::new(
        "identity.token",
        secret!(access.identity.token),
        "Token (JWT, or deploy token of a broker) that is exchanged for keys of the bucket: by a \
         token service if `aws.role_arn` or `aws.endpoint_url_sts` is set, otherwise by \
         `broker.url`. Keys that are given, and the identity of the platform, win.",
    )
    .with_aliases(&["JWT_TOKEN"]),
    Setting::new(
        "identity.token_file",
        text!("the path of a file", any, access.identity.token_file),
        "File with such a token. It is read again at every exchange, so it can be replaced before \
         the token ends.",
    ),
    Setting::new(
        "identity.token_header",
        text!("the name of a header", is_header, access.identity.token_header),
        "Header of requests in which the platform sends such a token; `x-vercel-oidc-token` on \
         Vercel, where it is the default. No other platform sets one.",
    ),
    Setting::new(
        "identity.token_audience",
        text!("text", any, access.identity.token_audience),
        "Audience of the tokens that Fly gives to its machines, which are exchanged where no other \
         token is given. The default is what their receiver expects: the broker's URL, `sts.amazonaws.com`, \
         the URL of Google's provider, or `api://AzureADTokenExchange`.",
    ),
    Setting::new(
        "broker.url",
        text!(
            "an https:// URL, or http:// on this machine",
            is_private_address,
            access.identity.broker
        ),
        "URL of a broker that exchanges tokens for keys limited to a tenant. Without `storage`, its \
         answer also says where the tenant's objects are.",
    )
    .with_aliases(&["DOTDO_BROKER"]),
    Setting::new(
        "identity.keys_by_tenant",
        Kind::Switch(|config| &mut config.access.identity.keys_by_tenant),
        "Whether the token is exchanged for keys of each tenant's part of the bucket, one exchange \
         for each tenant that is used, instead of keys for all of it. A token service limits them by \
         a policy; a broker gives them to a token with `dotdo:operator`.",
    ),
    Setting::new(
        "sts.session_policy",
        text!("a policy as JSON", is_json, access.identity.session_policy),
        "Policy that limits the keys from the token service further than the role does.",
    ),
    Setting::new(
        "sts.duration_seconds",
        number!(" of seconds", DURATION_SECONDS_MIN..=DURATION_SECONDS_MAX, access.identity.duration_seconds),
        "How long keys from the token service shall be valid. They are renewed when a fifth of the \
         time is left. The role must allow it.",
    ),
];
