//! The broker: a server that verifies a token and answers with short-lived keys for one tenant's
//! part of a bucket; and issues, lists and revokes deploy tokens (docs/design/0024-broker.md).
//!
//! Promises: keys reach nothing outside of the prefix of a verified tenant; every decision is a line
//! of the audit log; no secret is logged, and the bucket has hashes only. Must not know: objects,
//! sockets, platforms.

#[cfg(feature = "broker")]
mod api;
#[cfg(feature = "broker")]
mod audit;
#[cfg(feature = "broker")]
mod backend;
#[cfg(feature = "broker")]
mod bodies;
#[cfg(feature = "broker")]
mod callers;
#[cfg(feature = "broker")]
mod front;
#[cfg(feature = "broker")]
mod issuing;
#[cfg(feature = "broker")]
mod keys;
#[cfg(feature = "broker")]
mod plan;
#[cfg(feature = "broker")]
mod policy;
pub(crate) mod settings;
#[cfg(feature = "broker")]
mod start;
#[cfg(feature = "broker")]
mod times;
#[cfg(feature = "broker")]
mod tokens;

#[cfg(feature = "broker")]
pub(crate) use self::start::start;
