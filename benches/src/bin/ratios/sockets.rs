//! WebSockets: what an idle one weighs, and how many durable writes are echoed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dotdo_benches::{Client, Figure};
use dotdo_tests::{Server, Setup, Socket};
use futures_util::future::join_all;

use crate::memory::resident_bytes;
use crate::world::{STORE_DELAY, SlowStore, address, measured};

const IDLE: usize = 10_000;
const OBJECTS: usize = 100;
const TARGET_BYTES: f64 = 10_240.0;
/// Clients that send their next message when the one before is back, all to one object.
const TALKING: usize = 256;
const TIME: Duration = Duration::from_secs(10);

/// A server that takes as many connections from one address.
fn many(setup: Setup) -> Setup {
    setup
        .env("DOTDO_LIMITS_CONNECTIONS_MAX", "20000")
        .env("DOTDO_LIMITS_CONNECTIONS_PER_CLIENT_MAX", "20000")
}

/// Resident memory for each of many sockets, without that of the objects, which are in memory
/// before.
pub(crate) async fn idle() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let server = many(measured(&format!("file://{}", folder.path().display()))).start().await;
    let mut client = Client::connect(&address(&server)).await;
    for object in 0..OBJECTS {
        client.get(&format!("/do/Measured/{object}/create")).await;
    }
    let before = resident_bytes(server.pid());
    let mut sockets = Vec::with_capacity(IDLE);
    for number in 0..IDLE / OBJECTS {
        sockets.extend(join_all((0..OBJECTS).map(|object| open(&server, object))).await);
        assert_eq!(sockets.len(), (number + 1) * OBJECTS);
    }
    // The records of so many handshakes are being folded into snapshots.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let each = (resident_bytes(server.pid()) - before) / IDLE as f64;
    drop(sockets);
    Figure {
        what: format!("memory of an idle WebSocket, of {IDLE} to {OBJECTS} objects"),
        reference: format!("target: {TARGET_BYTES:.0} bytes"),
        ours: format!("{each:.0} bytes"),
        ratio: Some(each / TARGET_BYTES),
    }
}

async fn open(server: &Server, object: usize) -> Socket {
    let url = server.url(&format!("/do/Measured/{object}/socket"));
    Socket::open(&url).await.unwrap_or_else(|status| panic!("{url}: {status}"))
}

/// Messages a second that are written and sent back, by many clients of one object.
pub(crate) async fn echoes() -> Figure {
    let store = SlowStore::start("bench-sockets").await;
    let server = many(store.setup()).start().await;
    Client::connect(&address(&server)).await.get("/do/Measured/0/create").await;
    let sockets = join_all((0..TALKING).map(|_| open(&server, 0))).await;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let talking = sockets.into_iter().map(|mut socket| {
        let (stop, count) = (stop.clone(), count.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert!(socket.send("add").await, "the connection stays");
                socket.text().await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let talking: Vec<_> = talking.collect();
    tokio::time::sleep(TIME).await;
    stop.store(true, Ordering::Relaxed);
    for client in talking {
        client.await.expect("every message comes back");
    }
    let rate = count.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    Figure {
        what: format!(
            "messages echoed with a durable write each, {TALKING} WebSockets to one object, {} ms store",
            STORE_DELAY.as_millis()
        ),
        reference: "–".to_owned(),
        ours: format!("{rate:.0}/s"),
        ratio: None,
    }
}
