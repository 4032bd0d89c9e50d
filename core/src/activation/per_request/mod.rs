//! Owning an object for one request at a time, as functions do: no lease between requests, every
//! response proven by the log.

mod attempt;
mod batch;
mod queue;
mod transaction;

pub(crate) use queue::Queue;
