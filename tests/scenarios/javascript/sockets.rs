//! WebSockets of bundles: what workerd answers, and what a kill leaves.

use dotdo_tests::{Incoming, Socket, compressed_echoes};

use super::*;
use crate::forward::SECRET;
use crate::world::ENDLESS_LEASE_MS;

/// What clients do with the room of `sockets.js`, and what workerd answers, step by step.
const CONVERSATION: &str = include_str!("sockets.json");
const TOLD: &str = include_str!("sockets-expected.json");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_on_sockets_has_the_answers_of_workerd() {
    let (folder, http) = (scratch(), Client::new());
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript/sockets.js");
    let server = serving(folder.path(), &room).start().await;
    let steps: Vec<Vec<Value>> = serde_json::from_str(CONVERSATION).expect("JSON");
    let mut expected: Vec<Value> = serde_json::from_str(TOLD).expect("JSON");
    assert_eq!(steps.len(), expected.len(), "steps were added or removed: run record again");
    let kept = |expected: &&mut Value| {
        expected[1] == "TypeError: Can't call WebSocket send() after close()."
    };
    // A socket that was closed is not listed any more.
    expected.iter_mut().find(kept).expect("the room tells")[3] = false.into();
    let mut clients: BTreeMap<String, Socket> = BTreeMap::new();
    for (step, expected) in steps.iter().zip(&expected) {
        let expected = expected.get("closed").unwrap_or(expected);
        let text = |at: usize| step[at].as_str().expect("a text");
        let told = match text(0) {
            "get" => {
                // An object learns of the end of a socket after its client.
                let told = || async {
                    let told: Value = ask(&http, server.url(text(1))).await;
                    (told == *expected).then_some(told)
                };
                match Deadline::in_seconds(PATIENCE_SECONDS).until(told).await {
                    Some(told) => told,
                    None => ask(&http, server.url(text(1))).await,
                }
            }
            "open" => {
                let socket = Socket::open(&server.url(text(2))).await.expect("it is accepted");
                clients.insert(text(1).to_owned(), socket);
                Value::Null
            }
            "end" => {
                let code = u16::try_from(step[2].as_u64().expect("a code")).expect("a code");
                clients.remove(text(1)).expect("it is open").close_with(code, text(3)).await;
                Value::Null
            }
            what => said(clients.get_mut(text(1)).expect("it is open"), what, step).await,
        };
        assert_eq!(told, *expected, "{step:?}");
    }
}

/// Sends or reads a message, and tells what has come.
async fn said(client: &mut Socket, what: &str, step: &[Value]) -> Value {
    match what {
        "send" => assert!(client.send(step[2].as_str().expect("a text")).await),
        "bytes" => {
            let bytes = serde_json::from_value(step[2].clone()).expect("bytes");
            assert!(client.send_bytes(bytes).await);
        }
        _ => {
            return match client.next().await {
                Incoming::Text(text) => text.into(),
                Incoming::Binary(bytes) => bytes.into(),
                Incoming::Closed(code) => code.into(),
                Incoming::Broken => "broken".into(),
            };
        }
    }
    Value::Null
}

async fn ask(http: &Client, url: String) -> Value {
    http.get(url).send().await.expect("the server answers").json().await.expect("JSON")
}

const ROOM: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }
  async fetch(request) {
    if (request.headers.get('upgrade') !== 'websocket') return Response.json((await this.ctx.storage.get('said')) ?? []);
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    server.serializeAttachment(new URL(request.url).searchParams.get('name'));
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(socket, message) {
    const said = [...((await this.ctx.storage.get('said')) ?? []), message];
    await this.ctx.storage.put('said', said);
    for (const each of this.ctx.getWebSockets()) each.send(`${socket.deserializeAttachment()} ${said.length} ${message}`);
  }
}
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const room = env.ROOM.getByName(pathname);
    if (!searchParams.has('name')) return room.fetch(request);
    if (request.headers.get('upgrade') !== 'websocket') return new Response('expected a WebSocket', { status: 426 });
    const answer = await room.fetch(request);
    if (searchParams.get('name') === 'dropped') return new Response('the worker keeps it', { status: 403 });
    return new Response(null, { status: 101, webSocket: answer.webSocket, headers: { 'x-by': 'the worker' } });
  },
};
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_a_bundle_go_through_its_worker_and_a_kill_loses_nothing_that_was_heard() {
    let (folder, http) = (scratch(), Client::new());
    let setup = serving(folder.path(), &written(folder.path(), "worker.js", ROOM))
        .env("DOTDO_LEASE_DURATION_MS", "500");
    let server = setup.start().await;
    let plain = text(&http, server.url("/lobby?name=ada")).await;
    assert_eq!(plain.0, StatusCode::UPGRADE_REQUIRED);
    assert_eq!(Socket::open(&server.url("/lobby?name=dropped")).await.err(), Some(403));
    let open = async |server: &Server, name: &str| {
        let url = server.url(&format!("/lobby?name={name}"));
        let opened = || async { Socket::open(&url).await.ok() };
        Deadline::in_seconds(PATIENCE_SECONDS).until(opened).await.expect("the room accepts")
    };
    let (mut ada, mut bob) = (open(&server, "ada").await, open(&server, "bob").await);
    assert!(ada.send("ping").await);
    assert_eq!(ada.text().await, "pong");
    for (number, word) in (1..).zip(["hello", "world"]) {
        assert!(ada.send(word).await);
        let heard = format!("ada {number} {word}");
        assert_eq!((ada.text().await, bob.text().await), (heard.clone(), heard));
    }
    server.kill9();
    assert_eq!(ada.next().await, Incoming::Broken);
    let server = setup.start().await;
    let mut ada = open(&server, "ada").await;
    assert!(ada.send("again").await);
    assert_eq!(ada.text().await, "ada 3 again");
    let said = text(&http, server.url("/lobby")).await;
    assert_eq!(said, (StatusCode::OK, r#"["hello","world","again"]"#.to_owned()));
}

const ECHO: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Echo extends DurableObject {
  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket, message) {
    socket.send(message);
  }
}
export default {
  fetch: (request, env) => env.ECHO.getByName('one').fetch(request),
};
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_by_others_compresses_at_the_owner_and_at_another_server() {
    let folder = scratch();
    let setup = serving(folder.path(), &written(folder.path(), "worker.js", ECHO))
        .env("DOTDO_COMPRESSION_ENABLED", "true")
        .env("DOTDO_PEER_SECRET", SECRET)
        .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let servers = [setup.start().await, setup.start().await];
    let urls = servers.each_ref().map(|server| server.url("/").replacen("http", "ws", 1));
    let echoes = move || compressed_echoes(&urls);
    let (echoed, compressed) = tokio::task::spawn_blocking(echoes).await.expect("no panic");
    // Each server is offered 7 times; 3 of 5 sizes are large enough, and a third is noise.
    assert_eq!((echoed, compressed), (2 * 7 * 15, 2 * 7 * 3 * 2));
}
