//! `bank.rs`

use std::collections::BTreeMap;
use std::time::Duration;

use dotdo::testing::TestServer;
use dotdo_tests::Deadline;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::programs::bank::app;
use crate::running::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-bank");
const NAMES: [&str; 3] = ["ada", "bob", "eve"];

#[tokio::test]
async fn a_transfer_happens_once_however_often_it_is_sent() {
    let server = TestServer::start(app()).await;
    let deposit = || {
        let deposit = server.post("/do/ada/deposit").header("idempotency-key", "\"d1\"");
        deposit.json(&json!({"cents": 5000}))
    };
    let transfer = |cents: i64| {
        let transfer = server.post("/do/ada/transfer").header("idempotency-key", "\"t1\"");
        transfer.json(&json!({"to": "bob", "cents": cents}))
    };
    for _ in 0..2 {
        deposit().await.ok();
    }
    for _ in 0..3 {
        transfer(2000).await.ok();
    }
    assert_eq!(server.get("/do/ada").await.json::<Value>()["cents"], 3000);
    server.settled().await;
    assert_eq!(server.get("/do/bob").await.json::<Value>()["cents"], 2000);
    let moves: Vec<(i64, Option<String>)> =
        server.rows("Account", "bob", "SELECT cents, other FROM moves").await;
    assert_eq!(moves, [(2000, Some("ada".to_owned()))], "the money came once");
    assert_eq!(transfer(1).await.status(), 422, "the key stands for another transfer");
}

#[tokio::test]
async fn a_transfer_that_can_not_be_is_refused_and_leaves_nothing() {
    let server = TestServer::start(app()).await;
    server.post("/do/ada/deposit").json(&json!({"cents": 100})).await.ok();
    for (body, status) in [
        (json!({"to": "bob", "cents": 101}), 409),
        (json!({"to": "bob", "cents": 0}), 400),
        (json!({"to": "bob", "cents": -5}), 400),
        (json!({"to": "ada", "cents": 5}), 400),
        (json!({"to": "", "cents": 5}), 400),
    ] {
        assert_eq!(server.post("/do/ada/transfer").json(&body).await.status(), status, "{body}");
    }
    let forged = server.post("/do/bob/receive").json(&json!({"cents": 5})).await;
    assert_eq!(forged.status(), 404, "a client is no account");
    server.settled().await;
    assert_eq!(server.get("/do/ada").await.json::<Value>(), json!({"cents": 100}));
    assert_eq!(server.get("/do/bob").await.json::<Value>(), json!({"cents": 0}));
}

#[tokio::test]
async fn a_transfer_is_whole_wherever_the_power_goes() {
    let mut arrived = 0;
    for requests in 0..16 {
        let mut server = TestServer::start(app()).await;
        server.post("/do/ada/deposit").json(&json!({"cents": 1000})).await.ok();
        server.crash_after(requests);
        let transfer = server.post("/do/ada/transfer").json(&json!({"to": "bob", "cents": 10}));
        let answer = transfer.try_send().await;
        server.advance(Duration::from_secs(1)).await;
        server.crash().await;
        server.settled().await;
        let mut cents = Vec::new();
        for name in ["ada", "bob"] {
            let account: Value = server.get(&format!("/do/{name}")).await.json();
            cents.push(account["cents"].as_i64().expect("a number"));
        }
        assert!(cents == [1000, 0] || cents == [990, 10], "{requests}: {cents:?}");
        assert!(answer.is_none() || cents == [990, 10], "{requests}: it was acknowledged");
        arrived += u32::from(cents == [990, 10]);
    }
    assert!((1..16).contains(&arrived), "{arrived} of 16 arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_money_is_lost_or_made_when_the_power_goes_in_between() {
    crashes(Running::start(PROGRAM).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_money_is_lost_or_made_when_the_power_goes_in_between_on_seaweedfs() {
    crashes(Running::start_on_seaweed(PROGRAM).await).await;
}

/// The payer's server is gone and nobody asks for the payer: what it has sent arrives all the same,
/// and once.
#[tokio::test(flavor = "multi_thread")]
async fn money_on_its_way_arrives_although_the_server_that_sent_it_is_gone() {
    let mut first = Running::start_on_seaweed(PROGRAM).await;
    let second = first.another(PROGRAM).await;
    first.ok("POST", "/do/ada/deposit", json!({"cents": 1000})).await;
    for number in 0..5 {
        first
            .ok(
                "POST",
                "/do/ada/transfer",
                json!({"key": format!("t{number}"), "to": "bob", "cents": 100}),
            )
            .await;
    }
    first.crash();
    arrived(&second, "bob", 500).await;
    // A client that did not hear the answer sends it again, to another server.
    second.ok("POST", "/do/ada/transfer", json!({"key": "t4", "to": "bob", "cents": 100})).await;
    assert_eq!(second.ok("GET", "/do/ada", Value::Null).await["cents"], 500);
    second.ok("POST", "/do/ada/transfer", json!({"key": "t5", "to": "bob", "cents": 1})).await;
    arrived(&second, "bob", 501).await;
}

/// Everybody pays everybody, while the power goes again and again.
async fn crashes(mut running: Running) {
    for name in NAMES {
        running.ok("POST", &format!("/do/{name}/deposit"), json!({"cents": 1000})).await;
    }
    for round in 0..3 {
        let transfers = transfers(round);
        // The power goes when the first transfer has been answered; the others are somewhere on
        // their way.
        let all = transfers
            .iter()
            .map(|(path, body)| Box::pin(running.try_send("POST", path, body.clone())));
        drop(futures_util::future::select_all(all).await);
        running.crash_and_start(PROGRAM).await;
        let again = transfers.iter().map(|(path, body)| running.status("POST", path, body.clone()));
        for status in join_all(again).await {
            assert!([200, 409].contains(&status), "{status}");
        }
    }
    let balances = || async {
        let mut cents = Vec::new();
        for name in NAMES {
            cents.push(
                running.ok("GET", &format!("/do/{name}"), Value::Null).await["cents"]
                    .as_i64()
                    .expect("a number"),
            );
        }
        assert!(
            cents.iter().all(|cents| *cents >= 0) && cents.iter().sum::<i64>() <= 3000,
            "{cents:?}"
        );
        (cents.iter().sum::<i64>() == 3000).then_some(())
    };
    Deadline::in_seconds(60).until(balances).await.expect("what is on its way arrives");
    check_statements(&running).await;
}

/// What an account says that it has sent to another is what that one says that it has received,
/// transfer by transfer.
async fn check_statements(running: &Running) {
    let (mut sent, mut received): (BTreeMap<_, Vec<i64>>, BTreeMap<_, Vec<i64>>) =
        Default::default();
    for name in NAMES {
        let moves = running.ok("GET", &format!("/do/{name}/moves"), Value::Null).await;
        let moves: Vec<(Option<String>, i64)> = serde_json::from_value(moves).expect("a statement");
        for (other, cents) in moves {
            let Some(other) = other else { continue };
            if cents < 0 {
                sent.entry((name.to_owned(), other)).or_default().push(-cents);
            } else {
                received.entry((other, name.to_owned())).or_default().push(cents);
            }
        }
    }
    assert_eq!(sent, received);
    // No transfer twice: within a round and a pair each has an amount of its own, and there are
    // three rounds.
    assert!(
        sent.values().flatten().all(|cents| sent
            .values()
            .flatten()
            .filter(|other| *other == cents)
            .count()
            == 1),
        "{sent:?}"
    );
}

/// Everybody pays everybody else, twice; no two transfers have the same amount.
fn transfers(round: usize) -> Vec<(String, Value)> {
    let pairs = NAMES
        .iter()
        .flat_map(|from| NAMES.iter().map(move |to| (from, to)))
        .filter(|(from, to)| from != to);
    let transfers = pairs.flat_map(|pair| [pair, pair]).enumerate().map(|(number, (from, to))| {
        let cents = 60 + round * 12 + number;
        (
            format!("/do/{from}/transfer"),
            json!({"key": format!("{round}-{number}"), "to": to, "cents": cents}),
        )
    });
    transfers.collect()
}

/// Waits until the account has so much.
async fn arrived(running: &Running, name: &str, cents: i64) {
    let path = format!("/do/{name}");
    let settled =
        || async { (running.ok("GET", &path, Value::Null).await["cents"] == cents).then_some(()) };
    Deadline::in_seconds(60).until(settled).await.expect("money on its way arrives");
}
