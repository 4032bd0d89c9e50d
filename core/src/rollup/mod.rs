//! Roll-ups: one table for all objects of a class and a tenant, as an object of its own. The design
//! is in docs/design/0041.
//!
//! Promises: what an object has written is in the roll-up of its class within a minute, once, as
//! long as some process looks; the rows of an object there are a state that it had; the object's own
//! writes cost no record and no row more. Must not know: HTTP, catalogs, platforms.

mod apply;
mod by_hand;
mod drain;
mod layout;
mod message;
mod names;
mod note;
mod queue;
mod send;
mod since;

pub(crate) use apply::Rollup;
pub use by_hand::RolledUp;
pub(crate) use by_hand::roll_up;
pub(crate) use drain::{drain_pending, drain_pending_of, look_after, start_draining};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use message::fuzz_message;
pub(crate) use names::{is_rollup, rollup_of};
pub(crate) use queue::Rollups;
