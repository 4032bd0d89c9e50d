//! WebSockets (RFC 6455): the handshake in HTTP, and the messages on the connection that follows.
//!
//! Promises: a handshake is a request like any other until the object has accepted it; messages go
//! to the object one at a time and in order; nothing that a client does, or does not do, holds more
//! than the limits say. Must not know: objects, routes, the bucket.

mod deflate;
mod frames;
mod handshake;
mod switch;
mod talk;

pub(crate) use self::handshake::Upgrading;
pub(super) use self::switch::{Switch, Upgraded};
pub(crate) use self::talk::SocketSettings;
pub(super) use self::talk::{Line, talk};
