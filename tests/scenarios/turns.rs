//! Handlers that have left their turn, on real servers: two that ask each other, and one that is
//! killed.

use dotdo_tests::history::Outcome;
use dotdo_tests::ledger::{append, error_of};
use dotdo_tests::{Deadline, Server};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::forward::{forwarding, good};
use crate::world::{PATIENCE_SECONDS, World, insist};

async fn count(answer: reqwest::Response) -> u64 {
    let answer: Value = answer.json().await.expect("JSON");
    answer["count"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_two_servers_that_have_left_their_turns_ask_each_other() {
    let (world, http) = (World::folder(), Client::new());
    let setup = forwarding(&world);
    let (one, other) = (setup.start().await, setup.start().await);
    // Each has an object; whatever is asked reaches it there.
    for (server, object) in [(&one, "a"), (&other, "b")] {
        let url = server.url(&format!("/do/{object}/append?client=1&n=1"));
        good(&http, Method::POST, url).await;
    }
    let answer = good(&http, Method::POST, other.url("/do/a/ask?of=b&depth=3")).await;
    // One entry before, and two for each time that it was asked.
    assert_eq!(count(answer).await, 5);
    let answer = good(&http, Method::GET, one.url("/do/b/count")).await;
    assert_eq!(count(answer).await, 5);
    // Such a ring has an end, on whichever servers it runs.
    let endless = http.post(one.url("/do/a/ask?of=b&depth=100")).send().await;
    let (status, code, _) = error_of(endless.expect("the server answers")).await;
    assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "CALL_DEPTH"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_calls_in_one_server_is_no_deeper_than_its_stack() {
    let (world, http) = (World::folder(), Client::new());
    let server = world.setup().start().await;
    let endless = http.post(server.url("/do/a/ask?of=b&depth=100")).send().await;
    let (status, code, _) = error_of(endless.expect("the server answers")).await;
    assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "CALL_DEPTH"));
    let answer = good(&http, Method::POST, server.url("/do/a/ask?of=b&depth=13")).await;
    assert!(count(answer).await > 13, "as deep as is allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_while_a_handler_waits_and_a_kill_ends_it_half_way() {
    let (world, http) = (World::folder(), Client::new());
    let setup = world.setup();
    let server = setup.start().await;
    let waits = |server: &Server, ms: u64| {
        let request = http.post(server.url(&format!("/do/w/wait?ms={ms}")));
        request.header("Idempotency-Key", format!("\"{ms}\"")).send()
    };
    let first = waits(&server, 1).await.expect("the server answers");
    assert_eq!(count(first).await, 2);
    let long = tokio::spawn(waits(&server, 3_600_000));
    // It has begun when its entry is there, and others are served.
    let has_begun = || async {
        let there = count(insist(&server, &http, "/do/w/count").await).await;
        (there == 3).then_some(())
    };
    Deadline::in_seconds(PATIENCE_SECONDS).until(has_begun).await.expect("it begins");
    assert_eq!(append(&http, &server.url("/do/w"), 1, 0).await, Outcome::Appended(4));
    server.kill9();
    long.await.expect("it does not panic").expect_err("nobody is there to answer");

    let server = setup.start().await;
    assert_eq!(count(insist(&server, &http, "/do/w/count").await).await, 4);
    let again = waits(&server, 3_600_000).await.expect("the server answers");
    let (status, code, text) = error_of(again).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "REQUEST_BEGUN"),
        "{text}"
    );
    let known = waits(&server, 1).await.expect("the server answers");
    assert_eq!(count(known).await, 2, "the response of before");
    assert_eq!(count(insist(&server, &http, "/do/w/count").await).await, 4);
}
