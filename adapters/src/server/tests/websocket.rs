//! WebSockets through a real port: handshakes, limits, and what becomes of connections.

mod compressed;
mod conformance;
mod frames;

use dotdo_core::{
    App, Context, DurableObject, Engine, IntoResponse, Request, RequestExt, Response, Result,
    Settings, SocketClose, SocketMessage, WebSocket,
};

use self::frames::*;
use super::app::serving_with;
use super::*;
use crate::edge::RateSettings;

/// Answers each message with itself, and says what has come of it.
struct Echo;

impl DurableObject for Echo {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/left" => {
                let left: Vec<String> = ctx.storage().get("left")?.unwrap_or_default();
                return left.join(",").into_response();
            }
            "/count" => {
                return ctx.storage().get("count")?.unwrap_or(0).to_string().into_response();
            }
            "/events" => return Ok(ctx.accept_events(&[])?.1),
            "/flood" => {
                for _ in 0..12 {
                    ctx.broadcast(None, vec![0_u8; 1 << 20])?;
                }
                return ().into_response();
            }
            "/auto" => {
                ctx.set_auto_response(Some(("ping", "pong")))?;
                return ().into_response();
            }
            "/caller" => {
                let subject = ctx.caller().subject().unwrap_or("nobody").to_owned();
                let mut socket = request.websocket()?;
                ctx.accept(&mut socket, &[])?;
                socket.send(ctx, subject)?;
                let mut response = socket.upgraded();
                response.headers_mut().insert("x-own", HeaderValue::from_static("kept"));
                return Ok(response);
            }
            _ => {}
        }
        let mut socket = request.websocket()?;
        ctx.accept(&mut socket, &[])?;
        Ok(socket.upgraded())
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        match message.text() {
            Some("who") => {
                let subject = ctx.caller().subject().unwrap_or("nobody").to_owned();
                socket.send(ctx, subject)
            }
            Some("all") => ctx.broadcast(None, "to all"),
            Some("fail") => Err(dotdo_core::Error::conflict("on purpose")),
            Some("count") => {
                let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
                ctx.storage().put("count", &count)?;
                socket.send(ctx, count.to_string())
            }
            _ => socket.send(ctx, message),
        }
    }

    async fn websocket_close(
        &mut self,
        _: WebSocket,
        close: SocketClose,
        ctx: &mut Context,
    ) -> Result<()> {
        let mut left: Vec<String> = ctx.storage().get("left")?.unwrap_or_default();
        left.push(close.code.to_string());
        ctx.storage().put("left", &left)
    }
}

async fn server() -> Server<Engine> {
    with(server_settings(), edge_settings()).await
}

async fn with(server: ServerSettings, edge: EdgeSettings) -> Server<Engine> {
    let app = App::new().class("Echo", || Echo);
    serving_with(app, Settings::default(), edge, server).await
}

/// A server whose sockets may stay open for so long.
async fn with_time(socket_time_max: Duration) -> Server<Engine> {
    let settings = Settings { socket_time_max, ..Settings::default() };
    let app = App::new().class("Echo", || Echo);
    serving_with(app, settings, edge_settings(), server_settings()).await
}

/// Opens an event stream, and reads what comes first.
async fn open_events(server: &Server<Engine>, headers: &str) -> Client {
    let mut client = server.connect().await;
    client.send(format!("GET /do/a/events HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
    assert_eq!(client.head().await.headers["content-type"], "text/event-stream");
    assert_eq!(client.chunk().await.as_deref(), Some(&b": \n\n"[..]));
    client
}

async fn open(server: &Server<Engine>) -> Socket {
    Socket::open(server.connect().await, "/do/a", "").await.0
}

async fn get(server: &Server<Engine>, path: &str) -> String {
    server.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await.text().to_owned()
}

/// Asks until `path` is answered with `expected`.
async fn until(server: &Server<Engine>, path: &str, expected: &str) {
    while get(server, path).await != expected {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_handshake_is_answered_by_the_object_and_its_headers_are_kept() {
    let server = server().await;
    let (mut socket, answer) = Socket::open(server.connect().await, "/do/a/caller", "").await;
    assert_eq!(answer.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(answer.headers["connection"], "Upgrade");
    assert_eq!(answer.headers["x-own"], "kept");
    assert!(answer.headers.contains_key("x-request-id"));
    assert!(!answer.headers.contains_key("dotdo-socket"), "{answer:?}");
    assert_eq!(socket.text().await, "nobody");
    socket.send(whole(TEXT, b"count")).await;
    assert_eq!(socket.text().await, "1");
    // A plain request, an old version, and a class that wants none.
    let plain = server.ask("GET /do/a HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!((plain.status, plain.json()["code"].clone()), (400, "NOT_A_WEBSOCKET".into()));
    let old = handshake("/do/a", "").replace("version: 13", "version: 8");
    let old = server.ask(&old).await;
    assert_eq!((old.status, old.headers["sec-websocket-version"].as_str()), (426, "13"));
    let refused = server.ask(&handshake("/do/a/count", "")).await;
    assert_eq!((refused.status, refused.text()), (200, "1"));
}

#[tokio::test]
async fn messages_that_are_sent_at_once_are_handled_in_their_order() {
    let server = server().await;
    let mut socket = open(&server).await;
    let sent: Vec<u8> = (0..50).flat_map(|_| whole(TEXT, b"count")).collect();
    socket.send(sent).await;
    for number in 1..=50 {
        assert_eq!(socket.text().await, number.to_string());
    }
    socket.send([whole(TEXT, b"count"), whole(CLOSE, &closing(1001, b""))].concat()).await;
    while socket.frame().await.is_some() {}
    until(&server, "/do/a/left", "1001").await;
    assert_eq!(get(&server, "/do/a/count").await, "51", "what came before the end was handled");
}

#[tokio::test]
async fn a_message_that_fails_closes_its_socket_and_no_other() {
    let server = server().await;
    let (mut one, mut other) = (open(&server).await, open(&server).await);
    one.send(whole(TEXT, b"fail")).await;
    let frame = one.frame().await.expect("a close frame");
    assert_eq!((frame.code(), &frame.payload[2..]), (Some(1011), &b"CONFLICT"[..]));
    other.send(whole(TEXT, b"hello")).await;
    assert_eq!(other.text().await, "hello");
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_told_to_the_object() {
    let server = server().await;
    drop(open(&server).await);
    until(&server, "/do/a/left", "1006").await;
}

#[tokio::test]
async fn a_silent_client_gets_a_ping_and_is_closed_if_it_does_not_answer() {
    // A ping must be answered in half of this time, also on a busy machine.
    let sockets = SocketSettings { idle: Duration::from_secs(2), ..SocketSettings::default() };
    let server = with(ServerSettings { sockets, ..server_settings() }, edge_settings()).await;
    let mut socket = open(&server).await;
    for _ in 0..4 {
        let ping = socket.frame().await.expect("a ping");
        assert_eq!(ping.opcode, PING);
        socket.send(whole(PONG, &ping.payload)).await;
    }
    assert_eq!(socket.frame().await.expect("a ping").opcode, PING);
    assert_eq!(socket.closed().await, Some(1001));
}

#[tokio::test]
async fn a_connection_ends_after_its_time() {
    let server = with_time(Duration::from_millis(200)).await;
    assert_eq!(open(&server).await.closed().await, Some(1012));
    assert_eq!(open_events(&server, "").await.chunk().await, None, "the stream ends in order");
    until(&server, "/do/a/left", "1012,1006").await;
}

#[cfg(feature = "oidc")]
#[tokio::test]
async fn what_is_open_when_its_token_ends_goes_on_and_nothing_new_begins() {
    use crate::auth::AuthSettings;
    use crate::auth::provider::{Provider, SigningKey};

    let key = SigningKey::ec(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let (verifier, identity) = (Some(Arc::new(provider.verifier())), provider.settings());
    let auth = AuthSettings { verifier, identity, ..AuthSettings::default() };
    let server = with(server_settings(), EdgeSettings { auth, ..edge_settings() }).await;
    let token = provider.token(&key, &serde_json::json!({ "exp": provider.seconds(60) }));
    let headers = format!("authorization: Bearer {token}\r\n");
    let (mut socket, _) = Socket::open(server.connect().await, "/do/a/caller", &headers).await;
    assert_eq!(socket.text().await, "user_1");
    let mut events = open_events(&server, &headers).await;

    provider.advance(3600);
    socket.send(whole(TEXT, b"who")).await;
    assert_eq!(socket.text().await, "user_1", "its caller is whom the token named");
    socket.send(whole(TEXT, b"all")).await;
    assert_eq!(socket.text().await, "to all");
    assert_eq!(events.chunk().await.as_deref(), Some(&b"data: to all\n\n"[..]));
    for path in ["/do/a/caller", "/do/a/events", "/do/a/count"] {
        assert_eq!(server.ask(&handshake(path, &headers)).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let short = ServerSettings { write_stall: Duration::from_millis(200), ..server_settings() };
    let server = with(short, edge_settings()).await;
    let _deaf = open(&server).await;
    get(&server, "/do/a/flood").await;
    // Either its queue was full before it was written, or a write made no progress.
    while !["1006", "1008"].contains(&get(&server, "/do/a/left").await.as_str()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_automatic_answer_is_given_without_the_object() {
    let server = server().await;
    let mut socket = open(&server).await;
    get(&server, "/do/a/auto").await;
    // What is set applies once its record is there; the message behind it is answered after it.
    loop {
        socket.send(whole(TEXT, b"ping")).await;
        if socket.text().await == "pong" {
            break;
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_closes_its_sockets_and_tells_their_objects() {
    let server = server().await;
    let mut socket = open(&server).await;
    socket.send(whole(TEXT, b"count")).await;
    assert_eq!(socket.text().await, "1");
    let Server { edge, stop, running, .. } = server;
    stop.send(()).expect("it runs");
    assert_eq!(socket.closed().await, Some(1012));
    socket.send(whole(CLOSE, &closing(1012, b""))).await;
    running.await.expect("no panic").shutdown().await;
    let request = http::Request::get("/left").body(dotdo_core::Body::empty()).expect("a request");
    let object = dotdo_core::Tenant::local().object("Echo", "a").expect("an object");
    let left = edge.objects().fetch(&object, None, request).await.expect("it is asked");
    assert_eq!(left.into_body().text().await.expect("text"), "1012");
}

#[tokio::test]
async fn an_upgrade_needs_a_token_that_may_write_and_pages_send_it_as_a_subprotocol() {
    let edge = EdgeSettings { auth: spelled::spelled(), ..edge_settings() };
    let server = with(server_settings(), edge).await;
    assert_eq!(server.ask(&handshake("/do/a/caller", "")).await.status, 401);
    let (reader, writer) = ("alice~local~r", "alice~local~rw");
    let with = |token: &str| format!("authorization: Bearer {token}\r\n");
    assert_eq!(server.ask(&handshake("/do/a/caller", &with(reader))).await.status, 403);
    let (mut socket, _) = Socket::open(server.connect().await, "/do/a/caller", &with(writer)).await;
    let name = socket.text().await;
    assert_eq!(name, "alice");
    socket.send(whole(TEXT, b"who")).await;
    assert_eq!(socket.text().await, name, "each message has the caller of the handshake");
    let offer = format!("sec-websocket-protocol: chat, dotdo.bearer.{writer}\r\n");
    let (mut socket, answer) = Socket::open(server.connect().await, "/do/a/caller", &offer).await;
    assert_eq!(answer.headers["sec-websocket-protocol"], "chat");
    assert_eq!(socket.text().await, name);
}

#[tokio::test]
async fn a_page_of_another_site_opens_no_socket_where_nobody_proves_who_they_are() {
    let edge = EdgeSettings { reach: crate::edge::Reach::Machine, ..edge_settings() };
    let server = with(server_settings(), edge).await;
    let from = |origin: &str| handshake("/do/a", &format!("origin: {origin}\r\n"));
    let answer = server.ask(&from("http://evil.example")).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (403, "ORIGIN_NOT_ALLOWED".into()));
    assert_eq!(server.ask(&from("http://localhost")).await.status, 101);
}

#[tokio::test]
async fn messages_count_for_the_rate_limit_and_wait_for_it() {
    let rate = RateSettings { requests: 3, window: Duration::from_secs(3600) };
    let server = with(server_settings(), EdgeSettings { rate, ..edge_settings() }).await;
    let mut socket = open(&server).await;
    socket.send((0..3).flat_map(|_| whole(TEXT, b"count")).collect::<Vec<u8>>()).await;
    for number in 1..=2 {
        assert_eq!(socket.text().await, number.to_string());
    }
    server.stop.send(()).expect("it runs");
    assert_eq!(socket.closed().await, Some(1012), "the handshake was the first of three");
}
