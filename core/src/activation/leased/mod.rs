//! Ownership under a lease, as on servers: one request at a time has the turn, its changes join the
//! batch for the next record, and one task writes one record after the other.
//!
//! What always holds:
//!
//! 1. One request at a time has the turn, in the order of arrival; a handler runs in one
//!    transaction, and what fails leaves nothing.
//! 2. The memory and the pipeline have the same generation, or the memory is void and is dropped
//!    before it is used again. [`Stage`](super::resident::Stage) says how they differ, is set
//!    before each step, and needs no destructor.
//! 3. One record is in flight at a time. Its batch is sealed before it is sent; what comes later
//!    belongs to the next one.
//! 4. A response leaves when every record is in the bucket that has what it changed or could have
//!    seen. A read that joined a sealed batch waits for the lease that the record grants, or for the
//!    next record.
//! 5. The lease counts from before the record that grants it was sent, and ends before its time.
//! 6. A lost or unknown record voids everything on top of it: everything that waits for it fails,
//!    and the generation increases.
//! 7. However the committer ends, nobody waits for it after that.
//! 8. A new memory replaces the old one only while no record is in flight ([`Quiet`] is the
//!    evidence).

mod committer;
mod pipeline;
mod turn;

pub(crate) use pipeline::{Gate, LogState, Pipeline, Quiet, Ticket};
pub(crate) use turn::{Turn, begin_request, undo_start};
