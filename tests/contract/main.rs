//! What every platform must do with requests: one suite, sent through each platform's own wire.
//!
//! A platform is a [`Host`](host::Host) in `hosts/`: how its program is started, and how a request
//! and its answer travel. What it can't do is declared in its [`Abilities`](host::Abilities); the
//! suite then checks the declared behaviour instead. docs/ADAPTERS.md shows them side by side.

mod around;
mod gate;
mod host;
mod hosts;
mod lambda;
mod message;
#[path = "app/pattern.rs"]
mod pattern;
mod stage;
mod suite;
mod table;
mod vercel;
mod websocket_api;
mod worker;

use dotdo_tests::Setup;

/// Names another program to test than the one that is built here: one that a platform's own builder
/// has made of the same sources.
const PROGRAM: &str = "DOTDO_TEST_CONTRACT_PROGRAM";

/// The program that every platform serves.
fn setup(storage: &str) -> Setup {
    let program =
        std::env::var(PROGRAM).unwrap_or_else(|_| env!("CARGO_BIN_EXE_contract-app").to_owned());
    Setup::of(program, storage)
}
