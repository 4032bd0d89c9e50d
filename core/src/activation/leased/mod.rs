//! Owning an object under a lease, as servers do: one request at a time has the turn, its changes
//! join the batch that waits for the next record, and one task writes one record after the other.

mod committer;
mod pipeline;
mod turn;

pub(crate) use pipeline::{Gate, Pipeline, Quiet, Ticket};
pub(crate) use turn::{Turn, begin_request};
