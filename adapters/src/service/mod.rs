//! dotdo in your own program: objects as a [`tower::Service`] next to other routes, and a
//! `tower::Service`, such as an axum router, inside an object.
//!
//! [`Serve::into_service`](crate::Serve::into_service) creates the first, [`answer`] is the second.
//! docs/design/0022-service.md has the reasons.

mod lent;
mod mounted;

pub use self::lent::{Lent, Undo, answer};
pub use self::mounted::{ObjectService, ServiceHandle};
pub(crate) use self::mounted::{host_executor, mountable};
pub use crate::edge::{ClientAddress, Gateway, GatewayObjects};

#[cfg(test)]
mod tests;
