//! durable objects
mod components;
mod config;
mod edge;
pub mod graph;
mod http;
mod telemetry;
pub use components::{OsRandom, SystemClock};
