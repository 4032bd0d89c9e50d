//! Objects and classes that end, and servers that are paused or killed meanwhile: what has ended does
//! not come back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dotdo_tests::history::Outcome;
use dotdo_tests::ledger::{append, error_of};
use dotdo_tests::{Chance, Deadline, Server};
use nix::sys::signal::Signal;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::forward::good;
use crate::world::{PATIENCE_SECONDS, World, insist};

/// How many objects are deleted under their owners, and what each had until then.
const ROUNDS: u64 = 4;
const BEFORE: [u64; 5] = [1, 2, 3, 4, 5];
/// How many objects a class has, and how often the server that deletes them is killed.
const ACCOUNTS: u64 = 24;
const KILLS: usize = 4;

/// A client that appends until it is told to stop, and knows what it was told.
struct Writer {
    stop: Arc<AtomicBool>,
    running: JoinHandle<BTreeSet<u64>>,
}

impl Writer {
    fn start(object: String, from: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let running = tokio::spawn(async move {
            let (http, mut told) = (Client::new(), BTreeSet::new());
            for n in from.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                if let Outcome::Appended(_) = append(&http, &object, 1, n).await {
                    told.insert(n);
                }
            }
            told
        });
        Self { stop, running }
    }

    /// What was acknowledged.
    async fn stop(self) -> BTreeSet<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.expect("no panic")
    }
}

/// Deletes an object, as soon as its owner lets go of it.
async fn delete(http: &Client, server: &Server, object: &str) {
    let deleted = || async {
        let url = server.url(&format!("/objects/Ledger/{object}"));
        let answer = http.delete(url).send().await.expect("the server answers");
        let status = answer.status();
        let is_there_yet = status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(status.is_success() || is_there_yet, "{:?}", error_of(answer).await);
        status.is_success().then_some(())
    };
    let deleted = Deadline::in_seconds(PATIENCE_SECONDS).until(deleted).await;
    deleted.unwrap_or_else(|| panic!("{object} is never deleted:\n{}", server.stderr()));
}

async fn numbers(server: &Server, object: &str) -> Vec<u64> {
    let all = insist(server, &Client::new(), &format!("/do/{object}/all")).await;
    let all: Value = all.json().await.expect("JSON");
    let entries = all["entries"].as_array().expect("a list").iter().enumerate();
    let number = |(index, entry): (usize, &Value)| {
        assert_eq!(entry[0], index + 1, "positions have no gap: {all}");
        entry[2].as_u64().expect("a number")
    };
    entries.map(number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_object_stays_deleted_although_its_paused_owner_wakes_up() {
    let (world, http, chance) = (World::seaweed(), Client::new(), Chance::new());
    let (owner, other) = (world.setup().start().await, world.setup().start().await);
    for round in 0..ROUNDS {
        let object = format!("ended-{round}");
        let at_owner = owner.url(&format!("/do/{object}"));
        for n in BEFORE {
            good(&http, Method::POST, format!("{at_owner}/append?client=1&n={n}")).await;
        }
        // What is on its way when the owner is paused may be done after the end.
        let during = Writer::start(at_owner, 1_000_000);
        tokio::time::sleep(chance.millis(0, 50)).await;
        owner.signal(Signal::SIGSTOP);
        delete(&http, &other, &object).await;
        assert_eq!(numbers(&other, &object).await, Vec::<u64>::new(), "it is as never written");
        owner.signal(Signal::SIGCONT);
        tokio::time::sleep(chance.millis(0, 300)).await;
        during.stop().await;
        let after = Writer::start(owner.url(&format!("/do/{object}")), 2_000_000);
        let goes_on = || async { (!numbers(&owner, &object).await.is_empty()).then_some(()) };
        let goes_on = Deadline::in_seconds(PATIENCE_SECONDS).until(goes_on).await;
        goes_on.unwrap_or_else(|| panic!("nothing begins anew:\n{}", owner.stderr()));
        let after = after.stop().await;
        let there = numbers(&other, &object).await;
        assert!(there.iter().all(|n| !BEFORE.contains(n)), "it came back: {there:?}");
        let there: BTreeSet<u64> = there.into_iter().collect();
        assert!(there.is_superset(&after), "what is acknowledged is there: {after:?}, {there:?}");
    }
}

/// The ids of the objects of a class that are there.
async fn listed(server: &Server, class: &str) -> Vec<String> {
    let path = format!("/objects?class={class}&limit=1000");
    let page: Value = insist(server, &Client::new(), &path).await.json().await.expect("JSON");
    let ids = page["items"].as_array().expect("a list").iter();
    ids.map(|item| item["id"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_ends_although_the_servers_that_delete_its_objects_are_killed() {
    let (world, http, chance) = (World::seaweed(), Client::new(), Chance::new());
    let former = world.setup().start().await;
    let deposit = |account: u64| format!("/do/Account/{account}/deposit?cents=500");
    for account in 0..ACCOUNTS {
        good(&http, Method::POST, former.url(&deposit(account))).await;
    }
    good(&http, Method::POST, former.url("/do/ledger/append?client=1&n=1")).await;
    former.signal(Signal::SIGSTOP);
    let setup = world.setup().env("SCENARIO_WITHOUT_ACCOUNTS", "1");
    // The objects that it could not have yet are tried again in each search for messages.
    let setup = setup.env("DOTDO_OUTBOX_SCAN_MS", "500");
    for _ in 0..KILLS {
        let server = setup.start().await;
        tokio::time::sleep(chance.millis(0, 500)).await;
        server.kill9();
    }
    let server = setup.start().await;
    let ended = || async { listed(&server, "Account").await.is_empty().then_some(()) };
    let ended = Deadline::in_seconds(PATIENCE_SECONDS).until(ended).await;
    ended.unwrap_or_else(|| panic!("some accounts remain:\n{}", server.stderr()));
    let refused = http.post(server.url(&deposit(0))).send().await.expect("the server answers");
    let (status, code, _) = error_of(refused).await;
    assert_eq!((status, code.as_str()), (StatusCode::GONE, "CLASS_DELETED"));
    assert_eq!(numbers(&server, "ledger").await, [1], "other classes are left alone");
    // A server of the former version that had them all in memory begins anew.
    former.signal(Signal::SIGCONT);
    let anew = || async {
        let answer = http.post(former.url(&deposit(0))).send().await.expect("the server answers");
        let answer = answer.error_for_status().ok()?;
        answer.json::<Value>().await.ok()
    };
    let anew = Deadline::in_seconds(PATIENCE_SECONDS).until(anew).await.expect("it is served");
    assert_eq!(anew["cents"], 500, "the old state is gone: {anew}");
}
