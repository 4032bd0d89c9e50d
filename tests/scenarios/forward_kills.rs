//! The owner dies or freezes: requests at other servers become slow, and go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dotdo_tests::history::Outcome;
use dotdo_tests::{Deadline, Server};
use nix::sys::signal::Signal;
use reqwest::{Client, Method, StatusCode};
use tokio::task::JoinSet;

use crate::forward::{forwarding, good};
use crate::world::{PATIENCE_SECONDS, World};
use dotdo_tests::ledger::error_of;

/// How many clients there are, half of them at each of the two servers that live.
const CLIENTS: u64 = 6;
/// How many objects the victim owns.
const OBJECTS: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_owner_on_a_folder_costs_time_only() {
    end_of_an_owner(&World::folder(), Signal::SIGKILL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_owner_on_s3_costs_time_only() {
    end_of_an_owner(&World::seaweed(), Signal::SIGKILL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_owner_on_a_folder_hands_its_objects_over() {
    end_of_an_owner(&World::folder(), Signal::SIGTERM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_owner_on_a_folder_costs_time_only() {
    end_of_an_owner(&World::folder(), Signal::SIGSTOP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_owner_on_s3_costs_time_only() {
    end_of_an_owner(&World::seaweed(), Signal::SIGSTOP).await;
}

/// What one client was told, in its order.
struct Told {
    object: u64,
    n: u64,
    outcome: Outcome,
}

/// One append; anything but a success or an unknown outcome is a failure of the test.
async fn append(http: &Client, server: &str, (object, client, n): (u64, u64, u64)) -> Told {
    let url = format!("{server}/do/object-{object}/append?client={client}&n={n}");
    let answer = http.post(&url).send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let outcome = if answer.status() == StatusCode::OK {
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        Outcome::Appended(answer["position"].as_u64().expect("a position"))
    } else {
        let (status, code, message) = error_of(answer).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "OUTCOME_UNKNOWN"),
            "{url}: {message}"
        );
        Outcome::Unknown
    };
    Told { object, n, outcome }
}

async fn end_of_an_owner(world: &World, signal: Signal) {
    let setup = forwarding(world).env("DOTDO_LEASE_DURATION_MS", "3000");
    let (owner, others, http) =
        (setup.start().await, [setup.start().await, setup.start().await], Client::new());
    for object in 0..OBJECTS {
        good(&http, Method::POST, owner.url(&format!("/do/object-{object}/append?client=99&n=0")))
            .await;
    }
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (stop, done, server) = (
            Arc::clone(&stop),
            Arc::clone(&done),
            others[usize::try_from(client % 2).expect("small")].url(""),
        );
        clients.spawn(async move {
            let (http, mut told) = (Client::new(), Vec::new());
            while !stop.load(Ordering::Relaxed) {
                let n = told.len() as u64;
                told.push(append(&http, &server, (n % OBJECTS, client, n)).await);
                done.fetch_add(1, Ordering::Relaxed);
            }
            (client, told)
        });
    }
    progress(&done, 60).await;
    owner.signal(signal);
    progress(&done, 120).await;
    if signal == Signal::SIGSTOP {
        owner.signal(Signal::SIGCONT);
        progress(&done, 60).await;
    }
    stop.store(true, Ordering::Relaxed);
    let told: Vec<(u64, Vec<Told>)> = clients.join_all().await;
    let unknown = told
        .iter()
        .flat_map(|(_, told)| told)
        .filter(|told| told.outcome == Outcome::Unknown)
        .count() as u64;
    assert!(unknown <= CLIENTS, "{unknown} outcomes are unknown; only what was under way may be");
    if signal == Signal::SIGTERM {
        assert_eq!(unknown, 0, "whoever stops in order leaves nobody in doubt");
    }
    check(&others, &told).await;
    if signal == Signal::SIGSTOP {
        // Woken up, it forwards like any other.
        let again = || async {
            http.get(owner.url("/do/object-0/count"))
                .send()
                .await
                .ok()
                .filter(|answer| answer.status().is_success())
        };
        Deadline::in_seconds(PATIENCE_SECONDS)
            .until(again)
            .await
            .expect("the former owner finds its place");
    }
}

/// Waits until so many more requests were answered.
async fn progress(done: &AtomicUsize, more: usize) {
    let until = done.load(Ordering::Relaxed) + more;
    let reached = || std::future::ready((done.load(Ordering::Relaxed) >= until).then_some(()));
    Deadline::in_seconds(2 * PATIENCE_SECONDS)
        .until(reached)
        .await
        .unwrap_or_else(|| panic!("requests go on: {done:?} of {until}"));
}

/// Every acknowledged entry is at its position, and none is there that nobody asked for, or twice.
async fn check(servers: &[Server], told: &[(u64, Vec<Told>)]) {
    let http = Client::new();
    for object in 0..OBJECTS {
        let states: Vec<serde_json::Value> = [
            good(&http, Method::GET, servers[0].url(&format!("/do/object-{object}/all")))
                .await
                .json()
                .await
                .expect("JSON"),
            good(&http, Method::GET, servers[1].url(&format!("/do/object-{object}/all")))
                .await
                .json()
                .await
                .expect("JSON"),
        ]
        .into();
        assert_eq!(states[0], states[1], "both servers tell the same");
        let entries: Vec<(u64, u64, u64)> =
            serde_json::from_value(states[0]["entries"].clone()).expect("entries");
        let all: std::collections::BTreeSet<(u64, u64)> =
            entries.iter().map(|(_, client, n)| (*client, *n)).collect();
        assert_eq!(all.len(), entries.len(), "no entry is there twice");
        for (client, told) in told {
            for told in told.iter().filter(|told| told.object == object) {
                if let Outcome::Appended(position) = told.outcome {
                    let entry = entries[usize::try_from(position).expect("small") - 1];
                    assert_eq!(
                        entry,
                        (position, *client, told.n),
                        "an acknowledged entry is where it was said to be"
                    );
                }
            }
        }
    }
}
