//! durable objects
mod components;
mod config;
mod edge;
mod http;
mod telemetry;
pub use components::{OsRandom, SystemClock};
