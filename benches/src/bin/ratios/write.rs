//! Durable writes: one at a time against one conditional PUT, and as many as 512 clients can have.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dotdo_benches::{Client, Figure, median};
use dotdo_tests::Sqld;

use crate::world::{STORE_DELAY, SlowStore, address, fresh_key};

const WRITES: usize = 100;
const CLIENTS: usize = 512;
const TIME: Duration = Duration::from_secs(10);
/// About what the record of such a write has.
const RECORD_BYTES: usize = 250;

/// One durable write, HTTP and SQL included, against one conditional PUT of as many bytes to the
/// same store; in turns.
pub(crate) async fn latency() -> Figure {
    let store = SlowStore::start("bench-write").await;
    let server = store.server().await;
    let bucket = store.bucket();
    let mut client = Client::connect(&address(&server)).await;
    client.get("/do/Measured/a/create").await;
    client.times("/do/Measured/a/add", 10).await;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for number in 0..WRITES {
        ours.extend(client.times("/do/Measured/a/add", 1).await);
        let bytes = Bytes::from(vec![7; RECORD_BYTES]);
        let started = Instant::now();
        bucket.create(&fresh_key(number), bytes).await.expect("the key is fresh");
        raw.push(started.elapsed());
    }
    let (ours, raw) = (median(&ours), median(&raw));
    Figure {
        what: format!("durable write, warm, {} ms store", STORE_DELAY.as_millis()),
        reference: format!("one conditional PUT: {raw:.2} ms"),
        ours: format!("{ours:.2} ms"),
        ratio: Some(ours / raw),
    }
}

/// One durable write with the log in a database on this machine, against the same write with the
/// log in the slow store; in turns. The snapshots of both are in the slow store.
pub(crate) async fn in_a_database() -> Figure {
    let (store, beside) =
        (SlowStore::start("bench-log").await, SlowStore::start("bench-database").await);
    let sqld = Sqld::start().await;
    let in_store = store.server().await;
    let in_database = beside.setup().env("TURSO_URL", sqld.url()).start().await;
    let mut clients = Vec::new();
    for server in [&in_database, &in_store] {
        let mut client = Client::connect(&address(server)).await;
        client.get("/do/Measured/a/create").await;
        client.times("/do/Measured/a/add", 10).await;
        clients.push((client, Vec::new()));
    }
    for _ in 0..WRITES {
        for (client, times) in &mut clients {
            times.extend(client.times("/do/Measured/a/add", 1).await);
        }
    }
    let [ours, reference] = [0, 1].map(|at: usize| median(&clients[at].1));
    Figure {
        what: "durable write, warm, the log in a libSQL database on this machine".to_owned(),
        reference: format!("the log in a {} ms store: {reference:.2} ms", STORE_DELAY.as_millis()),
        ours: format!("{ours:.2} ms"),
        ratio: Some(ours / reference),
    }
}

/// Durable writes a second on one object.
pub(crate) async fn throughput() -> Figure {
    let store = SlowStore::start("bench-throughput").await;
    let server = store.server().await;
    let address = address(&server);
    Client::connect(&address).await.get("/do/Measured/a/create").await;
    store.proxy.take_seen();
    let rate = Client::rate(&address, "/do/Measured/a/add", CLIENTS, TIME).await;
    let puts =
        store.proxy.take_seen().iter().filter(|(method, _)| method == http::Method::PUT).count();
    let a_write = puts as f64 / (rate * TIME.as_secs_f64());
    Figure {
        what: format!(
            "durable writes a second on one object, {CLIENTS} clients, {} ms store",
            STORE_DELAY.as_millis()
        ),
        reference: "target: 5000/s".to_owned(),
        ours: format!("{rate:.0}/s, {a_write:.3} PUTs a write"),
        ratio: Some(rate / 5000.0),
    }
}
