//! The store goes away, and comes back; answers get lost, connections are cut.

use std::time::{Duration, Instant};

use dotdo_tests::{Chance, Deadline, Lost, Proxy, Seaweed, Server, say};
use http::Method;
use reqwest::{Client, StatusCode};

use crate::load::Load;
use crate::world::{PATIENCE_SECONDS, World, insist};

/// Sets how long the store is away.
const OUTAGE: &str = "DOTDO_TEST_OUTAGE_SECONDS";
/// How long it is otherwise: far longer than leases and the deadlines of commits.
const OUTAGE_USUAL: u64 = 60;
/// Long enough for a read to come before it ends, also on a slow machine.
const LEASE_MS: u64 = 10_000;
/// How often something goes wrong while answers get lost. Each waits until the load has gone on
/// after the one before.
const MISHAPS: u64 = 200;

async fn proxied() -> (Proxy, World) {
    let proxy = Proxy::start(Seaweed::shared().endpoint()).await;
    let world = World::seaweed_through(&proxy.endpoint());
    (proxy, world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_away_is_used_again_without_a_restart() {
    let away = std::env::var(OUTAGE)
        .map_or(OUTAGE_USUAL, |text| text.parse().expect("DOTDO_TEST_OUTAGE_SECONDS is a number"));
    let (proxy, world) = proxied().await;
    let setup = world
        .setup()
        .env("DOTDO_LEASE_DURATION_MS", LEASE_MS.to_string())
        .env("DOTDO_COMMIT_DEADLINE_MS", "2000");
    let server = setup.start().await;
    let (http, load) = (Client::new(), Load::new((0..3).map(|number| format!("away-{number}"))));
    let running = load.start(&[&server]);
    load.goes_on(100).await;
    let quiet = http
        .post(server.url("/do/quiet/append?client=1&n=1"))
        .send()
        .await
        .expect("the server answers");
    assert_eq!(quiet.status(), StatusCode::OK);

    let lease_over = Instant::now() + Duration::from_millis(LEASE_MS);
    proxy.outage(true);
    let begin = Instant::now();
    warm_reads_end_with_the_lease(&server, &http, lease_over).await;
    let refused = http
        .post(server.url("/do/quiet/append?client=1&n=2"))
        .send()
        .await
        .expect("the server answers");
    is_unavailable(&refused);
    tokio::time::sleep(Duration::from_secs(away).saturating_sub(begin.elapsed())).await;

    proxy.outage(false);
    load.goes_on(100).await;
    running.stop().await;
    load.check(&server).await;
    let quiet: serde_json::Value =
        insist(&server, &http, "/do/quiet/count").await.json().await.expect("JSON");
    assert!([1, 2].contains(&quiet["count"].as_u64().expect("a number")), "{quiet}");
    // What the server has in memory is in the store too.
    server.kill9();
    load.check(&setup.start().await).await;
}

/// Reads one object until that fails, as it must when the lease is over.
async fn warm_reads_end_with_the_lease(server: &Server, http: &Client, lease_over: Instant) {
    let (deadline, mut answered) = (Deadline::in_seconds(PATIENCE_SECONDS), 0);
    loop {
        let asked = Instant::now();
        let answer =
            http.get(server.url("/do/quiet/count")).send().await.expect("the server answers");
        if answer.status() != StatusCode::OK {
            is_unavailable(&answer);
            break;
        }
        assert!(asked < lease_over, "a read was answered from memory after the lease was over");
        assert!(!deadline.is_over(), "reads are answered although the lease is over");
        answered += 1;
    }
    assert!(answered > 0, "a lease that has just been granted serves reads without the store");
}

/// 503, and when to come again.
fn is_unavailable(answer: &reqwest::Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let after = answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(after.is_some_and(|seconds| seconds >= 1), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_and_cut_connections_change_nothing() {
    let ((proxy, world), chance) = (proxied().await, Chance::new());
    let server = world.setup().start().await;
    let load = Load::new((0..4).map(|number| format!("lossy-{number}")));
    let running = load.start(&[&server]);
    for _ in 0..MISHAPS {
        match chance.below(8) {
            0 => proxy.lose(Method::PUT, Lost::Request),
            1 | 2 => proxy.lose(Method::PUT, Lost::Answer),
            3 | 4 => proxy.lose(Method::PUT, Lost::Error),
            5 => proxy
                .lose(Method::GET, if chance.below(2) == 0 { Lost::Answer } else { Lost::Error }),
            6 => proxy.delay(chance.millis(0, 30)),
            _ => proxy.cut_connections(),
        }
        tokio::time::sleep(chance.millis(0, 30)).await;
        load.goes_on(1).await;
    }
    running.stop().await;
    load.check(&server).await;
    server.kill9();
    // What the server had in memory is in the store too. (Mishaps may be left over, so not through
    // the proxy.)
    let direct = world.setup().env("AWS_ENDPOINT_URL", Seaweed::shared().endpoint());
    load.check(&direct.start().await).await;
    let (lost, left) = (proxy.lost(), proxy.to_lose());
    say(&format!(
        "{MISHAPS} mishaps, {lost} requests lost, {left} left over, {} acknowledged entries",
        load.acknowledged()
    ));
    assert!(lost > left, "most of the planned losses come about");
}
