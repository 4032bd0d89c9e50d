//! Ownership per request, as in functions: no lease between requests, and every response is proven
//! by the log.

mod attempt;
mod batch;
mod queue;
mod transaction;

pub(crate) use queue::Queue;
