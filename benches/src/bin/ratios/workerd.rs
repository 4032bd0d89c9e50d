//! What requests to a realistic worker cost in processor time, beside workerd with the same bundle.

use dotdo_benches::{Client, Figure};
use dotdo_tests::{Setup, Workerd};
use http::Request;

use crate::world::{address, sibling};

/// Requests of each kind in a round, one after the other.
const REQUESTS: u64 = 1_000;
const ROUNDS: usize = 3;
/// Rows that the last kind reads.
const ROWS: u32 = 2_000;

/// Kinds of requests to the project `hono`: a name, a path, and a body of those that have one.
const KINDS: [(&str, &str, Option<&str>); 5] = [
    ("text", "/", None),
    ("JSON and a query", "/echo/word?a=1&b=2&tag=x&tag=y", None),
    (
        "POST: zod, SQL upsert, KV put",
        "/shops/s/orders",
        Some(
            r#"{"id":"a-1","customer":{"name":"Ada","email":"ada@example.com"},"lines":[{"sku":"tea","count":2,"price":4.5},{"sku":"cup","count":1,"price":12}],"at":"2026-11-01T10:00:00Z"}"#,
        ),
    ),
    ("list of 50 rows", "/shops/s/orders?limit=50", None),
    ("sums over 2,000 rows", "/shops/s/sums", None),
];

/// Processor time of each kind, ours and workerd's; the best of the rounds of each, in turns.
pub(crate) async fn requests() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a folder");
    let workerd = Workerd::start("hono", &folder.path().join("project")).await;
    let bundle = folder.path().join("project/bundle.js");
    let storage = format!("file://{}", folder.path().join("objects").display());
    let server = Setup::of(sibling("measured_js"), &storage)
        .env("MEASURED_WORKER", bundle.display().to_string())
        .start()
        .await;
    let mut sides = [(server.pid(), address(&server)), (workerd.pid(), workerd.address())]
        .map(|(pid, address)| (pid, address, [f64::MAX; KINDS.len()]));
    for (_, address, _) in &sides {
        let mut client = Client::connect(address).await;
        let fill = Request::post(format!("/shops/s/fill/{ROWS}"));
        assert_eq!(client.send(fill, String::new()).await, ROWS.to_string());
    }
    for _ in 0..ROUNDS {
        for (pid, address, best) in &mut sides {
            let mut client = Client::connect(address).await;
            for (best, kind) in best.iter_mut().zip(KINDS) {
                ask(&mut client, kind, REQUESTS / 10).await;
                let before = processor_seconds(*pid);
                ask(&mut client, kind, REQUESTS).await;
                let each = (processor_seconds(*pid) - before) / REQUESTS as f64;
                *best = best.min(each);
            }
        }
    }
    let [(_, _, ours), (_, _, theirs)] = sides;
    let figures =
        KINDS.iter().zip(ours.iter().zip(theirs)).map(|((name, ..), (ours, theirs))| Figure {
            what: format!("processor time of a request, folder: {name}"),
            reference: format!("workerd: {:.0} µs", theirs * 1e6),
            ours: format!("{:.0} µs", ours * 1e6),
            ratio: Some(ours / theirs),
        });
    figures.collect()
}

async fn ask(client: &mut Client, (_, path, body): (&str, &str, Option<&str>), count: u64) {
    for _ in 0..count {
        match body {
            Some(body) => {
                let request = Request::post(path).header("content-type", "application/json");
                client.send(request, body.to_owned()).await;
            }
            None => _ = client.get(path).await,
        }
    }
}

/// What a process has used of the processors, in itself and the kernel.
fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux tells");
    // The name of the program, in parentheses, may have spaces.
    let (_, fields) = stat.rsplit_once(')').expect("there is a name");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    // The 14th and 15th field, in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}
