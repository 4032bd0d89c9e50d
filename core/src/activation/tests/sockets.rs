//! Sockets: what their clients see, whatever happens to the object and its servers.

mod between;
mod events;
mod held;

use super::*;
use crate::object::{RequestExt, WebSocket};
use crate::planted::{Bug, plant};
use crate::sockets::{
    Handshake, SocketClose, SocketConnection, SocketEnd, SocketFrame, SocketMessage,
};

/// A room that counts what was said, and writes down who has left.
struct Room;

impl DurableObject for Room {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/left" => {
                let left: Vec<String> = ctx.storage().get("left")?.unwrap_or_default();
                return Ok(Response::new(left.join(",").into()));
            }
            "/there" => {
                let there: Vec<Option<String>> =
                    ctx.sockets(None)?.iter().map(WebSocket::attachment).collect::<Result<_>>()?;
                let names: Vec<String> = there.into_iter().flatten().collect();
                return Ok(Response::new(names.join(",").into()));
            }
            "/say" => {
                let said = said(ctx)?;
                ctx.broadcast(None, said)?;
                return Ok(Response::new(Body::empty()));
            }
            "/events" => {
                let (mut socket, response) = ctx.accept_events(&["events"])?;
                socket.set_attachment(ctx, "events")?;
                socket.send(ctx, "welcome")?;
                return Ok(response);
            }
            "/flood" => {
                ctx.broadcast(None, vec![0; 1 << 20])?;
                return Ok(Response::new(Body::empty()));
            }
            "/ping" => {
                ctx.set_auto_response(Some(("ping", "pong")))?;
                return Ok(Response::new(Body::empty()));
            }
            _ => {}
        }
        let mut socket = request.websocket()?;
        let tag = request.query("tag").unwrap_or_default();
        ctx.accept(&mut socket, &[tag.as_str(), "all"])?;
        socket.set_attachment(ctx, path.trim_start_matches('/'))?;
        match tag.as_str() {
            "forgetful" => return Ok(Response::new(Body::empty())),
            "failing" => return Err(Error::handler("on purpose")),
            _ => {}
        }
        socket.send(ctx, "welcome")?;
        Ok(socket.upgraded())
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let name: String = socket.attachment()?.unwrap_or_default();
        match message.text() {
            Some("fail") => {
                said(ctx)?;
                socket.send(ctx, "never")?;
                Err(Error::conflict("on purpose"))
            }
            Some("bye") => socket.close(ctx, 4000, "bye"),
            Some("look") => {
                let count: u64 = ctx.storage().get("said")?.unwrap_or(0);
                socket.send(ctx, format!("{name} sees {count}"))
            }
            Some("half") => {
                let undone = ctx.transaction(|ctx| {
                    socket.send(ctx, "undone")?;
                    Err::<(), _>(Error::handler("on purpose"))
                });
                socket.send(ctx, format!("{}", undone.is_err()))
            }
            Some("all") => {
                let said = said(ctx)?;
                ctx.broadcast(Some("all"), format!("{name}: {said}"))
            }
            _ => {
                let said = said(ctx)?;
                socket.send(ctx, said)
            }
        }
    }

    async fn websocket_close(
        &mut self,
        socket: WebSocket,
        close: SocketClose,
        ctx: &mut Context,
    ) -> Result<()> {
        let name: String = socket.attachment()?.unwrap_or_default();
        if name == "sticky" {
            return Err(Error::handler("on purpose"));
        }
        let mut left: Vec<String> = ctx.storage().get("left")?.unwrap_or_default();
        left.push(format!("{name} {}", close.code));
        ctx.storage().put("left", &left)
    }
}

/// Counts what was said.
fn said(ctx: &mut Context) -> Result<String> {
    let count = ctx.storage().get::<u64>("said")?.unwrap_or(0) + 1;
    ctx.storage().put("said", &count)?;
    Ok(count.to_string())
}

fn world() -> World {
    World::of(App::new().class("Counter", || Room))
}

/// Opens a WebSocket.
async fn open(engine: &Engine, path: &str) -> Result<SocketConnection> {
    let mut request = http::Request::get(path).body(Body::empty())?;
    request.extensions_mut().insert(Handshake);
    let mut response = engine.fetch(&object(), None, request).await?;
    let connection = response.extensions_mut().remove::<SocketConnection>();
    connection.ok_or_else(|| Error::conflict(format!("not accepted: {}", response.status())))
}

fn text(frame: SocketFrame) -> String {
    match frame {
        SocketFrame::Text(text) => String::from_utf8(text.into()).expect("UTF-8"),
        other => format!("{other:?}"),
    }
}

/// Everything that has come by now.
async fn got(connection: &SocketConnection) -> Vec<String> {
    run_ready().await;
    std::iter::from_fn(|| connection.try_next()).map(text).collect()
}

async fn say(connection: &SocketConnection, what: &str) {
    connection.message(what.into()).await.expect("it is handled");
}

async fn leave(connection: SocketConnection) {
    connection.end(SocketEnd { close: SocketClose::new(1001, "away"), error: None }).await;
}

#[tokio::test]
async fn a_socket_is_accepted_gets_answers_and_broadcasts_and_leaves() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = world();
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        let ada = open(&engine, "/ada?tag=a").await.expect("accepted");
        let bob = open(&engine, "/bob?tag=b").await.expect("accepted");
        say(&ada, "something").await;
        say(&bob, "all").await;
        say(&bob, "half").await;
        assert_eq!(got(&ada).await, ["welcome", "1", "bob: 2"]);
        assert_eq!(got(&bob).await, ["welcome", "bob: 2", "true"]);
        assert_eq!(get(&engine, "/there").await.expect("it is asked"), "bob,ada");
        leave(ada).await;
        assert_eq!(get(&engine, "/there").await.expect("it is asked"), "bob");
        assert_eq!(get(&engine, "/left").await.expect("it is asked"), "ada 1001");
        drop(bob);
        engine.finish_background().await;
        assert_eq!(get(&engine, "/left").await.expect("it is asked"), "ada 1001,bob 1006");
        assert_eq!(get(&engine, "/there").await.expect("it is asked"), "");
    }
}

/// Says something while no record is written, and returns what the client has seen by then.
async fn seen_before_the_record() -> (Vec<String>, Vec<String>) {
    let world = world();
    let slow = Arc::new(SlowBucket::around(world.bucket.clone(), world.clock.clone()));
    let components =
        Components { buckets: Arc::new(SharedBucket(slow.clone())), ..world.components(1) };
    let engine = world.server_of(components, Settings::default()).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    let bob = open(&engine, "/bob").await.expect("accepted");
    assert_eq!((got(&ada).await.len(), got(&bob).await.len()), (1, 1));
    slow.hold(Operation::is_commit);
    let (writer, reader) = (ada.clone(), bob.clone());
    let writing = tokio::spawn(async move { writer.message("all".into()).await });
    slow.held().await;
    // It writes nothing itself, and has seen what is not in the bucket yet.
    let reading = tokio::spawn(async move { reader.message("look".into()).await });
    run_ready().await;
    let before = got(&bob).await;
    slow.release();
    writing.await.expect("no panic").expect("it is handled");
    reading.await.expect("no panic").expect("it is handled");
    (before, got(&bob).await)
}

#[tokio::test]
async fn no_frame_leaves_before_the_record_that_it_depends_on() {
    let (before, after) = seen_before_the_record().await;
    assert_eq!(before, [""; 0]);
    assert_eq!(after, ["ada: 1", "bob sees 1"]);
}

#[tokio::test]
async fn a_frame_that_leaves_before_its_record_is_noticed() {
    plant(Some(Bug::FrameBeforeRecord));
    let (before, _) = seen_before_the_record().await;
    plant(None);
    assert_eq!(before, ["ada: 1", "bob sees 1"]);
}

#[tokio::test]
async fn what_is_not_in_the_bucket_was_never_sent() {
    let world = world();
    let engine = world.server(1).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    let bob = open(&engine, "/bob").await.expect("accepted");
    world.bucket.fail_next_commits([Fault::Refused]);
    let close = ada.message("fail".into()).await.expect_err("its handler fails");
    assert_eq!((close.code, close.reason.as_str()), (1011, "CONFLICT"));
    world.bucket.fail_next_commits([]);
    assert_eq!(got(&ada).await, ["welcome"]);
    assert_eq!(got(&bob).await, ["welcome"]);
    say(&bob, "look").await;
    assert_eq!(got(&bob).await, ["bob sees 0"]);
}

#[tokio::test]
async fn a_message_that_the_store_does_not_take_is_handled_when_it_does() {
    let world = world();
    let engine = world.server(1).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    world.bucket.fail_next_commits([Fault::Refused]);
    let clock = world.clock.clone();
    let saying = tokio::spawn({
        let ada = ada.clone();
        async move { ada.message("something".into()).await }
    });
    while !saying.is_finished() {
        clock.advance(Duration::from_millis(50));
        tokio::task::yield_now().await;
    }
    saying.await.expect("no panic").expect("it is handled at last");
    assert_eq!(got(&ada).await, ["welcome", "1"], "and once");
}

#[tokio::test]
async fn a_handshake_that_is_not_accepted_leaves_nothing() {
    let world = world();
    let engine = world.server(1).await;
    assert!(open(&engine, "/ada?tag=failing").await.is_err());
    let forgot = open(&engine, "/ada?tag=forgetful").await.expect_err("it is not returned");
    assert_eq!(forgot.code(), "SOCKET_NOT_RETURNED");
    assert!(open(&engine, "/left").await.is_err(), "the handler answers something else");
    let plain = get(&engine, "/ada").await.expect_err("no handshake");
    assert_eq!(plain.code(), "NOT_A_WEBSOCKET");
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "");
    run_ready().await;
    assert_eq!(engine.budget().used(crate::budget::Use::Requests), 0, "no line is left");
}

#[tokio::test]
async fn sockets_stay_while_their_object_is_out_of_memory() {
    let world = world();
    let engine = world.server_with(1, Settings { objects_max: 1, ..Settings::default() }).await;
    let ada = open(&engine, "/ada?tag=x").await.expect("accepted");
    let activation = engine.activations().existing(&object()).expect("it was used");
    let mut held = activation.turn.lock().await;
    activation.drop_memory(&mut held);
    drop(held);
    assert!(!activation.is_resident());
    say(&ada, "all").await;
    assert!(activation.is_resident());
    assert_eq!(got(&ada).await, ["welcome", "ada: 1"]);
}

#[tokio::test]
async fn an_automatic_answer_does_not_wake_the_object() {
    let world = world();
    let engine = world.server(1).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    assert_eq!(ada.auto_response(&"ping".into()), None);
    get(&engine, "/ping").await.expect("it is set");
    run_ready().await;
    assert_eq!(ada.auto_response(&"ping".into()), Some("pong".into()));
    assert_eq!(ada.auto_response(&"ping!".into()), None);
    let bob = open(&engine, "/bob").await.expect("accepted");
    run_ready().await;
    assert_eq!(bob.auto_response(&"ping".into()), Some("pong".into()));
}

#[tokio::test]
async fn an_object_closes_a_socket_and_learns_of_its_end() {
    let world = world();
    let engine = world.server(1).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    say(&ada, "bye").await;
    run_ready().await;
    assert_eq!(text(ada.next().await), "welcome");
    assert_eq!(ada.next().await, SocketFrame::Close(SocketClose::new(4000, "bye")));
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "");
    say(&ada, "something").await;
    assert_eq!(got(&ada).await, [""; 0], "nothing after the end");
    ada.end(SocketEnd { close: SocketClose::new(4000, "bye"), error: None }).await;
    assert_eq!(get(&engine, "/left").await.expect("it is asked"), "ada 4000");
}

#[tokio::test]
async fn a_socket_whose_close_handler_fails_is_forgotten() {
    let world = world();
    let engine = world.server(1).await;
    let sticky = open(&engine, "/sticky").await.expect("accepted");
    leave(sticky).await;
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "");
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_disconnected_and_holds_no_more() {
    let world = world();
    let engine = world.server(1).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    for _ in 0..5 {
        get(&engine, "/flood").await.expect("it is sent");
    }
    let frames = got(&ada).await;
    assert_eq!(frames.len(), 1, "what waited is gone");
    assert!(frames[0].contains("1008"), "{frames:?}");
}

#[tokio::test]
async fn too_many_sockets_are_refused_and_make_room_when_they_end() {
    let world = world();
    let settings = Settings { sockets_max: 2, ..Settings::default() };
    let engine = world.server_with(1, settings).await;
    let ada = open(&engine, "/ada").await.expect("accepted");
    let _bob = open(&engine, "/bob").await.expect("accepted");
    let error = open(&engine, "/cyd").await.expect_err("there are two");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "TOO_MANY_SOCKETS"));
    leave(ada).await;
    open(&engine, "/cyd").await.expect("one has left");
}

#[tokio::test]
async fn sockets_of_a_server_that_has_crashed_are_forgotten_by_the_next_owner() {
    let world = world();
    let first = world.server(1).await;
    let ada = open(&first, "/ada").await.expect("accepted");
    say(&ada, "something").await;
    // Nothing more of it happens.
    world.clock.advance(LEASES_END);
    let second = world.server(2).await;
    let bob = open(&second, "/bob").await.expect("accepted");
    second.finish_background().await;
    assert_eq!(get(&second, "/there").await.expect("it is asked"), "bob");
    assert_eq!(get(&second, "/left").await.expect("it is asked"), "ada 1006");
    say(&bob, "look").await;
    assert_eq!(got(&bob).await, ["welcome", "bob sees 1"]);
    world.clock.advance(LEASES_END);
    let close = ada.message("something".into()).await.expect_err("it was given up");
    assert_eq!(close.code, 1012);
}
