//! Messages between objects: once, in order, and whatever crashes in between.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::post::{Post, Server, friend};
use crate::error::ErrorKind;
use crate::messages::Delivery;
use crate::object::Body;
use crate::settings::Ownership;
use crate::store::{Bucket, Key};
use crate::testing::Fault;

#[tokio::test]
async fn a_message_arrives_with_its_sender_once_and_in_order() {
    let post = Post::new();
    let server = post.server().await;
    post.post(&server, "a", "/send", "b:1\nb:2\nc:3\nb:4\na:5").await.expect("it sends");
    post.see(&server, ("a", "/_dotdo_outbox"), "").await;
    assert_eq!(post.get(&server, "b", "/taken").await, "a:1\na:2\na:4");
    assert_eq!(post.get(&server, "c", "/taken").await, "a:3");
    assert_eq!(post.get(&server, "a", "/taken").await, "a:5");
    post.post(&server, "b", "/take", "by hand").await.expect("it takes it");
    assert_eq!(
        post.get(&server, "b", "/taken").await,
        "a:1\na:2\na:4\n-:by hand",
        "a client is nobody's sender"
    );
}

#[tokio::test]
async fn a_message_costs_two_records_besides_the_one_that_holds_it() {
    let post = Post::new();
    let server = post.server().await;
    for round in 0..3 {
        let before = post.bucket.creates_of("/log/");
        post.post(&server, "a", "/send", &format!("b:{round}")).await.expect("it sends");
        post.see(&server, ("a", "/_dotdo_outbox"), "").await;
        assert_eq!(post.bucket.creates_of("/log/") - before, 3, "the receiver's, and its removal");
    }
}

#[tokio::test]
async fn a_function_delivers_like_a_server() {
    let post = Post::new();
    let functions = [
        post.server_with(Ownership::PerRequest).await,
        post.server_with(Ownership::PerRequest).await,
    ];
    for n in 0..6 {
        post.post(&functions[n % 2], "a", "/send", &format!("b:{n}\nc:{n}"))
            .await
            .expect("it sends");
    }
    for function in &functions {
        post.see(function, ("a", "/_dotdo_outbox"), "").await;
    }
    assert_eq!(post.get(&functions[0], "b", "/taken").await, "a:0\na:1\na:2\na:3\na:4\na:5");
}

#[tokio::test]
async fn whoever_waits_until_a_function_has_settled_finds_its_messages_delivered_or_failed() {
    let post = Post::new();
    for ownership in [Ownership::PerRequest, Ownership::Leased] {
        let server = post.server_with(ownership).await;
        for n in 0..3 {
            let before = post.get(&server, "b", "/taken").await.lines().count();
            post.post(&server, "a", "/send", &format!("b:{n}\nc:poison")).await.expect("it sends");
            server.engine.finish_background().await;
            assert_eq!(post.get(&server, "b", "/taken").await.lines().count(), before + 1);
        }
        assert!(
            !post.get(&server, "a", "/_dotdo_outbox").await.is_empty(),
            "what failed is tried again later, and nobody waits for that"
        );
        server.engine.shutdown(Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn a_request_that_fails_sends_nothing() {
    let post = Post::new();
    let server = post.server().await;
    post.post(&server, "a", "/send-and-fail", "b:1").await.expect_err("it fails");
    post.post(&server, "a", "/send", "b:2").await.expect("it sends");
    post.see(&server, ("b", "/taken"), "a:2").await;
}

#[tokio::test]
async fn what_can_not_be_sent_is_refused_when_it_is_sent() {
    let post = Post::new();
    let server = post.server().await;
    let long = format!("b:{}", "x".repeat(crate::limits::MESSAGE_BYTES_MAX));
    let error = post.post(&server, "a", "/send", &long).await.expect_err("it is too long");
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "MESSAGE_TOO_LARGE"));
    assert_eq!(post.post(&server, "a", "/send", ":1").await.expect_err("no id").code(), "BAD_ID");
    let error = post.post(&server, "a", "/send-nowhere", "").await.expect_err("no such class");
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "UNKNOWN_CLASS"));
    let error =
        post.post(&server, "a", "/send-stream", "").await.expect_err("a stream can't be kept");
    assert_eq!(error.code(), "MESSAGE_STREAM");
    assert_eq!(post.get(&server, "a", "/_dotdo_outbox").await, "");
}

#[tokio::test]
async fn a_message_that_comes_again_is_not_taken_again() {
    let post = Post::new();
    let server = post.server().await;
    for (sender, number) in [("a", 7), ("a", 7), ("a", 6), ("z", 6), ("a", 8)] {
        let mut request =
            http::Request::post("/take").body(Body::from(number.to_string())).expect("a request");
        request.extensions_mut().insert(Delivery { sender: friend(sender), number });
        server.engine.fetch(&friend("b"), None, request).await.expect("it is taken, or was");
    }
    assert_eq!(post.get(&server, "b", "/taken").await, "a:7\nz:6\na:8");
}

#[tokio::test]
async fn lost_answers_deliver_nothing_twice() {
    let post = Post::new();
    let server = post.server().await;
    post.bucket.fail_next_commits([
        Fault::LostAnswer,
        Fault::AppliedButExists,
        Fault::NotApplied,
        Fault::LostAnswer,
        Fault::LostAnswer,
    ]);
    post.post(&server, "a", "/send", "b:1\nb:2\nb:3").await.expect("its record is there");
    post.see(&server, ("a", "/_dotdo_outbox"), "").await;
    assert_eq!(post.get(&server, "b", "/taken").await, "a:1\na:2\na:3");
}

#[tokio::test]
async fn after_a_crash_before_delivery_another_server_finds_the_messages_by_itself() {
    let post = Post::new();
    let first = post.server().await;
    first.crash_at("/friend/b/");
    post.post(&first, "a", "/send", "b:1\nb:2").await.expect("it sends");
    post.pass(Duration::from_secs(1)).await;
    first.crash();
    let second = post.server().await;
    // Nobody asks for `a`.
    for _ in 0..100 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(post.get(&second, "b", "/taken").await, "a:1\na:2");
    for _ in 0..300 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(post.markers().await, 0, "nothing is to deliver, so nothing says that there is");
}

#[tokio::test]
async fn without_its_marker_a_message_goes_on_with_the_next_request_to_its_sender() {
    let post = Post::new();
    let first = post.server().await;
    first.crash_at("/friend/b/");
    post.post(&first, "a", "/send", "b:1").await.expect("it sends");
    post.pass(Duration::from_secs(1)).await;
    first.crash();
    let markers =
        post.bucket.list(&Key::new("local/local/outbox"), None, 10).await.expect("memory lists");
    post.bucket.delete(&[markers[0].key.clone()]).await.expect("memory deletes");
    let second = post.server().await;
    assert_eq!(post.get(&second, "b", "/taken").await, "");
    post.get(&second, "a", "/sent").await;
    post.see(&second, ("b", "/taken"), "a:1").await;
}

#[tokio::test]
async fn after_a_crash_between_delivery_and_its_note_the_message_is_not_taken_again() {
    let post = Post::new();
    let first = post.server().await;
    post.post(&first, "a", "/cure", "").await.expect("a first record");
    first.crash_at("/friend/a/log/fffffffffffffffc-3");
    post.post(&first, "a", "/send", "b:1").await.expect("it sends");
    post.pass(Duration::from_secs(1)).await;
    first.crash();
    assert_eq!(post.bucket.creates_of("/friend/b/log"), 1, "it was delivered");
    assert_eq!(post.bucket.creates_of("/friend/a/log"), 2, "and its sender does not know");
    let second = post.server().await;
    post.see(&second, ("a", "/_dotdo_outbox"), "").await;
    assert_eq!(post.get(&second, "b", "/taken").await, "a:1");
}

#[tokio::test]
async fn a_message_whose_record_is_on_its_way_is_not_delivered() {
    let post = Post::new();
    let first = post.server().await;
    // A relay is at work, and looks again and again.
    post.post(&first, "a", "/send", "c:poison").await.expect("it sends");
    post.pass(Duration::from_secs(1)).await;
    first.stall_at("/friend/a/log");
    let request = http::Request::post("/send").body(Body::from("b:1")).expect("a request");
    let engine = first.engine.clone();
    let asked = tokio::spawn(async move { engine.fetch(&friend("a"), None, request).await });
    for _ in 0..20 {
        post.pass(Duration::from_millis(100)).await;
    }
    assert!(!asked.is_finished());
    assert_eq!(post.bucket.creates_of("/friend/b/log"), 0);
    first.crash();
    let second = post.server().await;
    assert_eq!(post.get(&second, "a", "/sent").await, "c:poison");
    post.pass(Duration::from_secs(5)).await;
    assert_eq!(post.get(&second, "b", "/taken").await, "");
}

#[tokio::test]
async fn a_poisoned_message_holds_up_its_receiver_alone_until_it_is_cured() {
    let post = Post::new();
    let server = post.server().await;
    post.post(&server, "a", "/send", "b:poison\nb:after\nc:other").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:other").await;
    for _ in 0..100 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(post.get(&server, "b", "/taken").await, "");
    let waiting = post.get(&server, "a", "/_dotdo_outbox").await;
    let lines: Vec<&str> = waiting.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].ends_with("CONFLICT: it is poison") && lines[1] == "b 0 -",
        "{waiting}"
    );
    let attempts: u32 =
        lines[0].split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a count");
    assert!((8..=14).contains(&attempts), "pauses grow to a minute: {attempts} attempts");
    post.post(&server, "b", "/cure", "").await.expect("it is cured");
    post.see(&server, ("b", "/taken"), "a:poison\na:after").await;
    post.see(&server, ("a", "/_dotdo_outbox"), "").await;
}

#[tokio::test]
async fn other_servers_leave_a_sender_alone_while_its_own_tries() {
    let post = Post::new();
    let (first, second) = (post.server().await, post.server().await);
    post.post(&first, "a", "/send", "b:poison").await.expect("it sends");
    for _ in 0..600 {
        post.pass(Duration::from_secs(1)).await;
    }
    let waiting = post.get(&first, "a", "/_dotdo_outbox").await;
    let attempts: u32 =
        waiting.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a count");
    assert!(
        (15..=22).contains(&attempts),
        "one server tries, once a minute at last: {attempts} attempts"
    );
    drop(second);
}

#[tokio::test]
async fn messages_go_on_when_the_server_that_took_their_sender_over_is_gone_too() {
    let post = Post::new();
    let (first, second) = (post.server().await, post.server().await);
    post.post(&first, "a", "/send", "b:poison").await.expect("it sends");
    let mut has_it = 0;
    for _ in 0..50 {
        // The second takes over, and keeps the object until the first has given up.
        has_it += u32::from(post.try_get(&second, "a", "/sent").await.is_ok());
        post.pass(Duration::from_secs(2)).await;
    }
    assert!(has_it > 30, "the second has had it for a minute: {has_it}");
    second.crash();
    post.post(&first, "b", "/cure", "").await.expect("it is cured");
    for _ in 0..240 {
        post.pass(Duration::from_secs(1)).await;
    }
    // Nobody has asked for `a`.
    assert_eq!(post.get(&first, "b", "/taken").await, "a:poison");
}

#[tokio::test]
async fn an_object_that_begins_anew_does_not_repeat_its_numbers() {
    let post = Post::new();
    let first = post.server().await;
    post.post(&first, "a", "/send", "b:1\nb:2").await.expect("it sends");
    post.see(&first, ("a", "/_dotdo_outbox"), "").await;
    first.crash();
    let all = post
        .bucket
        .list(&Key::new("local/local/do/friend/a"), None, 1000)
        .await
        .expect("memory lists");
    let keys: Vec<Key> = all.into_iter().map(|entry| entry.key).collect();
    post.bucket.delete(&keys).await.expect("memory deletes");
    let second = post.server().await;
    post.post(&second, "a", "/send", "b:new").await.expect("it sends");
    post.see(&second, ("b", "/taken"), "a:1\na:2\na:new").await;
}

#[tokio::test]
async fn a_marker_costs_one_put_a_minute_and_goes_when_nothing_is_sent_any_more() {
    let post = Post::new();
    let server = post.server().await;
    for n in 0..20 {
        post.post(&server, "a", "/send", &format!("b:{n}")).await.expect("it sends");
        post.pass(Duration::from_secs(1)).await;
        assert_eq!(post.markers().await, 1);
    }
    for _ in 0..61 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(post.markers().await, 0);
    post.post(&server, "a", "/send", "b:again").await.expect("it sends");
    assert_eq!(post.markers().await, 1, "the response waited for it");
    server.engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(post.markers().await, 0, "a server that stops in order takes it away");
}

/// Three friends write to each other while their servers, of both kinds, crash.
async fn history(crashes: Vec<(u64, bool)>, sends: Vec<(u8, u8)>) {
    let post = Post::new();
    let names = ["a", "b", "c"];
    let mut sends = sends.into_iter().enumerate();
    let mut servers = Vec::new();
    for (requests, leased) in crashes {
        let server =
            post.server_with(if leased { Ownership::Leased } else { Ownership::PerRequest }).await;
        server.crash_after(requests);
        for (n, (from, to)) in sends.by_ref().take(3) {
            // It may never answer.
            let work = format!("{}:{n}", names[usize::from(to) % 3]);
            let request = http::Request::post("/send").body(work.into()).expect("a request");
            let (engine, object) = (server.engine.clone(), friend(names[usize::from(from) % 3]));
            tokio::spawn(async move { engine.fetch(&object, None, request).await });
        }
        for _ in 0..20 {
            post.pass(Duration::from_millis(250)).await;
        }
        // Some live on a little beside the next.
        servers.push(server);
    }
    servers.into_iter().for_each(Server::crash);
    let last = post.server().await;
    for name in names {
        post.see(&last, (name, "/_dotdo_outbox"), "").await;
    }
    check(&post, &last, names).await;
}

/// Everybody has taken exactly what was sent to them, in the order of each sender.
async fn check(post: &Post, server: &Server, names: [&'static str; 3]) {
    let (mut sent, mut taken) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        for line in post.get(server, name, "/sent").await.lines() {
            let (to, text) = line.split_once(':').expect("a line");
            sent.entry((name.to_owned(), to.to_owned()))
                .or_insert_with(Vec::new)
                .push(text.to_owned());
        }
        for line in post.get(server, name, "/taken").await.lines() {
            let (from, text) = line.split_once(':').expect("a line");
            taken
                .entry((from.to_owned(), name.to_owned()))
                .or_insert_with(Vec::new)
                .push(text.to_owned());
        }
    }
    assert_eq!(sent, taken);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_crashes_when_everything_sent_is_taken_once_and_in_order(
        crashes in proptest::collection::vec((1_u64..150, any::<bool>()), 1..5),
        sends in proptest::collection::vec((0_u8..3, 0_u8..3), 1..15),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(history(crashes, sends));
    }
}
