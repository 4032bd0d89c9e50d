//! Platforms: the properties of each, and adapters for those with their own way to deliver
//! requests.
//!
//! Each folder is an adapter, a loop around the edge: `environment` reads the platform's variables,
//! `settings` has its settings, `request` builds requests, and `response` converts responses.

#[cfg(feature = "azure")]
pub(crate) mod azure;
#[cfg(feature = "lambda")]
pub(crate) mod lambda;
mod table;
#[cfg(feature = "vercel")]
pub(crate) mod vercel;

/// What can be set is known to every program, so that each can say what it was built without.
#[cfg(not(feature = "azure"))]
pub(crate) mod azure {
    pub(crate) mod settings;
}
#[cfg(not(feature = "lambda"))]
pub(crate) mod lambda {
    pub(crate) mod settings;
}

pub(crate) use self::table::{LOOPBACK, Platform, Reached};
