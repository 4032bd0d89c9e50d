//! `chat.rs`

use std::time::Duration;

use dotdo::testing::TestServer;
use serde_json::{Value, json};

use crate::programs::chat::app;

#[tokio::test]
async fn messages_last_and_presence_does_not() {
    let mut server = TestServer::start(app()).await;
    let say = |text| json!({"from": "ada", "text": text});
    let said: Value = server.post("/do/lobby/messages").json(&say("hello")).await.json();
    assert_eq!((&said["id"], &said["sender"]), (&json!(1), &json!("ada")));
    server.post("/do/lobby/messages").json(&say("anybody?")).await.ok();
    let new: Value = server.get("/do/lobby/messages?after=1&as=bob").await.json();
    assert_eq!((new.as_array().map(Vec::len), &new[0]["text"]), (Some(1), &json!("anybody?")));
    assert_eq!(server.get("/do/lobby/here").await.json::<Vec<String>>(), ["ada", "bob"]);
    assert_eq!(server.get("/do/cellar/messages").await.json::<Value>(), json!([]));

    server.restart().await;
    let history: Value = server.get("/do/lobby/messages?after=0&as=eve").await.json();
    assert_eq!(history[0], said);
    assert_eq!(server.get("/do/lobby/here").await.json::<Vec<String>>(), ["eve"]);
}

#[tokio::test]
async fn somebody_who_is_silent_for_half_a_minute_is_not_here_any_more() {
    let server = TestServer::start(app()).await;
    // A room that nobody has written to does not exist, and remembers nobody.
    server.post("/do/lobby/messages").json(&json!({"from": "eve", "text": "hello"})).await.ok();
    server.advance(Duration::from_secs(31)).await;
    server.get("/do/lobby/messages?as=ada").await.ok();
    server.advance(Duration::from_secs(20)).await;
    server.get("/do/lobby/messages?as=bob").await.ok();
    server.advance(Duration::from_secs(10)).await;
    assert_eq!(server.get("/do/lobby/here").await.json::<Vec<String>>(), ["ada", "bob"]);
    server.advance(Duration::from_millis(1)).await;
    assert_eq!(server.get("/do/lobby/here").await.json::<Vec<String>>(), ["bob"]);
}

#[tokio::test]
async fn a_room_refuses_what_is_no_message() {
    let server = TestServer::start(app()).await;
    for body in [json!({"from": "ada"}), json!({"from": "ada", "text": ""}), json!("hello")] {
        assert_eq!(server.post("/do/lobby/messages").json(&body).await.status(), 400);
    }
    assert_eq!(server.get("/do/lobby/messages?after=yesterday").await.status(), 400);
    assert_eq!(server.get("/do/lobby").await.status(), 404);
}
