//! Settings of the broker, which every build reads, so that the reference is the same.

use dotdo_core::Secret;

/// Settings of the broker. The bucket that it gives keys for is the storage.
#[derive(Debug, Clone)]
pub(crate) struct BrokerSettings {
    /// The role that keys are of, if they come from a token service.
    pub(crate) role_arn: Option<String>,
    /// The URL of the token service; `None` for Amazon's in the region.
    pub(crate) sts_endpoint: Option<String>,
    /// Whether a caller's JWT is exchanged at the token service.
    pub(crate) web_identity: bool,
    /// The account, if keys come from R2.
    pub(crate) r2_account_id: Option<String>,
    /// The token of Cloudflare's API.
    pub(crate) r2_api_token: Option<Secret>,
    /// The URL of Cloudflare's API; `None` for Cloudflare's own.
    pub(crate) r2_api_endpoint: Option<String>,
    /// The store's URL as clients are told; `None` for the one that the broker uses.
    pub(crate) public_endpoint: Option<String>,
    /// What callers with a JWT need.
    pub(crate) requires: Requires,
    /// Number of requests in a minute from an address; 0 means no limit.
    pub(crate) requests_per_address: u32,
    /// Number of requests in a minute of a tenant; 0 means no limit.
    pub(crate) requests_per_tenant: u32,
}

/// What callers with a JWT need, for keys and for deploy tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requires {
    /// The scope for what the keys may do.
    Write,
    /// The administration of the tenant.
    Admin,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            role_arn: None,
            sts_endpoint: None,
            web_identity: false,
            r2_account_id: None,
            r2_api_token: None,
            r2_api_endpoint: None,
            public_endpoint: None,
            requires: Requires::Write,
            requests_per_address: 600,
            requests_per_tenant: 1200,
        }
    }
}
