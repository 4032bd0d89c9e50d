//! The broker: a server that verifies a token and answers with short-lived keys for one tenant's
//! part of a bucket; and issues, lists and revokes deploy tokens (docs/design/0024-broker.md).
//!
//! Promises: keys reach nothing outside of the prefix of a verified tenant; every decision is a line
//! of the audit log; no secret is logged, and the bucket has hashes only. Must not know: objects,
//! sockets, platforms.

mod api;
mod audit;
mod backend;
mod bodies;
mod callers;
mod front;
mod issuing;
mod keys;
mod plan;
mod start;
mod times;
mod tokens;

pub(crate) use self::start::start;
