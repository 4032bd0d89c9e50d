//! Objects in memory. This is the only place with concurrency: everything elsewhere is called by
//! one task at a time.
//!
//! Promises: one handler of an object runs at a time, in the order of arrival; a response passes
//! the gate only when everything it depends on is in the bucket; an object that fails, hangs or is
//! full harms no other. Must not know: HTTP servers, SQL, file formats.

mod activation;
mod activations;
mod after_record;
mod afterwards;
mod agenda;
mod answer;
mod background;
mod calls;
mod catch_up;
mod checkpoint;
mod commit;
mod committer;
mod elsewhere;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handler;
mod hearsay;
mod hint;
mod janitor;
mod once;
mod open;
mod outbox;
mod owner;
mod per_request;
mod pipeline;
mod queue;
mod resident;
mod residents;
mod retention;
mod round;
mod runtime;
mod serve;
mod shutdown;
mod together;
mod token;
mod turn;
mod verify;
mod wait;
mod whereabouts;

#[cfg(test)]
mod tests;

pub(crate) use activations::Activations;
pub(crate) use elsewhere::Way;
pub(crate) use handler::run_read_only;
pub(crate) use janitor::start as start_janitor;
pub(crate) use once::prepare;
pub(crate) use outbox::start_scanning;
pub use runtime::Components;
pub(crate) use runtime::Runtime;
pub(crate) use shutdown::shutdown;
pub(crate) use turn::Turn;
