//! A model of the log, the leases, the output gate and the deletion, small enough that every state
//! can be looked at.
//!
//! It follows docs/design/0001 and 0004. What is modelled, what is left out and why that does no
//! harm, the bounds and the numbers are in docs/design/0006. Each file here is one part of the
//! protocol; `setups.rs` says what is explored, `protocol.rs` what must hold, `bug.rs` which
//! mistakes must be caught.

mod action;
mod append;
mod bug;
mod instance;
mod log;
mod protocol;
mod replace;
mod report;
mod serve;
mod setup;
mod setups;
mod snapshots;
mod store;
mod world;
mod writes;

pub use action::{Action, Put};
pub use bug::Bug;
pub use protocol::{ANSWERED, ENDS, LINEARIZABLE, ONCE, ONE_WINNER, Protocol, RESTORABLE, SURVIVE};
pub use report::{Report, explore, explore_until};
pub use setup::{Kind, Mishap, Request, Setup};
pub use setups::{
    appends, both_kinds, clocks, contention, deletion, deletion_beside_server, keyed, leases,
    progress, progress_of_three, replacements, snapshots,
};
pub use snapshots::Files;
pub use world::World;
