//! Platforms: the properties of each, and adapters for those with their own way to deliver
//! requests.
//!
//! Each folder is an adapter, a loop around the edge: `environment` reads the platform's variables,
//! `settings` has its settings, `request` builds requests, and `response` converts responses.

pub(crate) mod azure;
pub(crate) mod lambda;
mod table;
pub(crate) mod vercel;

pub(crate) use self::table::{LOOPBACK, Platform, Reached};
