//! The delivery of messages between objects.
//!
//! Promises: a message is delivered only when the record that holds it is certainly in the log;
//! messages to one receiver go in their order; they go on going until they have arrived, also after
//! a crash. That they arrive *once* is the receiver's doing (`idempotency`): two servers that deliver
//! the same message at the same time do no harm.

mod delivery;
mod marker;
mod outbox;
mod receivers;
mod relay;
mod relay_state;
mod request;
mod scan;

pub(crate) use delivery::Outbox;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use marker::fuzz_marker;
pub(crate) use marker::marked;
pub use outbox::Delivery;
pub(crate) use outbox::{is_waiting, post_message, take_message, taken_before};
pub(crate) use request::OutboxRequest;
pub(crate) use scan::start_scanning;
