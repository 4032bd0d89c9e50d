//! The delivery of messages between objects.
//!
//! Promises: a message is delivered only when the record that holds it is certainly in the log;
//! messages to one receiver go in their order; they go on going until they have arrived, also after
//! a crash. That they arrive *once* is the receiver's doing (`once.rs`): two servers that deliver
//! the same message at the same time do no harm.

mod courier;
mod errand;
mod line;
mod marker;
mod scan;
mod state;

pub(crate) use errand::Errand;
pub(crate) use marker::{Marker, marked};
pub(crate) use scan::start as start_scanning;
pub(crate) use state::Courier;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use marker::fuzz;

/// One object's delivery in this process.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) courier: Courier,
    pub(crate) marker: Marker,
}
