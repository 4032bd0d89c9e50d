//! Many tenants on one server: what they weigh together, and what one of them does to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dotdo_benches::{Client, Figure, percentile};
use dotdo_tests::Setup;
use futures_util::future::join_all;
use jsonwebtoken::{EncodingKey, Header};

use crate::memory::resident_bytes;
use crate::world::{STORE_DELAY, SlowStore, address, measured};

/// Number of tenants, unless `DOTDO_BENCH_TENANTS` says another: a debug build takes minutes for so
/// many.
const TENANTS: usize = 1_000;
const OBJECTS: usize = 10;
const BUDGET_BYTES: u64 = 256 << 20;
/// A container for that budget, by the documentation of `limits.memory_bytes_max`: the budget is two
/// fifths of it.
const CONTAINER_BYTES: u64 = BUDGET_BYTES / 2 * 5;
/// Connections of the tenant that sends as much as it can, each to an object of its own.
const FLOODING: usize = 32;
const WRITES: usize = 600;
/// Long enough for the product; these servers listen on the loopback and end with this program.
const SECRET: &str = "a secret of this measurement only";

fn tenants() -> usize {
    let given = std::env::var("DOTDO_BENCH_TENANTS").ok();
    given.map_or(TENANTS, |text| text.parse().expect("DOTDO_BENCH_TENANTS is a number"))
}

/// Whoever has this token is of the tenant `org`.
fn token(org: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970").as_secs();
    let claims = serde_json::json!({ "sub": "bench", "org_id": org, "exp": now + 3600 });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("claims are JSON")
}

fn with_tenants(setup: Setup) -> Setup {
    setup.env("DOTDO_AUTH_DEVELOPMENT_SECRET", SECRET)
}

async fn ask(client: &mut Client, token: &str, path: &str) {
    let request = http::Request::get(path).header("authorization", format!("Bearer {token}"));
    client.send(request, String::new()).await;
}

/// Resident memory after a write to each of many objects of many tenants, against the container
/// that the budget is meant for.
pub(crate) async fn many() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = measured(&format!("file://{}", folder.path().display()));
    let setup = with_tenants(setup).env("DOTDO_LIMITS_MEMORY_BYTES_MAX", BUDGET_BYTES.to_string());
    let server = setup.start().await;
    let address = address(&server);
    let (started, tenants) = (Instant::now(), tenants());
    let workers = (0..8).map(|worker| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(&address).await;
            for tenant in (worker..tenants).step_by(8) {
                let token = token(&format!("tenant-{tenant}"));
                for object in 0..OBJECTS {
                    ask(&mut client, &token, &format!("/do/Measured/{object}/create")).await;
                }
            }
        })
    });
    for worker in join_all(workers).await {
        worker.expect("every request is answered");
    }
    let bytes = resident_bytes(server.pid());
    Figure {
        what: format!("{tenants} tenants with {OBJECTS} objects each, all answered"),
        reference: format!(
            "budget: {} MiB, in a container of {} MiB",
            BUDGET_BYTES >> 20,
            CONTAINER_BYTES >> 20
        ),
        ours: format!(
            "{:.0} MiB resident, {:.0} s",
            bytes / f64::from(1 << 20),
            started.elapsed().as_secs_f64()
        ),
        ratio: Some(bytes / CONTAINER_BYTES as f64),
    }
}

/// The 99th percentile of one tenant's durable writes while another sends as many as it can,
/// against the same without it.
pub(crate) async fn beside() -> Figure {
    let store = SlowStore::start("bench-tenants").await;
    let server = with_tenants(store.setup()).start().await;
    let address = address(&server);
    let quiet = token("quiet");
    let mut client = Client::connect(&address).await;
    ask(&mut client, &quiet, "/do/Measured/a/create").await;
    writes(&mut client, &quiet, 20).await;
    let alone = percentile(&writes(&mut client, &quiet, WRITES).await, 99);
    let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flood: Vec<_> = (0..FLOODING)
        .map(|number| {
            let (address, is_over, count) = (address.clone(), is_over.clone(), count.clone());
            tokio::spawn(async move {
                let (mut client, token) = (Client::connect(&address).await, token("flood"));
                ask(&mut client, &token, &format!("/do/Measured/{number}/create")).await;
                while !is_over.load(Ordering::Relaxed) {
                    ask(&mut client, &token, &format!("/do/Measured/{number}/add")).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, started) = (count.load(Ordering::Relaxed), Instant::now());
    let beside = percentile(&writes(&mut client, &quiet, WRITES).await, 99);
    let rate = (count.load(Ordering::Relaxed) - before) as f64 / started.elapsed().as_secs_f64();
    is_over.store(true, Ordering::Relaxed);
    for one in join_all(flood).await {
        one.expect("every request is answered");
    }
    Figure {
        what: format!(
            "p99 of a tenant's durable writes beside one that makes {rate:.0}/s on {FLOODING} objects, {} ms store",
            STORE_DELAY.as_millis()
        ),
        reference: format!("alone: {alone:.1} ms"),
        ours: format!("{beside:.1} ms"),
        ratio: Some(beside / alone),
    }
}

async fn writes(client: &mut Client, token: &str, count: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        ask(client, token, "/do/Measured/a/add").await;
        times.push(started.elapsed());
    }
    times
}
