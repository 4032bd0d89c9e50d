//! The commands about objects, on a real bucket and a real server. What they print is compared with
//! transcripts in this folder; times, sizes and names of instances are masked.

mod files;
mod prompt;
mod transcript;

use nix::sys::signal::Signal;
use serde_json::Value;

use self::transcript::Session;
use crate::server::{Server, dotdo, folder, outcome};

/// A bucket with the object `alice` of the built-in class, and the server that has it.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) server: Server,
}

impl World {
    pub(super) fn start() -> Self {
        let folder = folder();
        // With a long lease, nothing is written but what a test writes.
        let mut command = dotdo(folder.path());
        let server = Server::start(command.arg("--port=0").env("DOTDO_LEASE_DURATION_MS", "60000"));
        let world = Self { folder, server };
        for id in ["hello", "bye"] {
            let thing = format!(r#"{{"id": "{id}", "type": "Note", "name": "a {id}"}}"#);
            let made = world.server.ask("POST", "/do/alice/things", &thing);
            assert!(made.starts_with("HTTP/1.1 201 Created\r\n"), "{made}");
        }
        world
    }

    /// Ends the server in order, so that its objects are free.
    pub(super) fn stop(&mut self) {
        self.server.signal(Signal::SIGTERM);
        assert_eq!(self.server.code(), Some(0));
    }

    /// What a command prints that must succeed.
    pub(super) fn ok(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = outcome(dotdo(self.folder.path()).args(arguments));
        assert_eq!(code, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    /// The JSON that a command prints.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(arguments);
        serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{arguments:?}: {cause}: {text}"))
    }
}

#[test]
fn objects_are_looked_at_through_a_server_and_on_the_bucket() {
    let world = World::start();
    let url = format!("http://{}", world.server.address);
    let mut session = Session::new(world.folder.path());
    for arguments in [
        &["ls"][..],
        &["ls", "--classes"],
        &["ls", "D0"],
        &["inspect", "alice"],
        &["sql", "alice", "SELECT id, type, name FROM things ORDER BY id"],
        &["sql", "alice", "--csv", "SELECT id, name, NULL FROM things ORDER BY id"],
        &["get", "alice", "things", "hello", "main"],
        &["get", "alice", "things", "nobody", "main"],
        &["get", "alice", "things", "hello"],
        &["get", "alice", "thing", "hello"],
        &["sql", "alice", "DELETE FROM things"],
        &["sql", "alice", "SELECT * FROM thing"],
        &["sql", "alise", "SELECT 1"],
        &["inspect", "alice", "--at", "yesterday"],
        &["tail"],
        &["verify", "alice"],
        &["verify", "--all"],
        &["snapshot", "list", "nobody"],
    ] {
        session.run(arguments);
    }
    session.is("look.txt");

    // The same through the server, with the same shapes.
    for arguments in
        [&["ls", "--json", "--no-size"][..], &["sql", "alice", "--json", "SELECT id FROM things"]]
    {
        let of_server = world.json(&[arguments, &["--server", &url]].concat());
        assert_eq!(world.json(arguments), of_server, "{arguments:?}");
    }
    let here = world.json(&["inspect", "alice", "--json"]);
    let there = world.json(&["inspect", "alice", "--json", "--server", &url]);
    assert_eq!(here["database"], there["database"]);
}

#[test]
fn a_whole_class_is_worked_on_and_what_was_interrupted_goes_on() {
    let mut world = World::start();
    world.stop();
    let mut session = Session::new(world.folder.path());
    for arguments in [
        &["clone", "alice", "Note/a"][..],
        &["clone", "alice", "Note/b"],
        &["snapshot", "create", "--class", "Note"],
        &["snapshot", "create", "--class", "Nothing"],
        &["snapshot", "list", "Note/a"],
        &["verify", "--all", "--after", "DO/alice"],
        &["verify", "nobody"],
        &["snapshot", "export", "alice", "-o", "alice.sqlite"],
        &["snapshot", "export", "alice", "-o", "alice.sqlite"],
        &["snapshot", "export", "nobody", "-o", "nobody.sqlite"],
        &["snapshot", "export", "--class", "Note", "-o", "notes"],
        &["snapshot", "export", "--class", "Note", "-o", "notes"],
        &["snapshot", "import", "alice.sqlite", "Note/c"],
        &["snapshot", "import", "alice.sqlite", "Note/c"],
        &["snapshot", "import", "notes"],
        &["sql", "Note/a", "--write", "DELETE FROM things"],
        &["snapshot", "restore", "Note/a", "--at", "1"],
        &["sql", "Note/b", "--write", "DELETE FROM things"],
        &["snapshot", "restore", "--class", "Note", "--at", "1"],
        &["snapshot", "restore", "--class", "Note", "--at", "1", "--yes", "--after", "Note/a"],
        &["snapshot", "restore", "--class", "Note", "--at", "99", "--yes"],
        &["diff", "alice", "Note/b"],
        &["rm", "--class", "Note"],
        &["rm", "--class", "Note", "--yes"],
        &["rm", "--class", "Note", "--yes"],
        &["ls"],
        &["ls", "--storage", "s3:nowhere"],
    ] {
        session.run(arguments);
    }
    session.is("several.txt");
    // The same for programs: a line for each object, with its name.
    world.ok(&["clone", "alice", "Note/d"]);
    for (arguments, field) in [
        (&["snapshot", "create", "--class", "Note", "--json"][..], "name"),
        (&["snapshot", "restore", "--class", "Note", "--at", "1", "--yes", "--json"], "rows"),
        (&["rm", "--class", "Note", "--yes", "--json"], "restorableUntil"),
    ] {
        let line = world.json(arguments);
        assert_eq!((&line["class"], &line["id"]), (&"Note".into(), &"d".into()), "{line}");
        assert!(!line[field].is_null(), "{field}: {line}");
    }
}

#[test]
fn after_a_failure_it_is_said_how_a_command_goes_on() {
    let mut world = World::start();
    world.stop();
    world.ok(&["clone", "alice", "bob"]);
    let log = world.folder.path().join(".dotdo/local/local/do/d-o/bob/log");
    let record = std::fs::read_dir(&log).expect("a folder").next().expect("a record");
    let record = record.expect("it can be read").path();
    std::fs::write(&record, "damaged").expect("the folder is ours");
    let (code, stdout, stderr) =
        outcome(dotdo(world.folder.path()).args(["snapshot", "create", "--all"]));
    assert!(code == Some(1) && stdout.starts_with("DO/alice at "), "{stdout}{stderr}");
    assert!(stderr.contains("1 of 2 objects done; with --after 'DO/alice'"), "{stderr}");
}

#[test]
fn requests_are_shown_as_a_server_answers_them() {
    let world = World::start();
    let url = format!("http://{}", world.server.address);
    let line = tailed(&world, &["tail", "alice", "--json", "--server", &url]);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["id"], &line["status"]), (&"alice".into(), &200.into()), "{line}");
    let line = tailed(&world, &["tail", "alice", "--server", &url]);
    let words: Vec<&str> = line.split_whitespace().collect();
    for word in ["GET", "/do/alice/things/hello", "200"] {
        assert!(words.contains(&word), "{word} is not in {line:?}");
    }
    let unknown =
        outcome(dotdo(world.folder.path()).args(["tail", "--server", "http://127.0.0.1:9"]));
    assert!(unknown.0 == Some(1) && unknown.1.is_empty(), "{unknown:?}");
}

/// The first line of a command that shows requests.
fn tailed(world: &World, arguments: &[&str]) -> String {
    use std::io::{BufRead as _, BufReader};

    let mut tail = dotdo(world.folder.path());
    let mut tail = tail.args(arguments).spawn().expect("it starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    // Whether the first request comes before the tail begins can't be known, so there are several.
    let is_seen = std::sync::atomic::AtomicBool::new(false);
    let line = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_seen.load(std::sync::atomic::Ordering::Relaxed) {
                world.server.get("/do/alice/things/hello");
            }
        });
        let line = lines.next().expect("a line").expect("UTF-8");
        is_seen.store(true, std::sync::atomic::Ordering::Relaxed);
        line
    });
    let pid = nix::unistd::Pid::from_raw(tail.id().try_into().expect("a process id"));
    nix::sys::signal::kill(pid, Signal::SIGINT).expect("it runs");
    assert_eq!(tail.wait().expect("it ends").code(), Some(0), "Ctrl-C is the way to end it");
    line
}

#[test]
fn two_times_of_an_object_are_compared() {
    let mut world = World::start();
    world.stop();
    let before =
        (world.json(&["inspect", "alice", "--json"])["log"]["head"].as_u64().expect("a number")
            - 1)
        .to_string();
    world.ok(&["diff", "alice", "--at", &before, "--to", &before]);
    let mut session = Session::new(world.folder.path());
    session.run(&["diff", "alice", "--at", "1"]);
    session.run(&["diff", "alice", "--at", "1", "--json"]);
    session.run(&["diff", "alice", "nobody"]);
    session.run(&["diff", "alice"]);
    session.is("diff.txt");
    let snapshots = world.json(&["snapshot", "list", "alice", "--json"]);
    assert_eq!(snapshots["items"][0]["sequence"], 3, "the server has written one at its end");
    assert!(world.ok(&["snapshot", "list", "alice"]).contains("seq-"));
    let rows = outcome(dotdo(world.folder.path()).args(["diff", "alice", "--at", "1", "--rows"]));
    assert!(rows.0 == Some(1) && rows.1.contains("name = 'a bye'"), "{rows:?}");
}

#[test]
fn damage_in_the_bucket_is_found_by_its_key() {
    let mut world = World::start();
    world.stop();
    let tables = world.folder.path().join(".dotdo/local/local/do/d-o/alice/snapshots/iceberg");
    // A table without rows has no data files.
    let all = std::fs::read_dir(&tables).expect("a folder").map(|entry| entry.expect("readable"));
    let data = all.map(|entry| entry.path().join("data")).find(|data| data.is_dir());
    let file = std::fs::read_dir(data.expect("a table has rows"))
        .expect("a folder")
        .next()
        .expect("a file");
    let file = file.expect("it can be read").path();
    let mut bytes = std::fs::read(&file).expect("it is there");
    bytes[10] ^= 0xff;
    std::fs::write(&file, bytes).expect("the folder is ours");
    let (code, stdout, stderr) = outcome(dotdo(world.folder.path()).args(["verify", "alice"]));
    let name = file.file_name().expect("it has a name").to_string_lossy();
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains(&*name) && stdout.contains("1 fault in 1 object"), "{stdout}{stderr}");
}

#[test]
fn states_are_taken_and_given() {
    let mut world = World::start();
    world.stop();
    let mut session = Session::new(world.folder.path());
    for arguments in [
        &["snapshot", "create", "alice"][..],
        &["snapshot", "create", "nobody"],
        &["clone", "alice", "bob"],
        &["clone", "alice", "bob"],
        &["clone", "alice", "alice"],
        &["diff", "alice", "bob"],
        &["sql", "bob", "--write", "UPDATE things SET name = 'changed' WHERE id = 'bye'"],
        &["diff", "alice", "bob"],
        &["diff", "alice", "bob", "--rows"],
        &["sql", "bob", "--write", "DELETE FROM things; DELETE FROM thing"],
        &["diff", "alice", "nobody"],
        &["snapshot", "restore", "nobody", "--at", "1"],
        &["mv", "bob", "alice"],
        &["mv", "bob", "carol/with/slashes"],
        &["mv", "bob", "dave"],
        &["ls"],
        &["rm", "alice"],
        &["rm", "nobody", "--yes"],
        &["rm", "alice", "--yes"],
        &["inspect", "alice"],
    ] {
        session.run(arguments);
    }
    session.is("give.txt");
}

#[test]
fn an_object_comes_back_as_it_was_before_a_change_and_after_its_removal() {
    let mut world = World::start();
    world.stop();
    let sequence = |world: &World| {
        world.json(&["inspect", "alice", "--json"])["log"]["head"].as_u64().expect("a number")
    };
    let before = sequence(&world).to_string();
    world.ok(&["sql", "alice", "--write", "DELETE FROM things"]);
    world.ok(&["clone", "alice", "was", "--at", &before]);
    world.ok(&["snapshot", "restore", "alice", "--at", &before]);
    world.ok(&["diff", "alice", "--at", &before]);
    world.ok(&["diff", "alice", "was"]);
    let removed = world.json(&["rm", "alice", "--yes", "--json"]);
    assert_eq!(removed["state"], "deleted");
    world.ok(&["snapshot", "restore", "alice", "--at", &before]);
    world.ok(&["diff", "alice", "was"]);
    world.ok(&["verify", "--all"]);
}

#[test]
fn a_class_is_moved_and_goes_on_where_it_was_interrupted() {
    let mut world = World::start();
    world.stop();
    let first = world.json(&["clone", "alice", "Old/b", "--json"])["sequence"].clone();
    assert!(first.is_u64(), "{first}");
    world.ok(&["clone", "alice", "Old/a"]);
    // As if the command had ended between the copy and the removal.
    world.ok(&["clone", "Old/a", "New/a"]);
    let refused = outcome(dotdo(world.folder.path()).args(["mv", "--class", "Old", "New"]));
    assert!(refused.0 == Some(2) && refused.2.contains("--yes"), "{refused:?}");
    world.ok(&["mv", "--class", "Old", "New", "--yes"]);
    world.ok(&["diff", "alice", "New/a"]);
    world.ok(&["diff", "alice", "New/b"]);
    let left = outcome(dotdo(world.folder.path()).args(["mv", "--class", "Old", "New", "--yes"]));
    assert!(left.0 == Some(1) && left.2.contains("has no objects"), "{left:?}");
    // What another has under the name is not replaced.
    world.ok(&["clone", "alice", "Old/a"]);
    world.ok(&["sql", "New/a", "--write", "DELETE FROM things"]);
    let kept = outcome(dotdo(world.folder.path()).args(["mv", "Old/a", "New/a"]));
    assert!(kept.0 == Some(1) && kept.2.contains("use --force"), "{kept:?}");
    world.ok(&["mv", "Old/a", "New/a", "--force"]);
    world.ok(&["diff", "alice", "New/a"]);
}

#[test]
fn statements_that_write_go_through_the_owner() {
    let mut world = World::start();
    let url = format!("http://{}", world.server.address);
    let written = ["sql", "alice", "--write", "UPDATE things SET name = 'new'", "--server", &url];
    world.ok(&written);
    let rows = world.json(&["sql", "alice", "--json", "SELECT DISTINCT name FROM things"]);
    assert_eq!(rows["rows"][0][0], "new");
    // Everything that writes, through the server.
    let there = |arguments: &[&str]| world.ok(&[arguments, &["--server", &url]].concat());
    there(&["snapshot", "create", "alice"]);
    there(&["snapshot", "export", "alice", "-o", "alice.db"]);
    there(&["snapshot", "import", "alice.db", "bob"]);
    there(&["clone", "bob", "carol"]);
    there(&["mv", "carol", "dave"]);
    there(&["diff", "alice", "dave"]);
    there(&["snapshot", "restore", "alice", "--at", "2"]);
    there(&["rm", "dave", "--yes"]);
    there(&["mv", "bob", "alice", "--force"]);
    world.ok(&written);
    // On the bucket, a writer stays away from what the server has.
    let refused = outcome(dotdo(world.folder.path()).args(&written[..4]));
    assert!(refused.0 == Some(1) && refused.2.contains("--server URL"), "{refused:?}");
    world.stop();
    world.ok(&written[..4]);
}

#[test]
fn a_class_is_rolled_up_by_hand() {
    let folder = folder();
    let run = |arguments: &[&str]| {
        let mut command = dotdo(folder.path());
        let (code, stdout, stderr) =
            outcome(command.args(arguments).env("DOTDO_ANALYTICS", "Shop.orders"));
        assert_eq!(code, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout
    };
    for shop in ["Shop/north", "Shop/south"] {
        run(&[
            "sql",
            shop,
            "--write",
            "CREATE TABLE orders (item TEXT); INSERT INTO orders VALUES ('tea')",
        ]);
    }
    let said = "2 objects of Shop: 0 changed, 2 copied, 0 removed\n";
    assert_eq!(run(&["rollup", "Shop"]), said);
    run(&["sql", "Shop/north", "--write", "UPDATE orders SET item = 'milk'"]);
    let said: Value = serde_json::from_str(&run(&["rollup", "Shop", "--json"])).expect("JSON");
    let counts = ["objects", "changed", "copied", "removed", "failed"].map(|name| &said[name]);
    assert_eq!(counts.map(|count| count.as_u64().expect("a number")), [2, 1, 0, 0, 0]);
    let select = "SELECT _dotdo_object, item FROM orders ORDER BY 1";
    let rows = run(&["sql", "_dotdo_rollup/Shop", "--csv", select]);
    assert_eq!(rows.lines().skip(1).collect::<Vec<_>>(), ["north,milk", "south,tea"]);
    assert_eq!(run(&["ls", "--classes"]).matches("Shop").count(), 1, "it is no class to look at");
    let (code, _, stderr) = outcome(dotdo(folder.path()).args(["rollup", "Shop"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("expected a class with tables for analytics"), "{stderr}");
}
