//! Replaces an object's whole state: by another state, or by nothing.
//!
//! Promises: one record is the only moment at which the state changes, and everything that it names
//! is in the bucket before; nobody is told before the record is certain; who missed it can't go on
//! from the old state. The tables with which dotdo keeps its promises to others (messages, keyed
//! requests) stay those that the object has. docs/design/0027 has the argument.

mod deletion;
mod history;
mod leftovers;
mod precondition;
mod replacement;

pub use deletion::Deleted;
pub(crate) use deletion::no_such_object;
pub use precondition::Precondition;
pub(crate) use replacement::NewState;
pub use replacement::Replaced;
