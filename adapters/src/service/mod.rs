//! dotdo in a program of your own: objects as a [`tower::Service`] beside other routes, and a
//! `tower::Service`, such as an axum router, inside an object.
//!
//! [`Serve::into_service`](crate::Serve::into_service) makes the first, [`answer`] is the second.
//! docs/design/0022-service.md says why they are so.

mod lent;
mod mounted;

pub use self::lent::{Lent, Undo, answer};
pub use self::mounted::{ObjectService, ServiceHandle};
pub(crate) use self::mounted::{host_executor, mountable};
pub use crate::edge::ClientAddress;

#[cfg(test)]
mod tests;
