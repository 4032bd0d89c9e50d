//! A deterministic simulation of the real core: many processes, clients and a store that
//! misbehaves, in virtual time, from one seed.
//!
//! Promises: the same seed gives the same trace; what a world shows to be wrong is wrong with the
//! code, not with the world. What is simulated, how often it goes wrong, and what is not simulated
//! is in docs/design/0007.

mod asking;
mod bucket;
mod chance;
mod clients;
mod clock;
mod directory;
mod history;
mod machine;
mod nemesis;
mod network;
mod objects;
mod panics;
mod plan;
mod schemas;
mod sightings;
mod store;
mod tests;
mod timeline;
mod trace;
mod world;
