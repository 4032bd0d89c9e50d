//! The README's first screen, run as it is written: only the address, the process and where
//! DuckDB's extension comes from are this test's.

use std::path::Path;
use std::process::Command;

use dotdo_tests::{Server, Setup, Tool, scratch};
use serde_json::{Value, json};

const README: &str = include_str!("../../README.md");

/// The shell commands of one section.
fn commands(section: &str) -> Vec<&'static str> {
    let after =
        README.split(&format!("\n## {section}\n")).nth(1).expect("the README has this section");
    let section = after.split("\n## ").next().unwrap_or(after);
    section
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("\n```").next().unwrap_or(block))
        .collect()
}

/// `text` with `from`, which must be there once, replaced: whoever changes the README is told here.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} is in the README once:\n{text}");
    text.replace(from, to)
}

fn shell(command: &str, folder: &Path) -> String {
    let output = Command::new("sh")
        .args(["-e", "-c", command])
        .current_dir(folder)
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_screen_works_as_written() {
    let quick_start = commands("Quick start");
    assert_eq!(quick_start, ["cargo run --bin dotdo", "cargo test --workspace"]);
    let commands = commands("A first object");
    let [create, kill, read, sql, export, query] = commands[..] else {
        panic!("six steps, not {commands:?}")
    };
    let folder = scratch();
    // What the first command does when nothing is configured, except for the port.
    let setup = Setup::new(&folder.path().join(".dotdo").display().to_string());
    let at = |command: &str, server: &Server| {
        replaced(command, "http://127.0.0.1:8787", &server.url(""))
    };

    let server = setup.start().await;
    let created: Value =
        serde_json::from_str(&shell(&at(create, &server), folder.path())).expect("JSON");
    shell(&replaced(kill, "$(pgrep -x dotdo)", &server.pid().to_string()), folder.path());
    assert!(!server.wait().success());

    let server = setup.start().await;
    let found: Value =
        serde_json::from_str(&shell(&at(read, &server), folder.path())).expect("JSON");
    assert_eq!(found, created, "it survives");
    for (name, value) in [
        ("id", json!("hello")),
        ("type", json!("Note")),
        ("name", json!("My first thing")),
        ("data", json!({"stars": 5})),
    ] {
        assert_eq!(found[name], value, "{found}");
    }
    // `dotdo` is the program that serves; beside the server, and without it.
    let program = setup.command().get_program().to_owned();
    let shown = |command: &str| {
        let named = format!("{} ", program.display());
        shell(&replaced(command, "dotdo ", &named), folder.path())
    };
    assert!(shown(sql).contains("My first thing"));
    let query = replaced(&at(query, &server), "pip install duckdb==1.5.5\n", "");
    let query =
        replaced(&query, "python3 ", &format!("{} ", Tool::Readers.program("python").display()));
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/rig/tools");
    let offline = format!(
        "import sys; sys.path.append('{tools}'); import read; read.load_extensions(duckdb.default_connection())"
    );
    let query = replaced(&query, "duckdb.sql(\"INSTALL iceberg; LOAD iceberg\")", &offline);
    let table = shell(&query, folder.path());
    for cell in ["hello", "Note", "My first thing", "{\"stars\":5}"] {
        assert!(table.contains(cell), "{cell} is not in\n{table}");
    }

    server.kill9();
    assert!(shown(export).contains("alice.sqlite"));
    let file = rusqlite::Connection::open(folder.path().join("alice.sqlite")).expect("SQLite");
    let name = file.query_row("SELECT name FROM things WHERE id = 'hello'", [], |row| row.get(0));
    assert_eq!(name, Ok("My first thing".to_owned()));
}
