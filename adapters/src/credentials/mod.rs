//! Keys for the bucket that end: where the token comes from that says who this server is, who
//! exchanges it for keys, and how these are kept and renewed (docs/design/0023, decision 12).
//!
//! Promises: one exchange at a time; keys are renewed before they end, and used until then while
//! that fails; a token is sent over https only (or to this machine), to the one address that the
//! settings name, and redirects are not followed; no secret is logged or put into an error.
//! Must not know: objects, routes, the engine.

mod address;
#[cfg(feature = "exchange")]
#[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only keys of S3 have parts"))]
mod answer;
#[cfg(feature = "s3")]
mod broker;
#[cfg(feature = "exchange")]
mod cache;
#[cfg(feature = "s3")]
mod claims;
#[cfg(feature = "exchange")]
mod client;
mod connect;
#[cfg(feature = "azure-blob")]
mod entra;
#[cfg(feature = "s3")]
mod exchange;
#[cfg(unix)]
mod fly;
#[cfg(feature = "gcs")]
mod google;
#[cfg(any(feature = "gcs", feature = "azure-blob"))]
mod oauth;
#[cfg(feature = "s3")]
mod parts;
mod plan;
#[cfg(feature = "s3")]
mod policy;
#[cfg(feature = "s3")]
mod sts;
#[cfg(feature = "s3")]
pub(crate) mod sts_answer;
#[cfg(feature = "s3")]
mod tenants;
#[cfg_attr(not(feature = "exchange"), expect(dead_code, reason = "only stores need tokens"))]
mod token;

pub(crate) use self::address::is_private_address;
#[cfg(feature = "broker")]
pub(crate) use self::answer::Fresh;
pub(crate) use self::connect::{Connected, connect};
#[cfg(feature = "broker")]
pub(crate) use self::parts::Part;
pub(crate) use self::plan::{
    EntraSettings, Exchange, Exchanger, Federation, GoogleSettings, Storage, StsSettings,
    TokenFrom, Trusted,
};
#[cfg(feature = "broker")]
pub(crate) use self::policy::{Access, Reach, session_policy};
pub use self::token::TokenSource;
pub(crate) use self::token::Tokens;

#[cfg(all(test, feature = "s3"))]
mod tests;
