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
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenFrom {
    /// The settings (`JWT_TOKEN`).
    Settings(Secret),
    /// A file, which is read again at every exchange.
    File(PathBuf),
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
