//! A server with little memory that is asked for very much, in every way at once: whoever asks for
//! little is answered, the process stays small, and is small again when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dotdo_tests::{Deadline, Server};
use reqwest::{Client, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::world::{PATIENCE_SECONDS, World, state};

const MIB: u64 = 1 << 20;
/// What the server may use.
const BUDGET_BYTES: u64 = 128 * MIB;
/// How many send a large body, and how large.
const BODIES: u64 = 100;
const BODY_BYTES: usize = 30 << 20;
/// How many send a body of very many small values.
const PARSED: u64 = 4;
/// How many ask for a former state of an object with this many bytes.
const PASTS: u64 = 8;
const PAST_BYTES: u64 = 5 * MIB;
/// How many sort values that are computed, each on an object of its own, and how many bytes of them.
const SORTS: u64 = 32;
const SORTED_BYTES: u64 = 12 * MIB;
/// How many ask for a large response and do not read it.
const UNREAD: usize = 10;
/// How many objects are asked for that do not exist.
const STRANGERS: u64 = 2000;
/// Who asks for little, and how much at least while all of that goes on.
const HONEST: u64 = 4;
const HONEST_LEAST: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_requests_succeed_although_others_exhaust_the_memory_budget() {
    let world = World::folder();
    let server =
        world.setup().env("DOTDO_LIMITS_MEMORY_BYTES_MAX", BUDGET_BYTES.to_string()).start().await;
    let http = Client::new();
    // The program itself, which has no part in the budget.
    let base = resident(&server, "VmRSS");
    make_past(&server, &http).await;
    let honest = Honest::begin(&server);
    let unread = leave_unread(&server).await;
    let mut hostile = JoinSet::new();
    send_bodies(&server, &http, &mut hostile);
    ask_former_states(&server, &http, &mut hostile);
    sort(&server, &http, &mut hostile);
    hostile.spawn(ask_strangers(http.clone(), server.url("/do/DO/")));
    while let Some(ended) = hostile.join_next().await {
        ended.expect("whoever asks for much does not fail here");
    }
    let appended = honest.end(&server, &http).await;
    assert!(appended >= HONEST * HONEST_LEAST, "they got on meanwhile: {appended}");
    let peak = resident(&server, "VmHWM");
    drop(unread);
    let limit = base + BUDGET_BYTES * 5 / 2;
    assert!(
        peak <= limit,
        "the process used {} MiB at its peak, {} are allowed",
        peak / MIB,
        limit / MIB
    );
    let is_small =
        || std::future::ready((resident(&server, "VmRSS") <= BUDGET_BYTES).then_some(()));
    let small = Deadline::in_seconds(PATIENCE_SECONDS).until(is_small).await;
    assert!(
        small.is_some(),
        "the process uses {} MiB when it is over",
        resident(&server, "VmRSS") / MIB
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_a_server_for_what_does_not_exist_leaves_nothing_in_its_memory() {
    let world = World::folder();
    let server = world.setup().start().await;
    let http = Client::new();
    ask_strangers(http.clone(), server.url("/do/DO/")).await;
    let figures = [r#"dotdo_memory_bytes{use="objects"}"#, "dotdo_objects_in_memory"];
    let is_empty = || async {
        let text = http.get(server.url("/metrics")).send().await.ok()?.text().await.ok()?;
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
        };
        figures.iter().all(|name| value(name) == Some(0.0)).then_some(())
    };
    Deadline::in_seconds(PATIENCE_SECONDS)
        .until(is_empty)
        .await
        .expect("no object and no slot stays");
}

/// Those who ask for little.
struct Honest {
    is_over: Arc<AtomicBool>,
    clients: JoinSet<(u64, u64)>,
}

impl Honest {
    fn begin(server: &Server) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..HONEST {
            let object = server.url(&format!("/do/honest-{client}"));
            clients.spawn(append_until(Arc::clone(&is_over), object, client));
        }
        Self { is_over, clients }
    }

    /// Ends them, and finds everything there that was acknowledged. How many entries that are.
    async fn end(mut self, server: &Server, http: &Client) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        let mut appended = 0;
        while let Some(ended) = self.clients.join_next().await {
            let (client, entries) = ended.expect("whoever asks for little is answered");
            let left = state(server, http, &format!("honest-{client}")).await;
            assert_eq!(left.entries.len() as u64, entries, "what was acknowledged is there");
            appended += entries;
        }
        appended
    }
}

/// Makes the object that is asked for as it was.
async fn make_past(server: &Server, http: &Client) {
    let past =
        format!(r#"[["CREATE TABLE t (x)"],["INSERT INTO t VALUES (randomblob({PAST_BYTES}))"]]"#);
    let made =
        http.post(server.url("/do/Sql/past")).body(past).send().await.expect("the server answers");
    assert_eq!(made.status(), StatusCode::OK, "{}", made.text().await.unwrap_or_default());
}

/// Sends large bodies, and ones that take much more memory than they have bytes.
fn send_bodies(server: &Server, http: &Client, hostile: &mut JoinSet<()>) {
    let large =
        Bytes::from(format!(r#"{{"type":"t","data":{{"text":"{}"}}}}"#, "x".repeat(BODY_BYTES)));
    for number in 0..BODIES {
        let request = http
            .post(server.url(&format!("/do/DO/large-{number}/things")))
            .header("Idempotency-Key", "\"once\"");
        hostile.spawn(sent(request.body(large.clone())));
    }
    let parsed = Bytes::from(format!(
        r#"{{"type":"t","data":[{}]}}"#,
        vec![r#"{"a":1}"#; BODY_BYTES / 8].join(",")
    ));
    for number in 0..PARSED {
        hostile.spawn(sent(
            http.post(server.url(&format!("/do/DO/parsed-{number}/things"))).body(parsed.clone()),
        ));
    }
}

/// Asks for former states.
fn ask_former_states(server: &Server, http: &Client, hostile: &mut JoinSet<()>) {
    for _ in 0..PASTS {
        let count = r#"[["SELECT count(*) FROM t"]]"#;
        hostile
            .spawn(sent(http.post(server.url("/do/Sql/past")).header("X-DO-At", "1").body(count)));
    }
}

/// Sorts what is computed, which SQLite has to hold besides the database; and changes rows, which
/// it has to hold until the end of the transaction.
fn sort(server: &Server, http: &Client, hostile: &mut JoinSet<()>) {
    let rows = SORTED_BYTES / 2000;
    let numbers =
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})");
    let statements = serde_json::json!([
        ["CREATE TABLE IF NOT EXISTS t (x)"],
        [format!("{numbers} INSERT INTO t SELECT randomblob(200) FROM n")],
        ["UPDATE t SET x = x || 'x'"],
        [format!(
            "{numbers} SELECT count(*) FROM (SELECT DISTINCT hex(randomblob(1000)) FROM n ORDER BY 1)"
        )]
    ]);
    for number in 0..SORTS {
        let request = http.post(server.url(&format!("/do/Sql/sorted-{number}")));
        hostile.spawn(sent(request.body(statements.to_string())));
    }
}

/// Appends to a ledger until `is_over`, at least [`HONEST_LEAST`] entries; each must be
/// acknowledged. How many there are.
async fn append_until(is_over: Arc<AtomicBool>, object: String, client: u64) -> (u64, u64) {
    let http = Client::new();
    let mut entries = 0;
    while entries < HONEST_LEAST || !is_over.load(Ordering::Relaxed) {
        let asked = http.post(format!("{object}/append?client={client}&n={entries}"));
        let answer = asked.send().await.expect("the server answers whoever asks for little");
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        entries += 1;
        let appended = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
        assert_eq!(appended["position"], entries, "entry {entries} of {client}: {status} {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (client, entries)
}

/// Sends a request. It may be answered in any way, and a server that does not want the body may
/// close the connection.
async fn sent(request: reqwest::RequestBuilder) {
    if let Ok(answer) = request.send().await {
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let is_orderly =
            status.is_success() || status.is_client_error() || status == 503 || status == 507;
        assert!(is_orderly, "answered with {status}: {text}");
    }
}

/// Asks for large responses and reads nothing of them, as long as the result lives.
async fn leave_unread(server: &Server) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for number in 0..UNREAD {
        let address = server.url("").trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).await.expect("the server takes connections");
        let body = r#"[["SELECT hex(zeroblob(3500000))"]]"#;
        let head = format!(
            "POST /do/Sql/unread-{number}/ HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("the server reads");
        streams.push(stream);
    }
    streams
}

/// Asks for what does not exist.
async fn ask_strangers(http: Client, base: String) {
    for number in 0..STRANGERS {
        let answer = http
            .get(format!("{base}stranger-{number}/things"))
            .send()
            .await
            .expect("the server answers");
        assert!(
            answer.status() == StatusCode::OK || answer.status() == StatusCode::SERVICE_UNAVAILABLE,
            "{}",
            answer.status()
        );
    }
}

/// A line of the system's account of the server's memory, in bytes.
fn resident(server: &Server, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()))
        .expect("the system tells of a process that runs");
    let kib = status.lines().find_map(|text| {
        text.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    kib.expect("the system tells how much memory a process has") * 1024
}
