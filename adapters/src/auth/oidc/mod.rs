//! Tokens of OpenID issuers: their keys, their verification, and what they allow
//! ([0023](../../../../docs/design/0023-identity.md), decisions 3 to 9).
//!
//! Promises: a token is verified with a key that its issuer published at its discovery document,
//! by the one algorithm of that key; nothing in a token decides where a key comes from; no request
//! of this module goes anywhere but to configured issuers; no error, log or metric repeats what is
//! in a token. Must not know: requests, objects, where tokens come from.

mod authority;
mod claims;
mod fetch;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod issuer;
mod keys;
mod metrics;
mod remembered;
mod token;
mod verifier;

#[cfg(test)]
mod tests;

pub(crate) use self::authority::Location;
#[cfg(test)]
pub(crate) use self::tests::provider;
pub(crate) use self::token::is_jwt;
pub(crate) use self::verifier::Verifier;
