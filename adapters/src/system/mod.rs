//! What the program takes from the machine: its clock, its randomness, threads and memory.

pub(crate) mod components;
pub(crate) mod memory;
pub(crate) mod workers;
