//! Cold objects: a small one against the two dependent requests it can't do without, a large one
//! against a SQLite image.

use std::time::{Duration, Instant};

use dotdo_benches::{Client, Figure, image_path, median};

use crate::world::{STORE_DELAY, SlowStore, address, measured};

const COLD: usize = 20;
const LOOKUPS: u64 = 5;
const ROWS: i64 = 1_000_000;

/// The first request to a small object that was snapshotted, against two GETs one after the other.
pub(crate) async fn cold() -> Figure {
    let store = SlowStore::start("bench-cold").await;
    let server = store.server().await;
    let mut client = Client::connect(&address(&server)).await;
    for number in 0..COLD {
        client.get(&format!("/do/Measured/{number}/create")).await;
    }
    server.terminate();
    let server = store.server().await;
    let bucket = store.bucket();
    let key = crate::world::fresh_key(usize::MAX);
    bucket.create(&key, vec![7; 1000].into()).await.expect("the key is fresh");
    let mut client = Client::connect(&address(&server)).await;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for number in 0..COLD {
        ours.extend(client.times(&format!("/do/Measured/{number}/value"), 1).await);
        let started = Instant::now();
        for _ in 0..2 {
            bucket.get(&key).await.expect("the store answers").expect("the key is there");
        }
        raw.push(started.elapsed());
    }
    let (ours, raw) = (median(&ours), median(&raw));
    Figure {
        what: format!("cold request, small object, {} ms store", STORE_DELAY.as_millis()),
        reference: format!("two GETs, one after the other: {raw:.2} ms"),
        ours: format!("{ours:.2} ms"),
        ratio: Some(ours / raw),
    }
}

/// The first request to an object of a million rows, from a folder, against decompressing and
/// opening a SQLite image; in turns, best of five.
pub(crate) async fn large() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = measured(&format!("file://{}", folder.path().display()));
    let server = setup.start().await;
    let mut client = Client::connect(&address(&server)).await;
    client.get("/do/Measured/big/create").await;
    client.get(&format!("/do/Measured/big/fill?{ROWS}")).await;
    server.terminate();
    let (mut ours, mut image) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let server = setup.start().await;
        let mut client = Client::connect(&address(&server)).await;
        let started = Instant::now();
        assert_eq!(client.get("/do/Measured/big/count").await, ROWS.to_string());
        ours = ours.min(started.elapsed());
        server.terminate();
        image = image.min(image_path(ROWS, 1));
    }
    Figure {
        what: format!("restore of {ROWS} rows, first request included"),
        reference: format!("a zstd SQLite image, opened and asked: {:.3} s", image.as_secs_f64()),
        ours: format!("{:.3} s", ours.as_secs_f64()),
        ratio: Some(ours.as_secs_f64() / image.as_secs_f64()),
    }
}

/// A row of a cold object of a million rows by its key, against the restore that another request
/// makes; in turns, medians.
pub(crate) async fn lookup() -> Figure {
    let store = SlowStore::start("bench-lookup").await;
    let server = store.server().await;
    let mut client = Client::connect(&address(&server)).await;
    client.get("/do/Measured/big/create").await;
    client.get(&format!("/do/Measured/big/fill?{ROWS}")).await;
    server.terminate();
    let (mut found, mut restored) = (Vec::new(), Vec::new());
    for turn in 1..=LOOKUPS {
        let server = store.server().await;
        let mut client = Client::connect(&address(&server)).await;
        let id = format!("{:016x}", (turn * 100_003 * 2_654_435_761) & 0xffff_ffff);
        let body = format!("{{\"table\": \"rows\", \"key\": [\"{id}\"]}}");
        let request = http::Request::post("/objects/Measured/big/rows");
        let started = Instant::now();
        let row = client.send(request.header("content-type", "application/json"), body).await;
        found.push(started.elapsed());
        assert!(row.contains(&id) && row.contains("\"truncated\":false"), "{row}");
        let started = Instant::now();
        assert_eq!(client.get("/do/Measured/big/count").await, ROWS.to_string());
        restored.push(started.elapsed());
        server.terminate();
    }
    let (found, restored) = (median(&found), median(&restored));
    Figure {
        what: format!(
            "lookup of a row by its key in a cold object of {ROWS} rows, {} ms store",
            STORE_DELAY.as_millis()
        ),
        reference: format!("a request that restores it: {restored:.0} ms"),
        ours: format!("{found:.0} ms"),
        ratio: Some(found / restored),
    }
}
