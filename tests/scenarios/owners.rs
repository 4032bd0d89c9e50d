//! Two servers on one store: one owns an object, the other is refused, fenced, or takes over; never
//! are both right.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dotdo_tests::ledger::error_of;
use dotdo_tests::{Chance, Deadline, Server, say};
use nix::sys::signal::Signal;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::load::Load;
use crate::world::{PATIENCE_SECONDS, World, insist};

/// A lease that a busy owner renews in time, also on a slow machine.
const LONG_LEASE_MS: &str = "10000";
/// How often one of two rivals is paused, at least.
const PAUSES: u64 = 20;
/// How often at most, until a pause has cost somebody an object.
const PAUSES_MAX: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_a_folder_is_refused_then_takes_over() {
    one_after_the_other(&World::folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_s3_is_refused_then_takes_over() {
    one_after_the_other(&World::seaweed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_with_the_log_in_a_database_is_refused_then_takes_over() {
    one_after_the_other(&World::libsql()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_on_a_folder_agree() {
    rivals(&World::folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_on_s3_agree() {
    rivals(&World::seaweed()).await;
}

async fn post(http: &Client, server: &Server, path: &str) -> Response {
    http.post(server.url(path)).send().await.expect("the server answers")
}

/// How often a server found that another had gone on with an object: it followed the other's
/// records, or lost a slot to it.
async fn overtaken(http: &Client, server: &Server) -> u64 {
    let figures = http
        .get(server.url("/metrics"))
        .send()
        .await
        .expect("the server answers")
        .text()
        .await
        .expect("figures are text");
    let followed = figures
        .lines()
        .find_map(|line| line.strip_prefix("dotdo_records_followed_total ")?.parse::<u64>().ok());
    followed.unwrap_or(0) + server.stderr().matches("\"FENCED\"").count() as u64
}

async fn one_after_the_other(world: &World) {
    let setup = world.setup().env("DOTDO_LEASE_DURATION_MS", LONG_LEASE_MS);
    let (first, second) = (setup.start().await, setup.start().await);
    let http = Client::new();
    for object in ["written", "read"] {
        assert_eq!(
            post(&http, &first, &format!("/do/{object}/append?client=1&n=1")).await.status(),
            StatusCode::OK
        );
    }
    while_busy(&http, &first, "/do/written/append", async {
        let refused = post(&http, &second, "/do/written/append?client=2&n=1").await;
        assert!(refused.headers().contains_key("retry-after"), "{refused:?}");
        let (status, code, _) = error_of(refused).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "OWNED_BY_OTHER_INSTANCE")
        );
    })
    .await;

    first.signal(Signal::SIGSTOP);
    for object in ["written", "read"] {
        let path = format!("/do/{object}/append?client=2&n=2");
        let taken = || async {
            Some(post(&http, &second, &path).await)
                .filter(|answer| answer.status() == StatusCode::OK)
        };
        Deadline::in_seconds(PATIENCE_SECONDS)
            .until(taken)
            .await
            .expect("the second takes over when the lease is over");
    }
    first.signal(Signal::SIGCONT);

    // It asks the log before it answers: so it waits until the second is idle for a lease, or
    // refuses, and then knows as much.
    let counted: Value = insist(&first, &http, "/do/read/count").await.json().await.expect("JSON");
    assert_eq!(counted["count"], 2);
    let appended = || async {
        let answer = post(&http, &first, "/do/written/append?client=1&n=0").await;
        assert!(
            [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status()),
            "{answer:?}"
        );
        Some(answer).filter(|answer| answer.status() == StatusCode::OK)
    };
    Deadline::in_seconds(PATIENCE_SECONDS)
        .until(appended)
        .await
        .expect("the idle second gives way");
    let mut counts = Vec::new();
    for server in [&first, &second] {
        counts.push(insist(server, &http, "/do/written/count").await.json::<Value>().await.expect("JSON")["count"].clone());
    }
    assert_eq!(counts[0], counts[1], "both know the same");
}

/// Runs `work` while the owner is kept busy.
async fn while_busy(http: &Client, owner: &Server, path: &str, work: impl Future<Output = ()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (url, http, stopped) = (owner.url(path), http.clone(), Arc::clone(&stop));
    let busy = tokio::spawn(async move {
        let mut n = 1;
        while !stopped.load(Ordering::Relaxed) {
            n += 1;
            let answer = http
                .post(format!("{url}?client=1&n={n}"))
                .send()
                .await
                .expect("the server answers");
            assert_eq!(answer.status(), StatusCode::OK, "a live owner is not disturbed");
        }
    });
    work.await;
    stop.store(true, Ordering::Relaxed);
    busy.await.expect("the owner stays the owner");
}

/// Load on two servers that take the objects from each other, while one or the other is paused for
/// longer than its lease.
async fn rivals(world: &World) {
    let chance = Chance::new();
    let (mut first, mut second) = (world.setup().start().await, world.setup().start().await);
    let load = Load::new((0..4).map(|number| format!("rival-{number}")));
    let running = load.start(&[&first, &second]);
    let http = Client::new();
    let mut pauses = 0;
    while pauses < PAUSES
        || (pauses < PAUSES_MAX
            && overtaken(&http, &first).await + overtaken(&http, &second).await == 0)
    {
        load.goes_on(1).await;
        tokio::time::sleep(chance.millis(50, 300)).await;
        pauses += 1;
        let paused = if chance.below(2) == 0 { &mut first } else { &mut second };
        paused.signal(Signal::SIGSTOP);
        tokio::time::sleep(chance.millis(50, 900)).await;
        paused.signal(Signal::SIGCONT);
    }
    running.stop().await;
    load.check(&first).await;
    load.check(&second).await;
    let overtaken = [overtaken(&http, &first).await, overtaken(&http, &second).await];
    say(&format!(
        "{pauses} pauses, {} acknowledged entries, overtaken {overtaken:?} times",
        load.acknowledged()
    ));
    assert!(overtaken.iter().sum::<u64>() > 0, "a paused owner is overtaken now and then");
}
