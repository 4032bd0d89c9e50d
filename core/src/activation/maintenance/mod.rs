//! Work without a request: snapshots, eviction, deletion after the retention, and the graceful
//! shutdown.

mod agenda;
mod eviction;
mod retention;
mod rounds;
mod shutdown;
mod snapshots;
mod verification;

pub(crate) use agenda::{Agenda, Due, NEVER, ROUND};
pub(crate) use rounds::start_maintenance;
pub(crate) use shutdown::shut_down;
pub(crate) use verification::difference;
