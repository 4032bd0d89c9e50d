//! The class that is measured, in JavaScript.

use std::path::Path;
use std::process::ExitCode;

use dotdo::Serve;
use dotdo_js::Bundle;

fn main() -> ExitCode {
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("worker");
    let bundle = Bundle::open(&worker).expect("the bundle is loaded");
    Serve::new(bundle.app()).gateway(bundle.gateway()).run()
}
