//! Requests of classes to other servers.

use crate::config::setting::{Kind, Setting};

/// Requests that classes send.
pub(super) static FETCH: &[Setting] = &[Setting::new(
    "fetch.private_networks",
    Kind::Switch(|config| &mut config.fetch_private_networks),
    "Whether `fetch` in JavaScript reaches addresses that are not public: this machine, its network, \
     and the services that a cloud has for its machines. What a class asks for is often what a client \
     has sent, and those services answer with secrets. A proxy of the environment (`HTTPS_PROXY`) is \
     used with it only, as it would reach them. Classes in Rust send requests by clients of their own.",
)];
