//! What the settings say about the store and its keys. Nothing is asked of anybody yet.

use std::path::PathBuf;

use dotdo_core::{S3Config, Secret, StoreConfig};

/// The store, as far as the settings say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Storage {
    /// The settings say all that it takes.
    Known(StoreConfig),
    /// An S3 bucket with keys that a token is exchanged for.
    Exchanged(Exchange),
    /// Another store with access tokens that a token is exchanged for.
    Federated(Federation),
}

/// An exchange of a token for access to a store of Google or Azure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Federation {
    /// The store, whose credentials are replaced.
    pub(crate) store: StoreConfig,
    /// The token.
    pub(crate) token: TokenFrom,
    /// Who exchanges it.
    pub(crate) trusted: Trusted,
}

/// Who trusts the issuer of a token, and gives access to the store for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// Google Cloud.
    Google(GoogleSettings),
    /// Microsoft Entra ID.
    Entra(EntraSettings),
}

/// A provider of Google's workload identity federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoogleSettings {
    /// The provider: `//iam.googleapis.com/projects/…/providers/…`.
    pub(crate) audience: String,
    /// What the token is, as an URN.
    pub(crate) token_type: String,
    /// URL of the token service.
    pub(crate) token_url: String,
    /// URL at which a service account gives tokens, if one is to be acted for.
    pub(crate) account_url: Option<String>,
}

/// An application of Entra ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntraSettings {
    /// URL of the authority.
    pub(crate) authority: String,
    /// The directory.
    pub(crate) tenant_id: String,
    /// The application.
    pub(crate) client_id: String,
}

/// An exchange of a token for keys of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    /// The bucket, without credentials. Its name is empty if the settings do not say it: then the
    /// broker's answer does, or the claims of the token.
    pub(crate) place: S3Config,
    /// The token.
    pub(crate) token: TokenFrom,
    /// Who exchanges it.
    pub(crate) exchanger: Exchanger,
    /// Whether there are keys for each tenant's part of the bucket, instead of keys for all of it
    /// or for the token's own tenant.
    pub(crate) is_by_tenant: bool,
}

impl Storage {
    /// Where the token of an exchange comes from.
    pub(crate) fn token(&self) -> Option<&TokenFrom> {
        match self {
            Self::Known(_) => None,
            Self::Exchanged(exchange) => Some(&exchange.token),
            Self::Federated(federation) => Some(&federation.token),
        }
    }
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenFrom {
    /// The settings (`JWT_TOKEN`).
    Settings(Secret),
    /// A file, which is read again at every exchange.
    File(PathBuf),
    /// A file of the platform's, likewise. Its token says which machine this is, and no tenant.
    OfPlatform(PathBuf),
    /// Fly's API, which is asked for a token for this audience. It says which machine this is, and
    /// no tenant.
    Fly(String),
    /// The header with this name, which the platform adds to each request.
    Header(String),
    /// The login of the person who started the server.
    Login,
}

/// Who exchanges tokens for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exchanger {
    /// A security token service.
    Sts(StsSettings),
    /// The broker at this URL.
    Broker(String),
}

/// A security token service, and what to ask of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StsSettings {
    /// Its URL.
    pub(crate) url: String,
    /// The role to assume; some services take it from the token.
    pub(crate) role_arn: Option<String>,
    /// The name that audit logs show.
    pub(crate) session_name: String,
    /// A policy as JSON that limits the keys further.
    pub(crate) policy: Option<String>,
    /// How long the keys shall be valid, in seconds.
    pub(crate) duration_seconds: u64,
}
