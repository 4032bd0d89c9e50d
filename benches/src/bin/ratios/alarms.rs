//! Alarms: how late they run, and what each costs.

use std::time::Duration;

use dotdo_benches::{Client, Figure, median, percentile};
use futures_util::future::join_all;

use crate::world::{STORE_DELAY, SlowStore, address};

const OBJECTS: u64 = 500;
/// When the first alarm runs, after all have been set, and the time over which they are spread.
const FIRST_MS: u64 = 5000;
const SPREAD_MS: u64 = 10_000;

/// What waits for alarms that are set in one server, each of an object of its own.
pub(crate) async fn lateness() -> Figure {
    let store = SlowStore::start("bench-alarms").await;
    let server = store.server().await;
    let address = address(&server);
    each(&address, |object| format!("/do/Measured/{object}/create")).await;
    store.proxy.take_seen();
    each(&address, |object| {
        let after_ms = FIRST_MS + SPREAD_MS * object / OBJECTS;
        format!("/do/Measured/{object}/wake?{after_ms}")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(FIRST_MS + SPREAD_MS)).await;
    let late = loop {
        let told = each(&address, |object| format!("/do/Measured/{object}/late")).await;
        let late: Vec<Duration> =
            told.iter().filter_map(|text| text.parse().ok().map(Duration::from_millis)).collect();
        if late.len() as u64 == OBJECTS {
            break late;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let puts =
        store.proxy.take_seen().iter().filter(|(method, _)| method == http::Method::PUT).count();
    Figure {
        what: format!(
            "lateness of {OBJECTS} alarms in {} s, p50 and p99; PUTs of setting and running one, {} ms store",
            SPREAD_MS / 1000,
            STORE_DELAY.as_millis()
        ),
        reference: "–".to_owned(),
        ours: format!(
            "{:.0} ms and {:.0} ms; {:.2} PUTs",
            median(&late),
            percentile(&late, 99),
            puts as f64 / OBJECTS as f64
        ),
        ratio: None,
    }
}

/// Asks each object, over 50 connections.
async fn each(address: &str, path: impl Fn(u64) -> String) -> Vec<String> {
    const CONNECTIONS: u64 = 50;
    let workers = (0..CONNECTIONS).map(|worker| {
        let paths: Vec<String> =
            (worker..OBJECTS).step_by(CONNECTIONS as usize).map(&path).collect();
        let address = address.to_owned();
        async move {
            let mut client = Client::connect(&address).await;
            let mut answers = Vec::with_capacity(paths.len());
            for path in paths {
                answers.push(client.get(&path).await);
            }
            answers
        }
    });
    join_all(workers).await.into_iter().flatten().collect()
}
