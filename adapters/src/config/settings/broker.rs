//! The broker, which exchanges tokens for keys of a tenant's part of the bucket.

use super::web_address;
use crate::config::Requires;
use crate::config::setting::{Kind, Setting, number, secret, text};

/// Whether `text` is the name of a role, such as `arn:aws:iam::000000000000:role/dotdo`.
fn is_role(text: &str) -> bool {
    text.starts_with("arn:")
        && text.contains(":role/")
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `text` can be the id of an account of Cloudflare's.
fn is_account(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What `dotdo broker` needs besides the storage, its credentials and the issuer.
pub(super) static BROKER: &[Setting] = &[
    Setting::new(
        "broker.role_arn",
        text!(
            "the ARN of a role, such as arn:aws:iam::000000000000:role/dotdo",
            is_role,
            broker.role_arn
        ),
        "Role that `dotdo broker` assumes at the store's token service (STS) for keys that are limited \
         to a tenant's prefix. It needs read and write access to the whole storage, and its trust \
         policy should name the broker only.",
    ),
    Setting::new(
        "broker.sts_endpoint",
        text!("an http:// or https:// URL", web_address, broker.sts_endpoint),
        "URL of the token service. The default is Amazon's in the region of the storage, or the \
         storage's own URL if it is not Amazon's.",
    ),
    Setting::new(
        "broker.web_identity",
        Kind::Switch(|config| &mut config.broker.web_identity),
        "Exchange a caller's JWT by `AssumeRoleWithWebIdentity`, so that the token service verifies it \
         as well and the store's log has the subject. Keys are then cached by caller.",
    ),
    Setting::new(
        "broker.r2_account_id",
        text!("the id of a Cloudflare account", is_account, broker.r2_account_id),
        "Cloudflare account for temporary keys of R2. The parent key is `R2_ACCESS_KEY_ID`.",
    ),
    Setting::new(
        "broker.r2_api_token",
        secret!(broker.r2_api_token),
        "Token for Cloudflare's API with which temporary keys of R2 are made.",
    ),
    Setting::new(
        "broker.r2_api_endpoint",
        text!("an http:// or https:// URL", web_address, broker.r2_api_endpoint),
        "URL of Cloudflare's API. The default is `https://api.cloudflare.com/client/v4`.",
    ),
    Setting::new(
        "broker.public_endpoint",
        text!("an http:// or https:// URL", web_address, broker.public_endpoint),
        "URL of the store as clients are told, if it is not the one that the broker itself uses.",
    ),
    Setting::new(
        "broker.requires",
        Kind::OneOf {
            words: &["write", "admin"],
            get: |config| config.broker.requires as usize,
            set: |config, at| {
                config.broker.requires = [Requires::Write, Requires::Admin][at];
            },
        },
        "What a caller with a JWT needs for keys and for deploy tokens: `write` is `dotdo:write` (or \
         `dotdo:read` for keys that only read), `admin` is `dotdo:admin`. Choose `admin` if end users \
         have tokens of the same issuer and audience.",
    ),
    Setting::new(
        "broker.requests_per_address",
        number!("", 0..=1_000_000, broker.requests_per_address),
        "Maximum number of requests in a minute from an address, counted before anything is verified. \
         Further ones are answered with 429. 0 means no limit.",
    ),
    Setting::new(
        "broker.requests_per_tenant",
        number!("", 0..=1_000_000, broker.requests_per_tenant),
        "Maximum number of requests in a minute for a tenant. Further ones are answered with 429. 0 \
         means no limit.",
    ),
];
