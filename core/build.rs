//! Makes sure that SQLite is compiled with the preupdate hook, without which no change of a row
//! could be recorded.

#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "cargo speaks to a build script by its environment and its output"
)]

use std::env;
use std::process::ExitCode;

const FLAG: &str = "SQLITE_ENABLE_PREUPDATE_HOOK";

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBSQLITE3_FLAGS");
    if env::var_os("CARGO_FEATURE_BINDGEN").is_some()
        || has_flag(&env::var("LIBSQLITE3_FLAGS").unwrap_or_default())
    {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "\ndotdo needs SQLite compiled with the preupdate hook, which reports every changed row to the log.\n\
         Add these two lines to .cargo/config.toml beside your Cargo.toml (create it if there is none):\n\n\
         [env]\n\
         LIBSQLITE3_FLAGS = \"-D{FLAG}\"\n\n\
         Or, where libclang is installed, turn on the cargo feature `bindgen` of dotdo-core.\n"
    );
    ExitCode::FAILURE
}

/// The bundled SQLite takes the name with `-D` before it or, when it starts with `SQLITE_`, bare; a
/// value may follow.
fn has_flag(flags: &str) -> bool {
    flags
        .split_whitespace()
        .any(|flag| flag.trim_start_matches("-D").split('=').next() == Some(FLAG))
}
