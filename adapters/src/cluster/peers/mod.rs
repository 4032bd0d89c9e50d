//! Forwarding of requests between servers of one bucket: to the owner of an object, and from
//! authenticated peers.
//!
//! Promises: nothing of a request is sent before the receiver has proved that it knows the servers'
//! secret, and nothing is accepted from a sender without proof; the secret is never sent; a request
//! that the owner did not accept is returned unchanged if its body was not requested. Must not
//! know: the owners of objects.

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

#[cfg(feature = "client")]
pub(crate) use self::answer::KINDS;
pub(crate) use self::answer::{error_from, kind_named};
pub(crate) use self::envelope::Kind;
pub(crate) use self::forwarded::{ForwardedRequest, ForwardedRequests, Proven};
pub(crate) use self::own_address::own_address;
pub(crate) use self::plan::Plan;
pub(crate) use self::secrets::{SECRET_BYTES_MIN, are_secrets};
pub(crate) use self::tls::{Acceptor, FIRST_BYTE};

/// The header that marks requests and responses of peers.
pub(crate) const PEER_HEADER: HeaderName = HeaderName::from_static("dotdo-peer");

/// Maximum difference between the clocks of two servers. Beyond it, their announcements in Redis
/// are ignored.
#[cfg(feature = "redis")]
pub(crate) const CLOCK_SKEW_MAX: Duration = Duration::from_secs(30);

/// Timeout to open a connection to a peer, before authentication.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Timeout for a peer to accept a request. It may have to restore the object first.
const ACCEPT_MAX: Duration = Duration::from_secs(5);

/// Interval and timeout of keep-alives to a peer that has a request.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// Maximum number of unanswered keep-alives in a row.
const PINGS_MISSED_MAX: u32 = 2;

/// How long an idle connection to a peer is kept: shorter than the peer keeps it, so that it is
/// rarely closed at the moment of use.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Maximum number of idle connections to a peer.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Maximum size of a peer's error response, in bytes.
const ERROR_BYTES_MAX: usize = 1 << 20;
