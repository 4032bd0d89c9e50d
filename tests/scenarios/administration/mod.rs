//! Administration of real servers, and of a folder without a server: the same routes, the same
//! answers.

mod access;
mod crash;
mod give;
mod look;
mod tables;

use std::path::Path;
use std::process::Command;

use dotdo::commands::administration;
use dotdo::service::{ObjectService, ServiceHandle};
use dotdo::{Body, ServeOptions};
use dotdo_tests::Server;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// Statements for the object of the class `Sql`.
async fn run(server: &Server, who: Option<&str>, id: &str, statements: &[&str]) {
    let body: Vec<Vec<&str>> = statements.iter().map(|sql| vec![*sql]).collect();
    let request = asked(server, who, Method::POST, &format!("/do/Sql/{id}")).json(&body);
    let answer = request.send().await.expect("the server answers");
    let status = answer.status();
    assert_eq!(status, StatusCode::OK, "{}", answer.text().await.expect("text"));
}

fn asked(server: &Server, who: Option<&str>, method: Method, path: &str) -> RequestBuilder {
    let request = Client::new().request(method, server.url(path));
    match who {
        Some(who) => request.bearer_auth(who),
        None => request,
    }
}

/// An answer: its status, and its body, which is JSON.
type Answer = (StatusCode, Value);

async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("the server answers");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

/// The routes without a server.
struct Mounted {
    service: TowerToHyperService<ObjectService>,
    handle: ServiceHandle,
}

impl Mounted {
    async fn on(world: &World) -> Self {
        let storage = Some(world.storage().to_owned());
        let options = ServeOptions { storage, ..ServeOptions::default() };
        let (service, handle) = administration(options).await.expect("the folder can be used");
        Self { service: TowerToHyperService::new(service), handle }
    }

    async fn bytes(&self, method: Method, path: &str, body: Body) -> (StatusCode, Vec<u8>) {
        let request = http::Request::builder().method(method).uri(path).body(body);
        let response = self.service.call(request.expect("a request")).await.expect("an answer");
        let status = response.status();
        (status, response.into_body().bytes().await.expect("a body").to_vec())
    }

    async fn answer(&self, method: Method, path: &str, body: Body) -> Answer {
        let (status, bytes) = self.bytes(method, path, body).await;
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }
}

/// The lines of a response.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn statement(sql: &str) -> Value {
    json!({ "sql": sql })
}

/// Statements for a database with all kinds of tables and values.
const SCHEMA: [&str; 6] = [
    "CREATE TABLE note(id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, size INT AS (length(text)))",
    "CREATE TABLE pair(a TEXT, b, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "CREATE VIRTUAL TABLE words USING fts5(body)",
    "INSERT INTO note(text) VALUES('one'), (NULL), (CAST(x'ff' AS TEXT))",
    "INSERT INTO pair VALUES('x', x'00ff'), ('y', 9223372036854775807), ('z', 9e999)",
    "INSERT INTO words VALUES('hello there')",
];

/// Whether Python's SQLite finds the file whole.
fn is_whole_for_python(file: &Path) -> bool {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let output = Command::new("python3").args(["-c", script]).arg(file).output();
    let output = output.expect("Python is there");
    String::from_utf8_lossy(&output.stdout).trim() == "ok"
}

/// A SQLite file as its content: its schema, and the rows of all tables, dotdo's own history of an
/// object left out. It is opened by another SQLite than the product's.
fn content(file: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("one.db");
    std::fs::write(&path, file).expect("a file");
    assert!(is_whole_for_python(&path), "Python's SQLite finds it whole");
    let database = rusqlite::Connection::open(&path).expect("SQLite opens it");
    let is_history = |name: &str| {
        ["_dotdo_outbox", "_dotdo_inbox", "_dotdo_requests"].iter().any(|own| name.contains(own))
    };
    let lines = |sql: &str| -> Vec<String> {
        let mut statement = database.prepare(sql).expect("a query");
        let count = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..count).map(|index| row.get_ref(index).map(|value| format!("{value:?}"))).collect()
        };
        let rows = statement.query_map([], row).expect("rows");
        rows.map(|row: rusqlite::Result<Vec<String>>| row.expect("a row").join("|")).collect()
    };
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name";
    let mut statement = database.prepare(names).expect("a query");
    let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let mut all = lines("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name");
    all.extend(lines("PRAGMA user_version"));
    for name in names {
        let name = name.expect("a name");
        // Rowids are part of a table that has some.
        let rowid = format!("SELECT rowid, * FROM \"{name}\" ORDER BY rowid");
        let has_rowid = database.prepare(&rowid).is_ok();
        let plain = format!("SELECT * FROM \"{name}\" ORDER BY 1, 2");
        all.extend(
            lines(if has_rowid { &rowid } else { &plain })
                .iter()
                .map(|row| format!("{name}: {row}")),
        );
    }
    all.retain(|line| !is_history(line));
    all
}

/// The SQLite file that a server gives.
async fn file_of(server: &Server, who: Option<&str>, path: &str) -> Vec<u8> {
    let request = asked(server, who, Method::GET, &format!("{path}/database"));
    let response = request.send().await.expect("the server answers");
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.bytes().await.expect("a file").to_vec()
}

/// A SQLite file that others have made.
fn foreign_file(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("foreign.db");
    let database = rusqlite::Connection::open(&path).expect("SQLite opens it");
    database.execute_batch(sql).expect("the statements run");
    drop(database);
    std::fs::read(&path).expect("a file")
}
