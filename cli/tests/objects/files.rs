//! Objects in files, as the tools of others read them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::World;
use crate::server::{dotdo, outcome};

/// Runs a program of Python on a database, and gives what it prints.
fn python(program: &str, arguments: &[&Path]) -> String {
    let output = Command::new("python3").arg("-c").arg(program).args(arguments).output();
    let output = output.expect("the tests need Python 3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Says whether two databases have the same rows, by rowid.
const SAME: &str = "
import sqlite3, sys
a, b = (sqlite3.connect(path) for path in sys.argv[1:3])
tables = lambda db: db.execute(\"SELECT name, sql FROM sqlite_schema ORDER BY name\").fetchall()
rows = lambda db: [db.execute(f'SELECT rowid, * FROM \"{name}\" ORDER BY 1').fetchall() for (name, sql) in tables(db) if sql and sql.startswith('CREATE TABLE') and 'WITHOUT ROWID' not in sql]
print('the same' if tables(a) == tables(b) and rows(a) == rows(b) else 'different')
";

/// Says whether a database is whole, and how many things it has.
const CHECK: &str = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute('PRAGMA integrity_check').fetchone()[0], db.execute('SELECT count(*) FROM things').fetchone()[0])";

#[test]
fn an_export_is_a_database_of_sqlite_in_every_format() {
    let mut world = World::start();
    world.stop();
    let here = world.folder.path();
    for name in ["alice.sqlite", "alice.sql", "alice.tar.gz"] {
        world.ok(&["snapshot", "export", "alice", "-o", name]);
    }
    assert_eq!(python(CHECK, &[&here.join("alice.sqlite")]), "ok 2");
    let sql = "import sqlite3, sys; db = sqlite3.connect(sys.argv[2]); db.executescript(open(sys.argv[1]).read())";
    python(sql, &[&here.join("alice.sql"), &here.join("made.db")]);
    assert_eq!(python(CHECK, &[&here.join("made.db")]), "ok 2");
    assert_eq!(python(SAME, &[&here.join("alice.sqlite"), &here.join("made.db")]), "the same");
    let unpack = "import tarfile, sys; tarfile.open(sys.argv[1]).extractall(sys.argv[2])";
    python(unpack, &[&here.join("alice.tar.gz"), &here.join("unpacked")]);
    let manifest = fs::read(here.join("unpacked/manifest.json")).expect("it is in the archive");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    assert_eq!((&manifest["class"], &manifest["id"]), (&"DO".into(), &"alice".into()));
    for file in manifest["files"].as_array().expect("a list") {
        let name = file["name"].as_str().expect("a name");
        let size = here.join("unpacked").join(name).metadata().expect("it is in the archive").len();
        assert_eq!(file["bytes"], size, "{name}");
    }
    let database = fs::read(here.join("unpacked/database.sqlite")).expect("it is in the archive");
    assert_eq!(database, fs::read(here.join("alice.sqlite")).expect("it was made"));
    let text = world.ok(&["snapshot", "export", "alice", "-o", "-", "--format", "sql"]);
    assert_eq!(text, fs::read_to_string(here.join("alice.sql")).expect("it was made"));
}

#[test]
fn whole_tenants_are_exported_again_only_where_they_changed() {
    let mut world = World::start();
    let made = world.server.ask("POST", "/do/bob/things", r#"{"id": "x", "type": "Note"}"#);
    assert!(made.starts_with("HTTP/1.1 201 Created\r\n"), "{made}");
    world.stop();
    let all = ["snapshot", "export", "--all", "-o", "all", "--json"];
    assert_eq!(world.json(&all)["written"], 2);
    assert_eq!(world.json(&all)["unchanged"], 2);
    let file = world.folder.path().join("all/d-o/alice.sqlite");
    fs::write(&file, "damaged").expect("the folder is ours");
    let again = world.json(&all);
    assert_eq!((&again["written"], &again["unchanged"]), (&1.into(), &1.into()));
    assert_eq!(python(CHECK, &[&file]), "ok 2");
    let of_class = ["snapshot", "export", "--class", "Nothing", "-o", "none", "--json"];
    assert_eq!(world.json(&of_class)["written"], 0);
}

#[test]
fn nothing_is_left_of_an_export_that_fails() {
    let mut world = World::start();
    world.stop();
    let here = world.folder.path();
    let failed = |code: i32, arguments: &[&str]| {
        let (found, stdout, stderr) = outcome(dotdo(here).args(arguments));
        assert_eq!((found, &*stdout), (Some(code), ""), "{arguments:?}: {stderr}");
        stderr
    };
    world.ok(&["snapshot", "export", "alice"]);
    assert!(failed(1, &["snapshot", "export", "alice"]).contains("use --force"));
    world.ok(&["snapshot", "export", "alice", "--force"]);
    failed(1, &["snapshot", "export", "nobody", "-o", "nobody.db"]);
    failed(1, &["snapshot", "export", "alice", "-o", "missing/alice.db"]);
    assert!(failed(2, &["snapshot", "export", "alice", "-o", "alice.txt"]).contains("--format"));
    let names = fs::read_dir(here).expect("the folder is ours");
    let names = names.map(|entry| entry.expect("it can be read").file_name().into_string());
    let names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
    let is_left = |name: &String| name.starts_with(".dotdo-export") || name.starts_with("nobody");
    assert!(!names.iter().any(is_left), "{names:?}");
}
