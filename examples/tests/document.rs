//! `document.rs`

use dotdo::testing::{TestServer, TestSocket};
use serde_json::{Value, json};

use crate::programs::document::{Splice, app};

/// Somebody's copy, as her page would have it.
struct Copy {
    socket: TestSocket,
    text: String,
    version: u64,
    n: u64,
}

impl Copy {
    async fn open(server: &TestServer, name: &str) -> Self {
        let socket = server.get(&format!("/do/notes/edit?as={name}")).websocket().await;
        let socket = socket.unwrap_or_else(|answer| panic!("{name}: {}", answer.text()));
        let first: Value = serde_json::from_str(&socket.text().await).expect("JSON");
        let text = first["text"].as_str().expect("a text").to_owned();
        Self { socket, text, version: first["version"].as_u64().expect("a number"), n: 0 }
    }

    /// Sends an edit of the version that she has seen.
    async fn edit(&mut self, at: usize, remove: usize, insert: &str) -> String {
        self.n += 1;
        let edit = json!({
            "base": self.version, "n": self.n, "at": at, "remove": remove, "insert": insert,
        });
        self.socket.send(edit.to_string()).await;
        edit.to_string()
    }

    /// Applies what the object tells, up to a version.
    async fn follow(&mut self, version: u64) {
        while self.version < version {
            let told: Value = serde_json::from_str(&self.socket.text().await).expect("JSON");
            let applied = &told["applied"];
            let splice: Splice = serde_json::from_value(applied.clone()).expect("a change");
            self.text = splice.apply(&self.text).expect("it fits");
            self.version = applied["version"].as_u64().expect("a number");
        }
    }
}

async fn stored(server: &TestServer) -> (String, u64) {
    let stored: Value = server.get("/do/notes").await.ok().json();
    let text = stored["text"].as_str().expect("a text").to_owned();
    (text, stored["version"].as_u64().expect("a number"))
}

#[tokio::test]
async fn edits_at_the_same_time_give_everybody_the_same_text() {
    let server = TestServer::start(app()).await;
    let (mut ada, mut bob) = (Copy::open(&server, "ada").await, Copy::open(&server, "bob").await);
    ada.edit(0, 0, "hello world").await;
    bob.follow(1).await;
    ada.follow(1).await;
    // Neither has seen what the other does.
    ada.edit(6, 5, "there").await;
    bob.edit(0, 5, "good bye").await;
    bob.edit(11, 0, "!").await;
    let (text, version) = stored(&server).await;
    assert_eq!(text, "good bye there!");
    for copy in [&mut ada, &mut bob] {
        copy.follow(version).await;
        assert_eq!(copy.text, text);
    }
    // One removes all, and the other inserts into it.
    ada.edit(0, ada.text.chars().count(), "").await;
    bob.edit(4, 0, "ü").await;
    let (text, version) = stored(&server).await;
    assert_eq!(text, "ü");
    for copy in [&mut ada, &mut bob] {
        copy.follow(version).await;
        assert_eq!(copy.text, text);
    }
}

#[tokio::test]
async fn an_edit_that_is_sent_again_to_another_server_is_applied_once() {
    let first = TestServer::start(app()).await;
    let second = first.another().await;
    let mut ada = Copy::open(&first, "ada").await;
    let sent = ada.edit(0, 0, "once").await;
    first.kill();
    let ada = Copy::open(&second, "ada").await;
    assert_eq!((ada.text.as_str(), ada.version), ("once", 1));
    ada.socket.send(sent).await;
    assert_eq!(stored(&second).await, ("once".to_owned(), 1));
}

#[tokio::test]
async fn an_edit_that_makes_no_sense_is_answered_with_the_text() {
    let server = TestServer::start(app()).await;
    let mut ada = Copy::open(&server, "ada").await;
    ada.edit(7, 3, "x").await;
    let told: Value = serde_json::from_str(&ada.socket.text().await).expect("JSON");
    assert_eq!((&told["text"], &told["version"]), (&json!(""), &json!(0)));
    ada.socket.send("hello").await;
    let told: Value = serde_json::from_str(&ada.socket.text().await).expect("JSON");
    assert!(told["error"].as_str().is_some_and(|error| error.starts_with("expected an edit")));
}

/// All texts and changes of a small alphabet: whoever has which change first, all have the same text.
#[test]
fn a_change_moves_over_another_one_wherever_both_are() {
    let text = "abcd";
    let splices = |insert: &'static str| {
        (0..=4usize).flat_map(move |at| {
            (0..=4 - at).map(move |remove| Splice { at, remove, insert: insert.to_owned() })
        })
    };
    for first in splices("X") {
        for second in splices("Y") {
            let after = first.apply(text).expect("it fits");
            let moved = second.clone().over(&first);
            let both = moved.iter().try_fold(after, |text, splice| splice.apply(&text));
            let both = both.unwrap_or_else(|| panic!("{second:?} over {first:?}: {moved:?}"));
            assert!(both.contains('X') && both.contains('Y'), "{first:?} {second:?}: {both}");
            let is_removed =
                |splice: &Splice, at| (splice.at..splice.at + splice.remove).contains(&at);
            let left: String = (0..4)
                .filter(|at| !is_removed(&first, *at) && !is_removed(&second, *at))
                .filter_map(|at| text.chars().nth(at))
                .collect();
            let letters: String = both.chars().filter(char::is_ascii_lowercase).collect();
            assert_eq!(letters, left, "{first:?} {second:?}: {both}");
        }
    }
}
