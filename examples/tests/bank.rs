//! `bank.rs`

use dotdo_tests::Deadline;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::running::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-bank");
const NAMES: [&str; 3] = ["ada", "bob", "eve"];

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_happens_once_however_often_it_is_sent() {
    let running = Running::start(PROGRAM).await;
    for _ in 0..2 {
        running.ok("POST", "/do/ada/deposit", json!({"id": "d1", "cents": 5000})).await;
    }
    for _ in 0..3 {
        running.ok("POST", "/do/ada/transfer", json!({"id": "t1", "to": "bob", "cents": 2000})).await;
    }
    settle(&running, "ada").await;
    assert_eq!(running.ok("GET", "/do/ada", Value::Null).await["cents"], 3000);
    assert_eq!(running.ok("GET", "/do/bob", Value::Null).await["cents"], 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_can_not_be_is_refused_and_leaves_nothing() {
    let running = Running::start(PROGRAM).await;
    running.ok("POST", "/do/ada/deposit", json!({"id": "d1", "cents": 100})).await;
    for (body, status) in [
        (json!({"id": "t1", "to": "bob", "cents": 101}), 409),
        (json!({"id": "t1", "to": "bob", "cents": 0}), 400),
        (json!({"id": "t1", "to": "bob", "cents": -5}), 400),
        (json!({"id": "t1", "to": "ada", "cents": 5}), 400),
        (json!({"id": "d1", "to": "bob", "cents": 5}), 409),
    ] {
        assert_eq!(running.status("POST", "/do/ada/transfer", body.clone()).await, status, "{body}");
    }
    assert_eq!(running.ok("GET", "/do/ada", Value::Null).await, json!({"cents": 100, "pending": 0}));
    assert_eq!(running.ok("GET", "/do/bob", Value::Null).await, json!({"cents": 0, "pending": 0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_money_is_lost_or_made_when_the_power_goes_in_between() {
    let mut running = Running::start(PROGRAM).await;
    for name in NAMES {
        running.ok("POST", &format!("/do/{name}/deposit"), json!({"id": "d", "cents": 1000})).await;
    }
    for round in 0..3 {
        let transfers = transfers(round);
        // The power goes when the first transfer has been answered; the others are somewhere on their way.
        let all = transfers.iter().map(|(path, body)| Box::pin(running.try_send("POST", path, body.clone())));
        drop(futures_util::future::select_all(all).await);
        running.crash_and_start(PROGRAM).await;
        let again = transfers.iter().map(|(path, body)| running.status("POST", path, body.clone()));
        for status in join_all(again).await {
            assert!([200, 409].contains(&status), "{status}");
        }
    }
    join_all(NAMES.map(|name| settle(&running, name))).await;
    let mut sum = 0;
    for name in NAMES {
        let cents = running.ok("GET", &format!("/do/{name}"), Value::Null).await["cents"].as_i64().expect("a number");
        assert!(cents >= 0, "{name} has {cents} cents");
        sum += cents;
    }
    assert_eq!(sum, 3000);
}

/// Everybody pays everybody else, twice.
fn transfers(round: u32) -> Vec<(String, Value)> {
    let mut transfers = Vec::new();
    for (from, to) in NAMES.iter().flat_map(|from| NAMES.iter().map(move |to| (from, to))).filter(|(from, to)| from != to) {
        for number in 0..2 {
            let id = format!("{round}-{to}-{number}");
            transfers.push((format!("/do/{from}/transfer"), json!({"id": id, "to": to, "cents": 90 + number})));
        }
    }
    transfers
}

/// Asks the account to deliver until nothing is pending.
async fn settle(running: &Running, name: &str) {
    let path = format!("/do/{name}/settle");
    let settled = || async { (running.ok("POST", &path, Value::Null).await["pending"] == 0).then_some(()) };
    Deadline::in_seconds(60).until(settled).await.expect("what is pending arrives");
}
