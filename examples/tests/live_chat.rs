//! `live_chat.rs`

use dotdo::testing::{TestServer, TestSocket};
use dotdo_tests::{Deadline, Incoming, Socket};
use serde_json::{Value, json};

use crate::programs::live_chat::app;
use crate::running::Running;

async fn join(server: &TestServer, name: &str) -> TestSocket {
    let joined = server.get(&format!("/do/lobby/join?as={name}")).websocket().await;
    joined.unwrap_or_else(|answer| panic!("{name}: {}", answer.text()))
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn everybody_sees_who_comes_what_is_said_and_who_leaves() {
    let server = TestServer::start(app()).await;
    let ada = join(&server, "ada").await;
    let bob = join(&server, "bob").await;
    assert_eq!(read(&ada.text().await), json!({"joined": "bob"}));
    bob.send("hello").await;
    for socket in [&ada, &bob] {
        let said = read(&socket.text().await);
        assert_eq!(
            (&said["said"]["sender"], &said["said"]["text"]),
            (&json!("bob"), &json!("hello"))
        );
    }
    assert_eq!(server.get("/do/lobby/here").await.json::<Vec<String>>(), ["ada", "bob"]);
    bob.close(1000, "").await;
    assert_eq!(read(&ada.text().await), json!({"left": "bob"}));
    ada.send("").await;
    assert_eq!(read(&ada.text().await), json!({"error": "expected a text"}));
    let eve = join(&server, "eve").await;
    assert_eq!(read(&eve.text().await)["said"]["id"], 1, "she gets what was said");
    assert_eq!(server.get("/do/lobby/messages?after=0").await.json::<Value>()[0]["text"], "hello");
}

#[tokio::test]
async fn a_room_refuses_who_has_no_name_or_no_websocket() {
    let server = TestServer::start(app()).await;
    assert_eq!(server.get("/do/lobby/join?as=ada").await.code(), "NOT_A_WEBSOCKET");
    for path in ["/do/lobby/join", "/do/lobby/join?as="] {
        let refused = server.get(path).websocket().await.err().expect("it has no name");
        assert_eq!(refused.status(), 400);
    }
}

#[tokio::test]
async fn after_a_crash_nobody_is_there_and_everything_said_is() {
    let mut server = TestServer::start(app()).await;
    let ada = join(&server, "ada").await;
    ada.send("is anybody there?").await;
    server.crash().await;
    assert!(ada.try_send("hello?").await.is_err());
    let bob = join(&server, "bob").await;
    assert_eq!(read(&bob.text().await)["said"]["text"], "is anybody there?");
    server.settled().await;
    assert_eq!(read(&bob.text().await), json!({"left": "ada"}));
    assert_eq!(server.get("/do/lobby/here").await.json::<Vec<String>>(), ["bob"]);
}

/// The next thing that is said.
async fn said(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await {
            Incoming::Text(text) => {
                if let Some(said) = read(&text).get("said") {
                    return Some(said["text"].clone());
                }
            }
            Incoming::Binary(_) | Incoming::Closed(_) | Incoming::Broken => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_a_room_and_one_is_killed() {
    let program = env!("CARGO_BIN_EXE_example-live-chat");
    let mut first = Running::start(program).await;
    let second = first.another(program).await;
    let url = |server: &Running, name| server.url(&format!("/do/lobby/join?as={name}"));
    let mut ada = Socket::open(&url(&first, "ada")).await.expect("accepted");
    let mut bob = Socket::open(&url(&second, "bob")).await.expect("accepted");
    assert!(ada.send("one").await && bob.send("two").await);
    for socket in [&mut ada, &mut bob] {
        let mut both = [said(socket).await, said(socket).await];
        both.sort_by_key(|text| text.as_ref().map(Value::to_string));
        assert_eq!(both, [Some(json!("one")), Some(json!("two"))]);
    }
    first.crash();
    assert_eq!(said(&mut ada).await, None, "her server is gone");
    // Bob's connection is closed, because something for it may be lost; he comes again.
    let again = || async {
        let mut bob = Socket::open(&url(&second, "bob")).await.ok()?;
        bob.send("three").await.then_some(bob)
    };
    let mut bob = Deadline::in_seconds(60).until(again).await.expect("the room lives");
    let mut texts = Vec::new();
    while texts.last() != Some(&json!("three")) {
        match said(&mut bob).await {
            Some(text) => texts.push(text),
            None => bob = Deadline::in_seconds(60).until(again).await.expect("the room lives"),
        }
    }
    assert!(texts.contains(&json!("one")) && texts.contains(&json!("two")), "{texts:?}");
    let alone = || async {
        let here = second.ok("GET", "/do/lobby/here", Value::Null).await;
        (here == json!(["bob"])).then_some(())
    };
    Deadline::in_seconds(60).until(alone).await.expect("who was lost is not there");
}
