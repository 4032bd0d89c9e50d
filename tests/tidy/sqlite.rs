//! The project's own SQLite: which one it is, and that its bindings are those that are used.

use std::process::Command;

use crate::source::{files, root, word_at};

#[test]
fn the_amalgamation_has_the_checksums_that_are_written_down() {
    let script = "import hashlib, pathlib\n\
        for line in pathlib.Path('SHA3-256SUMS').read_text().splitlines():\n\
        \x20   sum, name = line.split()\n\
        \x20   print(name, hashlib.sha3_256(pathlib.Path(name).read_bytes()).hexdigest() == sum)";
    let output = Command::new("python3")
        .args(["-c", script])
        .current_dir(root().join("sqlite/vendor"))
        .output()
        .expect("the tests need Python 3");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "sqlite3.c True\nsqlite3.h True\n");
}

#[test]
fn bindings_are_there_for_what_is_used_and_no_more() {
    let sources = files(".rs");
    let users: Vec<String> = sources
        .iter()
        .filter(|source| {
            ["core/src/sqlite", "sqlite/tests/"].iter().any(|at| source.path.starts_with(at))
        })
        .map(|source| source.code())
        .collect();
    let bindings = sources.iter().filter(|source| source.path.starts_with("sqlite/src/"));
    let names: Vec<&str> = bindings
        .flat_map(|source| source.text.lines())
        .filter_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("pub const "))
        })
        .filter(|rest| !rest.starts_with("fn "))
        .filter_map(|rest| rest.split(['(', ':']).next())
        .collect();
    assert!(names.len() > 100, "{names:?}");
    let unused: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            !users.iter().any(|code| code.lines().any(|line| word_at(line, name).is_some()))
        })
        .collect();
    assert!(unused.is_empty(), "run sqlite/update: nothing uses {unused:?}");
}
