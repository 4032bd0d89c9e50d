//! Every configuration holds, and every mistake is caught in the very configuration that holds
//! without it.
//!
//! `cargo test -p dotdo-model -- --nocapture` shows the numbers, and the shortest way to what each
//! mistake breaks.

#![expect(
    clippy::print_stdout,
    reason = "the numbers and the counterexamples are what one runs these tests for"
)]

mod bounds;
mod broken;
mod sound;
