//! The other processes on the same bucket: who owns an object, how that is found out, and how a
//! request gets there.
//!
//! Promises: nothing here decides who owns an object; what is wrongly believed costs a request one
//! attempt at another process.

mod announcements;
mod directory;
mod forwarding;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod lock_file;
mod owner_cache;
mod ownership;
mod peers;

pub(crate) use announcements::Told;
pub(crate) use directory::Listener;
pub use directory::{Directory, Ear, Holding, News};
#[cfg(test)]
pub(crate) use forwarding::tests as forwarding_tests;
pub(crate) use forwarding::{Caller, Undone, Way};
pub(crate) use lock_file::{LastWritten, write_lock_file};
pub(crate) use owner_cache::Whereabouts;
pub use peers::{Forward, Journey, NotTaken, Owner, Passed, PeerError, Peers, Received};
