//! The class that is measured, in JavaScript, or another worker, which `MEASURED_WORKER` names.

use std::path::PathBuf;
use std::process::ExitCode;

use dotdo::Serve;
use dotdo_js::Bundle;

fn main() -> ExitCode {
    let named = std::env::var_os("MEASURED_WORKER").map(PathBuf::from);
    let worker = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("worker"));
    let bundle = Bundle::open(&worker).expect("the bundle is loaded");
    Serve::new(bundle.app()).gateway(bundle.gateway()).run()
}
