//! Objects in memory. Together with `messages/` and `alarms/` this is the only place with concurrency:
//! everything else is called by one task at a time.
//!
//! Promises: one handler of an object runs at a time, in the order of arrival; a response passes
//! the gate only when everything it depends on is in the bucket; an object that fails, hangs or is
//! full does not affect others. Must not know: HTTP servers, SQL, file formats.

mod activations;
mod after_commit;
mod after_record;
mod answer;
mod calls;
mod catch_up;
mod commit;
mod continuation;
mod exclusive;
mod handler;
mod leased;
mod lookup;
mod maintenance;
mod open;
mod owner_wait;
mod per_request;
mod rebuild;
mod replace;
mod reservation;
mod resident;
mod residents;
mod restore;
mod runtime;
mod serve;
mod state;
mod tasks;
mod time_travel;
mod token;
mod wait;

#[cfg(test)]
mod tests;

pub(crate) use activations::Activations;
pub(crate) use answer::Undone;
pub(crate) use calls::Calling;
pub(crate) use handler::{
    collect_body, run_alarm, run_handler, run_scheduled, run_start, run_within_time,
};
pub(crate) use leased::Turn;
pub(crate) use lookup::{Wanted, look_up};
pub(crate) use maintenance::{difference, shut_down, start_maintenance};
pub(crate) use rebuild::{Sources, replay_from};
pub use replace::{Deleted, Precondition, Replaced};
pub(crate) use replace::{NewState, no_such_object};
pub(crate) use resident::Resident;
pub(crate) use restore::{Newest, newest, restore};
pub use runtime::Components;
pub(crate) use runtime::Runtime;
pub(crate) use state::{Activation, ForeignClaim};
pub(crate) use tasks::{Running, Tasks, restart_on_panic, spawn_detached};
pub(crate) use time_travel::{fetch_as_of, place_of_former, restore_at};
