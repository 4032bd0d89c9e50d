//! What a server does with markers when it starts.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::post::{Post, friend};
use super::*;

const OUTBOX: &str = "local/local/outbox";

#[tokio::test]
async fn a_server_that_starts_leaves_to_others_what_they_own() {
    let post = Post::new();
    let first = post.server().await;
    post.post(&first, "a", "/send", "b:poison").await.expect("it sends");
    post.pass(Duration::from_secs(1)).await;
    let second = post.server().await;
    for _ in 0..5 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(post.markers().await, 1);
    assert!(
        second.engine.activations().existing(&friend("a")).is_none(),
        "it is not restored, and nobody waits for its turn"
    );
    first.crash();
    for _ in 0..240 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert!(
        second.engine.activations().existing(&friend("a")).is_some(),
        "nobody else looks after it now"
    );
}

#[tokio::test]
async fn a_server_that_starts_looks_after_old_markers_first_and_a_page_at_a_time() {
    let post = Post::new();
    // Nobody can read these, so they stay.
    for number in 0..1500 {
        let key = Key::new(OUTBOX).join(format!("00000000-{number:04}"));
        post.bucket.put(&key, "?".into()).await.expect("memory stores");
    }
    let first = post.server().await;
    first.crash_at("/friend/b/");
    post.post(&first, "a", "/send", "b:1").await.expect("it sends");
    post.pass(Duration::from_secs(1)).await;
    first.crash();
    post.pass(Duration::from_secs(20)).await;
    let read = Arc::new(Mutex::new(BTreeSet::new()));
    let noted = read.clone();
    post.bucket.record().observe(move |operation, key| {
        if operation == Operation::Get && key.as_str().starts_with(OUTBOX) {
            noted.lock().expect("nobody panics").insert(key.as_str().to_owned());
        }
    });
    let second = post.server().await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    let newest =
        |read: &Mutex<BTreeSet<String>>| read.lock().expect("nobody panics").last().cloned();
    assert!(newest(&read).is_some_and(|key| key.ends_with("-0999")), "{:?}", newest(&read));
    for _ in 0..10 {
        post.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(post.get(&second, "b", "/taken").await, "a:1");
}
