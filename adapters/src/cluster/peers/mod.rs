//! Requests between servers of one bucket: sent to the owner of their object, and taken from peers
//! that prove who they are.
//!
//! Promises: nothing of a request leaves before the receiver has proved that it knows the servers'
//! secret, and nothing is taken from a sender that has not; the secret never travels; a request
//! that could not be given to its owner comes back untouched as long as its body has not been asked
//! for. Must not know: who owns what.

mod answer;
mod envelope;
mod fly;
mod forwarded;
mod headers;
mod held;
mod own_address;
mod plan;
mod proxy;
mod secrets;
mod tls;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::HeaderName;

use self::answer::error_from;
pub(crate) use self::answer::kind_named;
pub(crate) use self::envelope::Kind;
pub(crate) use self::forwarded::{ForwardedRequest, ForwardedRequests, Proven};
pub(crate) use self::own_address::own_address;
pub(crate) use self::plan::Plan;
pub(crate) use self::secrets::{SECRET_BYTES_MIN, are_secrets};
pub(crate) use self::tls::{Acceptor, FIRST_BYTE};

/// What makes a request a peer's, and an answer a peer's too.
pub(crate) const PEER_HEADER: HeaderName = HeaderName::from_static("dotdo-peer");

/// How far the clocks of two servers may be apart. Further: what they tell each other of their
/// objects in Redis is not believed.
pub(crate) const CLOCK_SKEW_MAX: Duration = Duration::from_secs(30);

/// How long a connection to a peer may take to open, before the two prove themselves.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long a peer may take to say that it takes a request. It may have to bring the object into
/// memory for that.
const ACCEPT_MAX: Duration = Duration::from_secs(5);

/// How often a peer that has a request is asked whether it still lives, and how long it may take to
/// say so.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How many such questions in a row may go without an answer.
const PINGS_MISSED_MAX: u32 = 2;

/// How long an unused connection to a peer is kept: shorter than the peer keeps it, so that it is
/// rarely closed at the moment of use.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// How many unused connections to one peer are kept.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// The largest error that a peer may answer with, in bytes.
const ERROR_BYTES_MAX: usize = 1 << 20;
