//! Sockets whose connections something else holds than a server.

use std::collections::BTreeMap;

use super::*;
use crate::sockets::{HeldConnection, SocketTransport, TransportError};
use crate::sync::Mutex;

/// Holds connections, and has what came for each.
#[derive(Default)]
struct Holder {
    connections: Mutex<BTreeMap<String, Vec<String>>>,
    /// How many more frames it fails to send.
    failures: Mutex<u32>,
}

#[async_trait::async_trait]
impl SocketTransport for Holder {
    async fn send(&self, address: &str, frame: SocketFrame) -> Result<(), TransportError> {
        let is_end = matches!(frame, SocketFrame::Close(_) | SocketFrame::Break(_));
        let mut failures = self.failures.lock();
        if *failures > 0 && !is_end {
            *failures -= 1;
            return Err(TransportError::Failed("as planned".to_owned()));
        }
        if matches!(frame, SocketFrame::Binary(_)) {
            return Err(TransportError::Refused(SocketClose::new(1003, "text only")));
        }
        let mut connections = self.connections.lock();
        let frames = connections.get_mut(address).ok_or(TransportError::Gone)?;
        frames.push(text(frame));
        Ok(())
    }

    fn time_max(&self) -> Duration {
        Duration::from_secs(7200)
    }
}

impl Holder {
    /// The client of a connection is there.
    fn complete(&self, address: &str) {
        self.connections.lock().insert(address.to_owned(), Vec::new());
    }

    fn lose(&self, address: &str) {
        self.connections.lock().remove(address);
    }

    /// Everything that has come by now.
    fn heard(&self, address: &str) -> Vec<String> {
        self.connections.lock().get_mut(address).map(std::mem::take).unwrap_or_default()
    }
}

/// Functions on one bucket, and what holds their connections.
struct Held {
    world: World,
    holder: Arc<Holder>,
}

impl Held {
    fn new() -> Self {
        Self { world: world(), holder: Arc::default() }
    }

    async fn function(&self, instance: u128) -> Engine {
        self.function_on(self.world.components(instance)).await
    }

    async fn function_on(&self, components: Components) -> Engine {
        let holder: Arc<dyn SocketTransport> = self.holder.clone();
        let components = Components { transport: Some(holder), ..components };
        let ownership = Ownership::PerRequest;
        self.world.server_of(components, Settings { ownership, ..Settings::default() }).await
    }

    /// Opens a connection by `engine`, and answers its handshake.
    async fn enter(&self, engine: &Engine, address: &str) {
        let connection = ask(engine, address).await.expect("accepted");
        self.holder.complete(address);
        engine.opened(&connection);
        engine.finish_background().await;
        assert_eq!(self.holder.heard(address), ["welcome"]);
    }

    /// Waits for background work, however long it takes.
    async fn settle(&self, engine: &Engine) {
        let engine = engine.clone();
        let settled = tokio::spawn(async move { engine.finish_background().await });
        while !settled.is_finished() {
            self.world.clock.advance(Duration::from_millis(50));
            tokio::task::yield_now().await;
        }
    }
}

/// Asks for a connection.
async fn ask(engine: &Engine, address: &str) -> Result<SocketConnection> {
    let mut request = http::Request::get(format!("/{address}")).body(Body::empty())?;
    request.extensions_mut().insert(Handshake);
    request.extensions_mut().insert(HeldConnection { address: address.to_owned() });
    let mut response = engine.fetch(&object(), None, request).await?;
    let connection = response.extensions_mut().remove::<SocketConnection>();
    connection.ok_or_else(|| Error::conflict(format!("not accepted: {}", response.status())))
}

/// The connection as the next process has it.
async fn found(engine: &Engine, address: &str) -> Option<SocketConnection> {
    engine.held_connection(address).await.expect("the bucket answers")
}

#[tokio::test]
async fn what_is_sent_during_a_handshake_waits_for_its_answer() {
    let held = Held::new();
    let engine = held.function(1).await;
    let connection = ask(&engine, "ada").await.expect("accepted");
    held.holder.complete("ada");
    engine.finish_background().await;
    assert_eq!(held.holder.heard("ada"), [""; 0], "nothing can be sent yet");
    engine.opened(&connection);
    engine.finish_background().await;
    assert_eq!(held.holder.heard("ada"), ["welcome"]);
    // The answer has left, and is not with the client yet.
    engine.opened(&ask(&engine, "zoe").await.expect("accepted"));
    run_ready().await;
    held.holder.complete("zoe");
    held.settle(&engine).await;
    assert_eq!(held.holder.heard("zoe"), ["welcome"]);
    leave(found(&engine, "zoe").await.expect("it is noted")).await;
    // Without an answer, the connection never was.
    drop(ask(&engine, "bob").await.expect("accepted"));
    engine.finish_background().await;
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "ada");
    assert_eq!(get(&engine, "/left").await.expect("it is asked"), "zoe 1001,bob 1006");
    assert!(found(&engine, "bob").await.is_none());
    assert!(ask(&engine, "eve?tag=failing").await.is_err());
    assert!(found(&engine, "eve?tag=failing").await.is_none());
}

#[tokio::test]
async fn messages_and_ends_find_their_object_in_any_process() {
    let held = Held::new();
    let first = held.function(1).await;
    for name in ["ada", "bob"] {
        held.enter(&first, name).await;
    }
    let second = held.function(2).await;
    say(&found(&second, "bob").await.expect("it is noted"), "all").await;
    second.finish_background().await;
    for name in ["ada", "bob"] {
        assert_eq!(held.holder.heard(name), ["bob: 1"]);
    }
    get(&second, "/ping").await.expect("it is set");
    say(&found(&first, "ada").await.expect("it is noted"), "ping").await;
    say(&found(&first, "ada").await.expect("it is noted"), "bye").await;
    first.finish_background().await;
    let closed = format!("{:?}", SocketFrame::Close(SocketClose::new(4000, "bye")));
    assert_eq!(held.holder.heard("ada"), ["pong".to_owned(), closed]);
    assert_eq!(get(&first, "/there").await.expect("it is asked"), "bob");
    leave(found(&second, "ada").await.expect("it is closing")).await;
    assert_eq!(get(&first, "/left").await.expect("it is asked"), "ada 1001");
    assert!(found(&first, "ada").await.is_none());
    // A handshake that comes twice is one connection.
    held.enter(&first, "bob").await;
    get(&first, "/say").await.expect("it says something");
    first.finish_background().await;
    assert_eq!(held.holder.heard("bob"), ["2"]);
    assert_eq!(get(&first, "/there").await.expect("it is asked"), "bob");
}

#[tokio::test]
async fn no_frame_leaves_the_process_before_its_record() {
    let held = Held::new();
    let slow = Arc::new(SlowBucket::around(held.world.bucket.clone(), held.world.clock.clone()));
    let buckets = Arc::new(SharedBucket(slow.clone()));
    let engine = held.function_on(Components { buckets, ..held.world.components(1) }).await;
    held.enter(&engine, "ada").await;
    let ada = found(&engine, "ada").await.expect("it is noted");
    slow.hold(Operation::is_commit);
    let writing = tokio::spawn(async move { ada.message("all".into()).await });
    slow.held().await;
    run_ready().await;
    assert_eq!(held.holder.heard("ada"), [""; 0]);
    slow.release();
    writing.await.expect("no panic").expect("it is handled");
    engine.finish_background().await;
    assert_eq!(held.holder.heard("ada"), ["ada: 1"]);
}

#[tokio::test]
async fn a_connection_that_is_not_there_yet_is_tried_again_and_one_that_is_gone_is_forgotten() {
    let held = Held::new();
    let (first, second) = (held.function(1).await, held.function(2).await);
    let connection = ask(&first, "ada").await.expect("accepted");
    get(&second, "/say").await.expect("it says something");
    run_ready().await;
    held.holder.complete("ada");
    held.settle(&second).await;
    assert_eq!(held.holder.heard("ada"), ["1"], "it was tried until the client was there");
    first.opened(&connection);
    first.finish_background().await;
    assert_eq!(held.holder.heard("ada"), ["welcome"]);
    held.world.clock.advance(Duration::from_secs(60));
    held.holder.lose("ada");
    get(&second, "/say").await.expect("it says something");
    second.finish_background().await;
    assert_eq!(get(&second, "/left").await.expect("it is asked"), "ada 1006");
    assert!(found(&second, "ada").await.is_none());
}

#[tokio::test]
async fn a_connection_that_a_frame_does_not_reach_is_closed() {
    let held = Held::new();
    let engine = held.function(1).await;
    held.enter(&engine, "ada").await;
    *held.holder.failures.lock() = 3;
    get(&engine, "/say").await.expect("it says something");
    held.settle(&engine).await;
    assert_eq!(held.holder.heard("ada"), ["1"], "it was sent at last");
    *held.holder.failures.lock() = u32::MAX;
    get(&engine, "/say").await.expect("it says something");
    held.settle(&engine).await;
    *held.holder.failures.lock() = 0;
    let heard = held.holder.heard("ada");
    assert!(heard.len() == 1 && heard[0].contains("1012"), "{heard:?}");
    held.enter(&engine, "bob").await;
    get(&engine, "/flood").await.expect("it sends bytes");
    held.settle(&engine).await;
    let heard = held.holder.heard("bob");
    assert!(heard.len() == 1 && heard[0].contains("1003"), "{heard:?}");
    let left = get(&engine, "/left").await.expect("it is asked");
    assert_eq!(left, "ada 1012,bob 1003");
}

#[tokio::test]
async fn a_server_that_reaches_no_such_connection_counts_it_as_lost_when_it_sends() {
    let held = Held::new();
    let function = held.function(1).await;
    held.enter(&function, "ada").await;
    let server = held.world.server(2).await;
    assert_eq!(get(&server, "/there").await.expect("it is asked"), "ada");
    get(&server, "/say").await.expect("it says something");
    server.finish_background().await;
    assert_eq!(get(&server, "/left").await.expect("it is asked"), "ada 1006");
    assert_eq!(server.held_connection("ada").await.expect_err("it can't").code(), "NO_CONNECTIONS");
}

#[tokio::test]
async fn what_is_older_than_a_connection_can_be_is_forgotten_by_a_tick() {
    let held = Held::new();
    let engine = held.function(1).await;
    held.enter(&engine, "ada").await;
    held.world.clock.advance(Duration::from_secs(7200));
    engine.tick().await.expect("it looks");
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "ada");
    held.enter(&engine, "bob").await;
    held.world.clock.advance(Duration::from_secs(3601));
    engine.tick().await.expect("it looks");
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "bob");
    assert_eq!(get(&engine, "/left").await.expect("it is asked"), "ada 1006");
    assert!(found(&engine, "ada").await.is_none() && found(&engine, "bob").await.is_some());
}
