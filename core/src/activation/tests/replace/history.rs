//! What of an object stays when its state is replaced: its promises to others.

use super::super::post::{Post, Server};
use super::*;
use crate::messages::Delivery;

fn friend(id: &str) -> ObjectId {
    Tenant::local().object("Friend", id).expect("a good id")
}

async fn back(server: &Server, id: &str, sequence: u64) {
    let (object, at) = (friend(id), Some(At::Sequence(sequence)));
    let administration = server.engine.administration();
    administration
        .restore_state(&object, (&object, at), Precondition::Any)
        .await
        .expect("it is restored");
}

async fn end(server: &Server, id: &str) {
    let deleted =
        server.engine.administration().delete_object(&friend(id), Precondition::Any).await;
    deleted.expect("it is deleted");
}

/// Delivers message `number` of `a` to `b`.
async fn deliver(server: &Server, number: u64, text: &'static str) -> u16 {
    let mut request = http::Request::post("/take").body(Body::from(text)).expect("a request");
    request.extensions_mut().insert(Delivery { sender: friend("a"), number });
    let answer = server.engine.fetch(&friend("b"), None, request).await;
    answer.expect("it is accepted").status().as_u16()
}

#[tokio::test]
async fn a_restored_sender_sends_nothing_again_and_what_waits_is_still_sent() {
    let post = Post::new();
    let server = post.server().await;
    // While it is poison, it stays in the outbox.
    post.post(&server, "a", "/send", "b:poison\nc:1").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:1").await;
    post.post(&server, "a", "/send", "c:2").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:1\na:2").await;
    back(&server, "a", 1).await;
    assert_eq!(post.get(&server, "a", "/sent").await, "b:poison\nc:1", "the state of then");
    post.post(&server, "b", "/cure", "").await.expect("it is cured");
    post.see(&server, ("a", "/_dotdo_outbox"), "").await;
    assert_eq!(post.get(&server, "b", "/taken").await, "a:poison");
    post.post(&server, "a", "/send", "c:3").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:1\na:2\na:3").await;
}

#[tokio::test]
async fn a_restored_receiver_takes_nothing_again() {
    let post = Post::new();
    let server = post.server().await;
    post.post(&server, "b", "/cure", "").await.expect("its first record");
    assert_eq!(deliver(&server, 7, "seven").await, 200);
    back(&server, "b", 1).await;
    assert_eq!(post.get(&server, "b", "/taken").await, "", "the state of then");
    assert_eq!(deliver(&server, 7, "seven").await, 208, "it was executed");
    assert_eq!(deliver(&server, 8, "eight").await, 200);
    assert_eq!(post.get(&server, "b", "/taken").await, "a:eight");
}

#[tokio::test]
async fn a_deleted_receiver_takes_nothing_again_and_a_new_message_begins_it_anew() {
    let post = Post::new();
    let server = post.server().await;
    assert_eq!(deliver(&server, 7, "seven").await, 200);
    end(&server, "b").await;
    assert_eq!(deliver(&server, 7, "seven").await, 208, "it was executed before the end");
    assert_eq!(post.get(&server, "b", "/taken").await, "");
    assert_eq!(deliver(&server, 8, "eight").await, 200);
    assert_eq!(post.get(&server, "b", "/taken").await, "a:eight");
}

#[tokio::test]
async fn a_deleted_sender_sends_nothing_more_and_never_uses_a_number_twice() {
    let post = Post::new();
    let server = post.server().await;
    post.post(&server, "a", "/send", "b:poison").await.expect("it sends");
    post.see(&server, ("a", "/sent"), "b:poison").await;
    end(&server, "a").await;
    server.engine.finish_background().await;
    post.post(&server, "b", "/cure", "").await.expect("it is cured");
    // A clock that is set back would give a lower number.
    post.clock.set_wall(-3_600_000);
    post.post(&server, "a", "/send", "c:1").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:1").await;
    post.see(&server, ("a", "/_dotdo_outbox"), "").await;
    end(&server, "a").await;
    post.clock.set_wall(-7_200_000);
    post.post(&server, "a", "/send", "c:2").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:1\na:2").await;
    assert_eq!(post.get(&server, "b", "/taken").await, "", "what had waited is gone");
}

#[tokio::test]
async fn a_keyed_request_stays_executed_when_the_state_is_replaced_and_not_when_it_ends() {
    let (_world, engine) = counted().await;
    let keyed = || async {
        let request =
            http::Request::post("/add").header("idempotency-key", "k").body(Body::empty());
        let answer = engine.fetch(&object(), None, request.expect("a request")).await;
        answer.expect("it counts").into_body().text().await.expect("a text")
    };
    assert_eq!(keyed().await, "2");
    back_to(&engine, 1).await.expect("it is restored");
    assert_eq!(keyed().await, "2", "its answer is kept");
    assert_eq!(get(&engine, "/get").await.expect("the state"), "1");
    let deleted = engine.administration().delete_object(&object(), Precondition::Any).await;
    deleted.expect("it is deleted");
    assert_eq!(keyed().await, "1", "the answer was the object's data");
}
