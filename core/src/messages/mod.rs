//! The delivery of messages between objects.
//!
//! Promises: a message is delivered only when the record that holds it is certainly in the log;
//! messages to one receiver are delivered in their order; delivery is retried until it succeeds,
//! even after a crash. The receiver makes sure that a message is executed *once* (`idempotency`),
//! so two servers may deliver the same message at the same time.

mod delivery;
mod marker;
mod outbox;
mod receivers;
mod relay;
mod relay_state;
mod request;
mod scan;
mod visits;

pub(crate) use delivery::Outbox;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use marker::fuzz_marker;
pub(crate) use marker::{Marker, mark_behind, marked};
pub use outbox::Delivery;
pub(crate) use outbox::{is_waiting, post_message, take_message, taken_before};
pub(crate) use request::OutboxRequest;
pub(crate) use scan::{look_once, start_scanning};
pub(crate) use visits::has_other_owner;
