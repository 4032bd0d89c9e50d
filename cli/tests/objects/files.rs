//! Objects in files, as the tools of others read them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::World;
use crate::server::{dotdo, folder, outcome};

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

/// What `wrangler` 4.164.0 has left: an export of D1, and the state of a class of which one object was
/// made by its name (`wrangler dev`, ended by `kill -9`, so that its rows are in the write-ahead log).
const CLOUDFLARE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/objects/cloudflare");

#[test]
fn what_wrangler_has_left_is_imported() {
    let folder = folder();
    let here = folder.path();
    let (database, state) = (format!("{CLOUDFLARE}/d1.sql"), format!("{CLOUDFLARE}/app-Counter"));
    let run = |arguments: &[&str]| {
        let (code, stdout, stderr) = outcome(dotdo(here).args(arguments));
        assert_eq!(code, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout
    };
    let rows = |object: &str, sql: &str| {
        let said: serde_json::Value =
            serde_json::from_str(&run(&["sql", object, "--json", sql])).expect("JSON");
        said["rows"].clone()
    };
    run(&["snapshot", "import", &database, "Shop/d1"]);
    let customers = rows("Shop/d1", "SELECT CompanyName, \"order\", photo FROM customers");
    let expected = serde_json::json!([
        ["Alfreds; Futterkiste's", 1.5, { "base64": "AP8=" }],
        ["\u{dc}n\u{ef}code\nline", null, null],
    ]);
    assert_eq!(customers, expected);
    assert_eq!(rows("Shop/d1", "SELECT seq FROM sqlite_sequence"), serde_json::json!([[3]]));
    assert_eq!(rows("Shop/d1", "SELECT n FROM busy ORDER BY 1"), serde_json::json!([[1], [1]]));

    // The name and the class are those that the object has there.
    assert!(run(&["snapshot", "import", &state]).starts_with("1 imported"));
    assert!(run(&["snapshot", "import", &state]).starts_with("0 imported, 1 there already"));
    let visits = rows("Counter/ada", "SELECT \"from\", body, at FROM visit WHERE id <= 2");
    let expected = serde_json::json!([
        ["Ada's; place", { "base64": "AP8=" }, 1.5],
        ["\u{fc}\nline", null, null],
    ]);
    assert_eq!(visits, expected);
    let words = "SELECT count(*) FROM words('hello')";
    assert_eq!(rows("Counter/ada", words), serde_json::json!([[2]]));
    let file = "c47eb147bbc0b4a2957fc6e7868339ae72dc11747c1cc446dc2c5c1a9d13b904.sqlite";
    run(&["snapshot", "import", &format!("{state}/{file}"), "Visits/one"]);
    run(&["diff", "Counter/ada", "Visits/one"]);
    run(&["verify", "--all"]);
}

#[test]
fn tables_are_exported_for_other_programs_and_do_not_come_back() {
    let mut world = World::start();
    world.stop();
    let here = world.folder.path();
    let said = world.ok(&["snapshot", "export", "alice", "--format", "parquet"]);
    assert!(said.starts_with("DO/alice at 3 is in backup.parquet ("), "{said}");
    let names = |path: &Path| {
        let names = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("readable"));
        let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    for name in ["things.parquet", "events.parquet", "manifest.json"] {
        assert!(names(&here.join("backup.parquet")).contains(&name.into()), "{name}");
    }
    let failed = |code: i32, arguments: &[&str]| {
        let (found, stdout, stderr) = outcome(dotdo(here).args(arguments));
        assert_eq!((found, &*stdout), (Some(code), ""), "{arguments:?}: {stderr}");
        stderr
    };
    let export = ["snapshot", "export", "alice", "-o", "backup.parquet"];
    assert!(failed(1, &export).contains("use --force"));
    world.ok(&[&export[..], &["--force"]].concat());
    let stream = ["snapshot", "export", "alice", "-o", "-", "--format", "parquet"];
    assert!(failed(2, &stream).contains("needs a folder"));
    let import = failed(1, &["snapshot", "import", "backup.parquet"]);
    assert!(import.contains("export the object again"), "{import}");

    // Of a tenant, only what has changed is written again.
    let all = ["snapshot", "export", "--all", "-o", "all", "--format", "parquet", "--json"];
    assert_eq!(world.json(&all)["written"], 1);
    assert_eq!(world.json(&all)["unchanged"], 1);
    fs::write(here.join("all/d-o/alice.parquet/things.parquet"), "damaged").expect("it is ours");
    assert_eq!(world.json(&all)["written"], 1);
    let refused = failed(1, &["snapshot", "import", "all"]);
    assert!(refused.contains("for other programs"), "{refused}");
}

/// A database that another program has left, with its newest rows in a write-ahead log only.
const LEFT: &str = "
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA journal_mode = WAL')
db.executescript('''
CREATE TABLE odd (a INTEGER PRIMARY KEY AUTOINCREMENT, \"from\", c BLOB DEFAULT x'00');
CREATE TABLE bare (v); CREATE TABLE keyed (k TEXT, n, PRIMARY KEY (k, n)) WITHOUT ROWID;
CREATE INDEX i ON odd (\"from\"); CREATE VIEW w AS SELECT * FROM bare;
CREATE TRIGGER t AFTER DELETE ON odd BEGIN DELETE FROM bare WHERE v = old.a; END;
PRAGMA user_version = 7;
''')
db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
db.executemany('INSERT INTO odd (\"from\", c) VALUES (?, ?)', [('it''s; \\n', b'\\x00\\xff'), (float('inf'), None), (-2**63, 'x')])
db.execute('DELETE FROM odd WHERE a = 3')
db.executemany('INSERT INTO bare (rowid, v) VALUES (?, ?)', [(5, 1.5), (1000000, None)])
db.executemany('INSERT INTO keyed VALUES (?, ?)', [('a', 1), ('a', 2)])
db.commit()
os._exit(0)
";

/// A database that another program has left in the middle of a transaction.
const TORN: &str = "
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.executescript('CREATE TABLE t (a); PRAGMA cache_size = 1; BEGIN;')
for _ in range(50): db.execute('INSERT INTO t VALUES (randomblob(10000))')
os._exit(0)
";

#[test]
fn an_export_comes_back_the_same() {
    let mut world = World::start();
    world.stop();
    let here = world.folder.path();
    for name in ["alice.sqlite", "alice.sql", "alice.tar.gz"] {
        world.ok(&["snapshot", "export", "alice", "-o", name]);
        let other = format!("--storage=file://{}/{name}.bucket", here.display());
        world.ok(&["snapshot", "import", name, "alice", &other]);
        world.ok(&["verify", "--all", &other]);
        // Back beside the first, to compare them.
        world.ok(&["snapshot", "export", "alice", &other, "-o", "back.db", "--force"]);
        world.ok(&["snapshot", "import", "back.db", "back", "--force"]);
        world.ok(&["diff", "alice", "back"]);
    }
}

#[test]
fn what_other_programs_have_left_is_taken_with_its_write_ahead_log() {
    let mut world = World::start();
    world.stop();
    let here = world.folder.path();
    python(LEFT, &[&here.join("left.sqlite")]);
    assert!(here.join("left.sqlite-wal").metadata().expect("it is left").len() > 0);
    world.ok(&["snapshot", "import", "left.sqlite", "Left/one"]);
    let rows = world.json(&["sql", "Left/one", "--json", "SELECT count(*) FROM odd"]);
    assert_eq!(rows["rows"][0][0], 2);
    // As SQL text and back: rowids, counters, odd values and all.
    world.ok(&["snapshot", "export", "Left/one", "-o", "left.sql"]);
    world.ok(&["snapshot", "import", "left.sql", "Left/two"]);
    world.ok(&["diff", "Left/one", "Left/two"]);
    world.ok(&["sql", "Left/two", "--write", "INSERT INTO odd (\"from\") VALUES (1)"]);
    let next = world.json(&["sql", "Left/two", "--json", "SELECT max(a) FROM odd"]);
    assert_eq!(next["rows"][0][0], 4, "AUTOINCREMENT does not use a number again");
}

#[test]
fn a_folder_of_exports_is_imported() {
    let mut world = World::start();
    world.stop();
    world.ok(&["clone", "alice", "bob"]);
    let all = ["snapshot", "export", "--all", "-o", "all", "--json"];
    assert_eq!(world.json(&all)["written"], 2);
    assert_eq!(world.json(&all)["unchanged"], 2);
    world.ok(&["sql", "bob", "--write", "DELETE FROM things"]);
    let again = world.json(&all);
    assert_eq!((&again["written"], &again["unchanged"]), (&1.into(), &1.into()));
    let file = world.folder.path().join("all/d-o/alice.sqlite");
    fs::write(&file, "damaged").expect("the folder is ours");
    let (code, _, stderr) =
        outcome(dotdo(world.folder.path()).args(["snapshot", "import", "all", "--force"]));
    assert!(code == Some(1) && stderr.contains("export it again"), "{stderr}");
    assert_eq!(world.json(&all)["written"], 1, "what is damaged is taken out again");

    let elsewhere = folder();
    let other = format!("--storage=file://{}", elsewhere.path().display());
    assert!(world.ok(&["snapshot", "import", "all", &other]).starts_with("2 imported"));
    assert!(world.ok(&["snapshot", "import", "all", &other]).starts_with("0 imported, 2 there"));
    let lines = world.ok(&["snapshot", "import", "all", &other, "--json", "--force"]);
    let last = lines.lines().last().expect("a line");
    assert_eq!((lines.lines().count(), last), (3, r#"{"imported":2,"unchanged":0}"#), "{lines}");
    // Into another tenant of the same bucket, which has nothing to do with the first.
    let tenant = ["--tenant", "acme/shop"];
    let of_tenant = |arguments: &[&str]| world.ok(&[arguments, &tenant[..]].concat());
    assert!(of_tenant(&["snapshot", "import", "all"]).starts_with("2 imported"));
    of_tenant(&["verify", "--all"]);
    of_tenant(&["rm", "--all", "--yes"]);
    assert_eq!(world.json(&["ls", "--json"])["items"].as_array().map(Vec::len), Some(2));
    // What was changed there is kept, and it is said how far the command has come.
    world.ok(&["sql", "alice", "--write", "CREATE TABLE mine (a)", &other]);
    let (code, _, stderr) =
        outcome(dotdo(world.folder.path()).args(["snapshot", "import", "all", &other]));
    assert!(code == Some(1) && stderr.contains("DO/alice has another content"), "{stderr}");
    assert!(stderr.contains("0 imported, 1 there already; repeat the command"), "{stderr}");
    world.ok(&["verify", "--all", &other]);
}

#[test]
fn files_that_are_no_databases_are_refused_and_nothing_is_left_of_what_fails() {
    let mut world = World::start();
    world.stop();
    let here = world.folder.path();
    let failed = |arguments: &[&str]| {
        let (code, stdout, stderr) = outcome(dotdo(here).args(arguments));
        assert_eq!((code, &*stdout), (Some(1), ""), "{arguments:?}: {stderr}");
        stderr
    };
    fs::write(here.join("binary"), [0xff, 0xfe, 0]).expect("the folder is ours");
    fs::write(here.join("wrong.sql"), "CREATE TABLE a (b);\nINSERT INTO c VALUES (1);")
        .expect("it is");
    assert!(failed(&["snapshot", "import", "binary", "x"]).contains("expected a SQLite file"));
    assert!(failed(&["snapshot", "import", "wrong.sql", "x"]).contains("line 2"));
    assert!(failed(&["snapshot", "import", "missing", "x"]).contains("cannot read missing"));
    python(TORN, &[&here.join("torn.db")]);
    assert!(failed(&["snapshot", "import", "torn.db", "x"]).contains("-journal"));
    world.ok(&["snapshot", "export", "alice"]);
    assert!(failed(&["snapshot", "export", "alice"]).contains("use --force"));
    assert!(failed(&["snapshot", "import", "backup.tar.gz"]).contains("use --force"));
    world.ok(&["snapshot", "import", "backup.tar.gz", "--force"]);

    let mut archive = fs::read(here.join("backup.tar.gz")).expect("it was made");
    let middle = archive.len() / 2;
    archive[middle] ^= 0xff;
    fs::write(here.join("damaged.tar.gz"), archive).expect("the folder is ours");
    failed(&["snapshot", "import", "damaged.tar.gz", "x"]);
    failed(&["snapshot", "export", "nobody", "-o", "nobody.db"]);
    failed(&["snapshot", "export", "alice", "-o", "missing/alice.db"]);
    let names = fs::read_dir(here).expect("the folder is ours");
    let names = names.map(|entry| entry.expect("it can be read").file_name().into_string());
    let names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
    assert!(
        !names.iter().any(|name| name.starts_with(".dotdo-export") || name.starts_with("nobody")),
        "{names:?}"
    );
}

/// A database of some size.
const LARGE: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('CREATE TABLE t (a)')
db.executemany('INSERT INTO t VALUES (randomblob(2000))', [()] * 4000)
db.commit()
";

#[test]
fn an_import_that_is_interrupted_is_done_as_a_whole_or_not_at_all() {
    let here = folder();
    let here = here.path();
    python(LARGE, &[&here.join("large.db")]);
    let count = || {
        let (code, stdout, stderr) =
            outcome(dotdo(here).args(["sql", "Large/one", "--json", "SELECT count(*) FROM t"]));
        match code {
            Some(0) => Some(stdout.contains("\"rows\":[[4000]]")),
            _ if stderr.contains("there is no object") => None,
            _ => panic!("{stdout}{stderr}"),
        }
    };
    let import = ["snapshot", "import", "large.db", "Large/one"];
    let mut running = dotdo(here).args(import).spawn().expect("it starts");
    let begun = here.join(".dotdo/local/local/do/large/one/snapshots");
    while !begun.exists() && running.try_wait().expect("it runs").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = nix::unistd::Pid::from_raw(running.id().try_into().expect("a process id"));
    // It may have ended by itself.
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
    running.wait().expect("it ends");
    assert_ne!(count(), Some(false), "all of it or nothing");
    // It has released what it had, and the same command does the rest.
    let again = [&import[..], &["--force"]].concat();
    let (code, stdout, stderr) = outcome(dotdo(here).args(again));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(count(), Some(true));
    let (code, stdout, stderr) = outcome(dotdo(here).args(["verify", "--all"]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}
