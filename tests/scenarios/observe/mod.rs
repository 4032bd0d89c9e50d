//! What servers tell of themselves: metrics, traces, and the dashboard that shows them.

mod collector;
mod dashboard;
mod metrics;
mod secrets;
mod traces;
