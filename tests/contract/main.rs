//! What every platform must do with requests: one suite, sent through each platform's own wire.
//!
//! A platform is a [`Host`] in `hosts/`: how its program is started, and how a request and its answer travel. What it can't do is declared in its
//! [`Abilities`]; the suite then checks the declared behaviour instead. docs/ADAPTERS.md shows them side by side.

mod host;
mod hosts;
mod suite;

use dotdo_tests::Setup;

/// The program that every platform serves.
fn setup(storage: &str) -> Setup {
    Setup::of(env!("CARGO_BIN_EXE_scenario-app"), storage)
}
