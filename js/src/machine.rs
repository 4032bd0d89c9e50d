//! What a bundle runs with.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use dotdo::engine::{Clock, OsRandom, Random, SystemClock};

use crate::limits::REALMS_MAX;

/// What a bundle runs with: where its time and its randomness come from, on how many threads, and what
/// it reaches.
pub struct Machine {
    /// The clock of the worker in front. Objects have the time of their requests.
    pub clock: Arc<dyn Clock>,
    /// The source of `crypto.getRandomValues`, `crypto.randomUUID`, `Math.random` and new ids.
    pub random: Arc<dyn Random>,
    /// Number of threads, each with a realm of its own; at most 16 are of use.
    pub threads: usize,
    /// Whether `fetch` reaches addresses that are not public: this machine, its network, and the
    /// services that a cloud has for its machines. Their answers may hold secrets, and what code asks
    /// for is often what a client has sent.
    pub private_networks: bool,
}

impl Default for Machine {
    /// The system's, and a thread for every processor; `fetch` reaches public addresses only.
    fn default() -> Self {
        let threads = available_parallelism().map_or(1, NonZero::get).min(REALMS_MAX);
        Self {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(OsRandom),
            threads,
            private_networks: false,
        }
    }
}
