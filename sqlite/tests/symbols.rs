//! No symbol of the compiled SQLite can meet one of another SQLite in the same program.

use std::path::Path;
use std::process::Command;

/// The names that the archive which the build script made defines for others.
fn exported() -> Vec<String> {
    let archive = Path::new(env!("OUT_DIR")).join("libdotdo_sqlite3.a");
    let output = Command::new("nm")
        .args(["--extern-only", "--defined-only", "--format=posix"])
        .arg(&archive)
        .output()
        .expect("nm comes with the compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names of C are ASCII");
    let names = text.lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| name);
    names.map(str::to_owned).collect()
}

#[test]
fn every_exported_symbol_has_the_prefix() {
    let names = exported();
    assert!(names.iter().any(|name| name.ends_with("dotdo_sqlite3_open_v2")), "{names:?}");
    // macOS puts an underscore before every name of C.
    let bare: Vec<&String> =
        names.iter().filter(|name| !name.trim_start_matches('_').starts_with("dotdo_")).collect();
    assert!(bare.is_empty(), "run sqlite/update: {bare:?} could meet those of another SQLite");
}
