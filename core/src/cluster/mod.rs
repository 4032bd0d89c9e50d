//! The other processes on the same bucket: which of them owns an object, and how requests reach it.
//!
//! Promises: nothing here decides who owns an object. Wrong knowledge costs a request one attempt
//! at another process.

mod announcements;
mod directory;
mod forwarding;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod lock_file;
mod owner_cache;
mod ownership;
mod peers;

pub(crate) use announcements::Announced;
pub(crate) use directory::Listen;
pub use directory::{Directory, Holding, Listener, OwnershipChange};
#[cfg(test)]
pub(crate) use forwarding::tests as forwarding_tests;
pub(crate) use forwarding::{Origin, Routing};
pub(crate) use lock_file::{LastWritten, check_lock_file, object_in_lock_file, write_lock_file};
pub(crate) use owner_cache::OwnerCache;
pub use peers::{Forward, Forwarded, NotTaken, Owner, PeerError, Peers, Received, RequestContext};
