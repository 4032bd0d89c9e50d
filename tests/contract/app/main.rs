//! The program that the contract suite serves on every platform: mirrors that show what reaches
//! them, and counters that count what lasts.
//!
//! It needs nothing but the crates bytes, dotdo, futures-util, http, http-body, http-body-util,
//! serde_json and tokio (net, io-util), so that a platform's own builder can make it from this
//! folder.

mod counter;
mod gate;
mod mirror;
mod pattern;
mod query;

use std::process::ExitCode;

use dotdo::App;

fn main() -> ExitCode {
    dotdo::run(App::new().class("Mirror", || mirror::Mirror).class("Counter", || counter::Counter))
}
