//! Fuzz targets: the parsers of foreign bytes in the core and the adapters, as functions of bytes.

pub use dotdo_core::fuzzing::Target;

use crate::cluster::redis;
use crate::platforms::{azure, lambda};
use crate::{auth, edge, libsql};

/// Every target.
pub fn targets() -> impl Iterator<Item = Target> {
    let own: [Target; 7] = [
        ("azure_payload", azure::fuzz),
        ("lambda_event", lambda::fuzz),
        ("redis_entry", redis::fuzz),
        ("libsql_answer", libsql::fuzz),
        ("forwarded_for", edge::fuzz),
        ("token", auth::fuzz::token),
        ("key_set", auth::fuzz::keys),
    ];
    dotdo_core::fuzzing::TARGETS.into_iter().chain(own)
}

/// Runs the target of that name on an input.
///
/// # Panics
///
/// When the target is unknown, or it fails.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = targets()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("unknown target {name}"));
    target(data);
}
