//! Keys for the bucket that end: where the token comes from that says who this server is, who
//! exchanges it for keys, and how these are kept and renewed (docs/design/0023, decision 12).
//!
//! Promises: one exchange at a time; keys are renewed before they end, and used until then while
//! that fails; a token is sent over https only (or to this machine), to the one address that the
//! settings name, and redirects are not followed; no secret is logged or put into an error.
//! Must not know: objects, routes, the engine.

mod address;
#[cfg(feature = "s3")]
mod answer;
#[cfg(feature = "s3")]
mod broker;
#[cfg(feature = "s3")]
mod cache;
#[cfg(feature = "s3")]
mod claims;
#[cfg(feature = "s3")]
mod client;
mod connect;
#[cfg(feature = "s3")]
mod exchange;
#[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only keys of S3 are exchanged"))]
mod plan;
#[cfg(feature = "s3")]
mod sts;
#[cfg(feature = "s3")]
pub(crate) mod sts_answer;
#[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only keys of S3 are exchanged"))]
mod token;

pub(crate) use self::address::is_private_address;
#[cfg(feature = "broker")]
pub(crate) use self::answer::Fresh;
pub(crate) use self::connect::{Connected, connect};
pub(crate) use self::plan::{Exchange, Exchanger, Storage, StsSettings, TokenFrom};
pub use self::token::TokenSource;
pub(crate) use self::token::Tokens;

#[cfg(all(test, feature = "s3"))]
mod tests;
