//! WebSockets on real servers that forward, stop and are killed: a client is told of nothing that
//! is not in the bucket, and a connection that stays open has missed nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use dotdo_tests::{Chance, Deadline, Incoming, Server, Setup, Socket};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::forward::forwarding;
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS, World, insist};

/// How often the owner is killed.
const KILLS: usize = 3;
/// How many messages each client sends.
const MESSAGES: i64 = 30;

async fn ask(server: &Server, path: &str) -> Value {
    let answer = insist(server, &Client::new(), &format!("/do/Room/a{path}")).await;
    answer.json().await.expect("JSON")
}

/// Opens a socket as soon as that can be had.
async fn open(server: &str, name: &str) -> Socket {
    let url = format!("{server}/do/Room/a/?name={name}");
    let opened = || async { Socket::open(&url).await.ok() };
    let mut socket = Deadline::in_seconds(PATIENCE_SECONDS)
        .until(opened)
        .await
        .unwrap_or_else(|| panic!("{url} accepts nobody"));
    assert_eq!(socket.text().await, "welcome");
    socket
}

/// Waits until `path` is answered with `expected`.
async fn until(server: &Server, path: &str, expected: Value) {
    let fits = || async { (ask(server, path).await == expected).then_some(()) };
    let fits = Deadline::in_seconds(PATIENCE_SECONDS).until(fits).await;
    assert!(fits.is_some(), "{path}: {} is never {expected}", ask(server, path).await);
}

/// Sends numbers, each again until its entry has come back, and collects what it is told.
async fn talk(servers: Arc<[String; 2]>, name: String) -> BTreeMap<i64, String> {
    let (mut told, mut round) = (BTreeMap::new(), 0);
    let mut socket = open(&servers[round % 2], &name).await;
    for number in 1..=MESSAGES {
        let own = format!(" {name} {number}");
        let mut is_sent = socket.send(&number.to_string()).await;
        loop {
            match if is_sent { socket.next().await } else { Incoming::Broken } {
                Incoming::Text(text) => {
                    let position = text.split(' ').next().and_then(|text| text.parse().ok());
                    let before = told.insert(position.expect("a position"), text.clone());
                    assert!(before.is_none_or(|before| before == text), "two entries in one place");
                    if text.ends_with(&own) {
                        break;
                    }
                }
                Incoming::Binary(_) | Incoming::Closed(_) | Incoming::Broken => {
                    round += 1;
                    socket = open(&servers[round % 2], &name).await;
                    is_sent = socket.send(&number.to_string()).await;
                }
            }
        }
    }
    socket.close().await;
    told
}

/// What everybody was told is what was recorded.
async fn check(server: &Server, told: &[BTreeMap<i64, String>]) {
    let said: Vec<(i64, String, i64)> =
        serde_json::from_value(ask(server, "/said").await).expect("entries");
    let entries: BTreeMap<i64, String> = said
        .iter()
        .map(|(position, name, n)| (*position, format!("{position} {name} {n}")))
        .collect();
    assert_eq!(
        entries.keys().copied().collect::<Vec<_>>(),
        (1..=entries.len() as i64).collect::<Vec<_>>()
    );
    for seen in told {
        assert!(seen.len() >= usize::try_from(MESSAGES).expect("a small number"));
        for (position, text) in seen {
            assert_eq!(entries.get(position), Some(text), "a client was told of what is not there");
        }
    }
}

/// Clients at both servers talk while one is killed again and again.
async fn under_kills(setup: &Setup) {
    let mut victim = setup.start().await;
    let other = setup.start().await;
    let port = victim.url("").rsplit(':').next().expect("a port").to_owned();
    let again = setup.clone().env("PORT", port);
    let servers = Arc::new([victim.url(""), other.url("")]);
    let mut clients = JoinSet::new();
    for client in 0..4 {
        clients.spawn(talk(servers.clone(), format!("client-{client}")));
    }
    let chance = Chance::new();
    for _ in 0..KILLS {
        tokio::time::sleep(chance.millis(50, 400)).await;
        victim.kill9();
        victim = again.start().await;
    }
    let told = clients.join_all().await;
    check(&other, &told).await;
    // Whoever has left or was killed is gone, and was reported once for each connection.
    until(&other, "/there", json!([])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_what_a_killed_server_has_not_recorded() {
    let world = World::folder();
    under_kills(&forwarding(&world)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_outlives_the_owner_that_stops_in_order_and_its_own_server_s_end_closes_it() {
    let world = World::folder();
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (owner, gate) = (setup.start().await, setup.start().await);
    assert_eq!(ask(&owner, "/said").await, json!([]));
    let (mut there, mut here) =
        (open(&owner.url(""), "there").await, open(&gate.url(""), "here").await);
    assert!(here.send("1").await);
    assert_eq!((here.text().await, there.text().await), ("1 here 1".into(), "1 here 1".into()));
    assert!(there.send("2").await);
    assert_eq!((here.text().await, there.text().await), ("2 there 2".into(), "2 there 2".into()));
    assert_eq!(ask(&gate, "/there").await, json!(["here", "there"]));
    // The owner stops: its own connection is closed, the other one goes on with the next owner.
    let stopping = tokio::task::spawn_blocking(move || owner.terminate());
    assert_eq!(there.next().await, Incoming::Closed(1012));
    there.close().await;
    assert!(stopping.await.expect("no panic").success());
    assert!(here.send("3").await);
    assert_eq!(here.text().await, "3 here 3");
    assert_eq!(ask(&gate, "/there").await, json!(["here"]));
    assert_eq!(ask(&gate, "/left").await, json!([["there", 1012]]));
    here.close().await;
    until(&gate, "/left", json!([["there", 1012], ["here", 1005]])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_stream_tells_what_is_said_through_another_server_too() {
    let world = World::folder();
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (owner, gate) = (setup.start().await, setup.start().await);
    let mut ada = open(&owner.url(""), "ada").await;
    let url = |server: &Server| server.url("/do/Room/a/events");
    let mut streams = Vec::new();
    for server in [&owner, &gate] {
        let answer = Client::new().get(url(server)).send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        streams.push(answer);
    }
    assert!(ada.send("7").await);
    for stream in &mut streams {
        let mut text = String::new();
        while !text.contains("data: 1 ada 7\n\n") {
            let chunk = stream.chunk().await.expect("no error").expect("no end");
            text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
    drop(streams);
    ada.close().await;
    // The end of a listener is noticed when something is sent to it, or after a while.
    until(&owner, "/there", json!([])).await;
}
