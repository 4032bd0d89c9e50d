//! The server that is measured: the app of this crate, run like any user's.

use std::process::ExitCode;

fn main() -> ExitCode {
    dotdo::run(dotdo_benches::app())
}
