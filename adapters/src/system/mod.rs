//! The program's interface to the machine: clock, randomness, threads and memory.

pub(crate) mod buckets;
pub(crate) mod components;
pub(crate) mod dumps;
pub(crate) mod memory;
pub(crate) mod workers;
