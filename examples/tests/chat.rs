//! `chat.rs`

use serde_json::{Value, json};

use crate::running::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-chat");

#[tokio::test(flavor = "multi_thread")]
async fn messages_last_and_presence_does_not() {
    let mut running = Running::start(PROGRAM).await;
    let said =
        running.ok("POST", "/do/lobby/messages", json!({"from": "ada", "text": "hello"})).await;
    assert_eq!((&said["id"], &said["sender"]), (&json!(1), &json!("ada")));
    running.ok("POST", "/do/lobby/messages", json!({"from": "ada", "text": "anybody?"})).await;
    let new = running.ok("GET", "/do/lobby/messages?after=1&as=bob", Value::Null).await;
    assert_eq!((new.as_array().map(Vec::len), &new[0]["text"]), (Some(1), &json!("anybody?")));
    assert_eq!(running.ok("GET", "/do/lobby/here", Value::Null).await, json!(["ada", "bob"]));
    assert_eq!(running.ok("GET", "/do/cellar/messages", Value::Null).await, json!([]));

    running.stop_and_start(PROGRAM).await;
    let history = running.ok("GET", "/do/lobby/messages?after=0&as=eve", Value::Null).await;
    assert_eq!(history[0], said);
    assert_eq!(running.ok("GET", "/do/lobby/here", Value::Null).await, json!(["eve"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_refuses_what_is_no_message() {
    let running = Running::start(PROGRAM).await;
    for body in [json!({"from": "ada"}), json!({"from": "ada", "text": ""}), json!("hello")] {
        assert_eq!(running.status("POST", "/do/lobby/messages", body).await, 400);
    }
    assert_eq!(running.status("GET", "/do/lobby/messages?after=yesterday", Value::Null).await, 400);
    assert_eq!(running.status("GET", "/do/lobby", Value::Null).await, 404);
}
