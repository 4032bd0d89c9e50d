//! WebSockets that bundles open at other servers.

use dotdo_tests::scratch;
use futures_util::{SinkExt, StreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::{serving, written};
use crate::world::PATIENCE_SECONDS;

async fn ask(http: &Client, url: String) -> Value {
    http.get(url).send().await.expect("the server answers").json().await.expect("JSON")
}

/// A bundle that opens sockets at another server, and tells what has come.
const OUTWARD: &str = r#"
import { DurableObject } from 'cloudflare:workers';
function talk(url, protocols) {
  const socket = new WebSocket(url, protocols);
  const told = [];
  return new Promise((resolve) => {
    for (const type of ['open', 'message', 'error', 'close']) {
      socket.addEventListener(type, (event) => {
        told.push(type === 'message' ? event.data : type === 'close' ? [event.code, event.reason, event.wasClean] : type);
        if (type === 'open') for (const message of ['one', 'two', 'end']) socket.send(message);
        if (type === 'close') resolve([socket.protocol, ...told]);
      });
    }
  });
}
async function fetched(url) {
  try {
    const { status, webSocket } = await fetch(url, { headers: { upgrade: 'websocket', 'sec-websocket-key': 'forged', host: 'forged' } });
    return [status, webSocket instanceof WebSocket];
  } catch (error) {
    return [error.name, error.code];
  }
}
export class Caller extends DurableObject {
  talk(url, protocols) { return talk(url, protocols); }
  fetched(url) { return fetched(url); }
  hold(url) {
    this.socket = new WebSocket(url);
    return new Promise((resolve) => this.socket.addEventListener('message', ({ data }) => resolve(data)));
  }
}
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const [, where, what] = pathname.split('/');
    const [url, protocols] = [searchParams.get('url'), searchParams.getAll('protocol')];
    const from = where === 'worker' ? { talk, fetched } : env.CALLER.getByName('caller');
    return Response.json(await from[what](url, protocols));
  },
};
"#;

/// Another server: what it says of each client's end.
struct Outside {
    address: String,
    ended: mpsc::UnboundedReceiver<String>,
}

impl Outside {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens").to_string();
        let (tell, ended) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tell = tell.clone();
                tokio::spawn(async move {
                    let path = answer(stream).await;
                    let _ = tell.send(path);
                });
            }
        });
        Self { address, ended }
    }
}

/// Answers each message with itself, and `end` in the way that the path says. Returns the path.
async fn answer(mut stream: TcpStream) -> String {
    let mut head = vec![0; 4096];
    let length = stream.peek(&mut head).await.expect("a request");
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if path == "/wrong" {
        let wrong = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: wrong\r\n\r\n";
        stream.write_all(wrong.as_bytes()).await.expect("it is read");
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return path;
    }
    #[expect(clippy::result_large_err, reason = "the library's callback")]
    let look = |request: &Request, mut response: Response| {
        if path == "/refuse" {
            let refused = http::Response::builder().status(403).body(None);
            return Err(refused.expect("a response"));
        }
        assert_ne!(request.headers()["host"], "forged");
        if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
            response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else { return path };
    if path == "/hold" {
        socket.send(Message::text("held")).await.expect("it is read");
    }
    while let Some(Ok(message)) = socket.next().await {
        if message.to_text().ok() != Some("end") {
            if message.is_text() {
                socket.send(message).await.expect("it is read");
            }
            continue;
        }
        let close = CloseFrame { code: 4003.into(), reason: "as asked".into() };
        match path.as_str() {
            "/break" => return path,
            "/nothing" => socket.close(None).await.expect("it is read"),
            _ => socket.close(Some(close)).await.expect("it is read"),
        }
    }
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_at_another_server_ends_as_that_says_and_with_its_own_server() {
    let (folder, http) = (scratch(), Client::new());
    let bundle = written(folder.path(), "worker.js", OUTWARD);
    let setup = serving(folder.path(), &bundle).env("DOTDO_FETCH_PRIVATE_NETWORKS", "true");
    let server = setup.start().await;
    let mut outside = Outside::start().await;
    let there = outside.address.clone();
    for from in ["worker", "caller"] {
        let path = |what: &str, scheme: &str, path: &str| {
            server.url(&format!("/{from}/{what}?url={scheme}://{there}{path}"))
        };
        let said = ["one", "two"];
        for (way, protocol, end) in [
            ("/close", "", json!([4003, "as asked", true])),
            ("/close&protocol=chat", "chat", json!([4003, "as asked", true])),
            ("/nothing", "", json!([1005, "", true])),
        ] {
            let told = ask(&http, path("talk", "ws", way)).await;
            let protocol = if protocol.is_empty() { Value::Null } else { protocol.into() };
            assert_eq!(told, json!([protocol, "open", said[0], said[1], end]), "{from} {way}");
        }
        let broken = json!([1006, "WebSocket disconnected without sending Close frame.", false]);
        let told = ask(&http, path("talk", "ws", "/break")).await;
        assert_eq!(told, json!([null, "open", said[0], said[1], "error", broken]), "{from}");
        let refused = json!([1006, "Failed to establish websocket connection", false]);
        let told = ask(&http, path("talk", "ws", "/refuse")).await;
        assert_eq!(told, json!([null, "error", refused]), "{from}");
        assert_eq!(ask(&http, path("fetched", "http", "/close")).await, json!([101, true]));
        assert_eq!(ask(&http, path("fetched", "http", "/refuse")).await, json!([403, false]));
        assert_eq!(
            ask(&http, path("fetched", "http", "/wrong")).await,
            json!(["TypeError", "FETCH_FAILED"])
        );
    }
    let held = server.url(&format!("/caller/hold?url=ws://{there}/hold"));
    assert_eq!(ask(&http, held).await, "held");
    server.kill9();
    let told = async { while outside.ended.recv().await.is_some_and(|path| path != "/hold") {} };
    let patience = std::time::Duration::from_secs(PATIENCE_SECONDS);
    tokio::time::timeout(patience, told).await.expect("the other server is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_reaches_nothing_that_is_not_public() {
    let (folder, http) = (scratch(), Client::new());
    let server =
        serving(folder.path(), &written(folder.path(), "worker.js", OUTWARD)).start().await;
    let there = Outside::start().await.address;
    let port = there.rsplit(':').next().expect("a port");
    for from in ["worker", "caller"] {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let url = server.url(&format!("/{from}/fetched?url=http://{host}:{port}/close"));
            assert_eq!(
                ask(&http, url).await,
                json!(["TypeError", "FETCH_REFUSED"]),
                "{from} {host}"
            );
            let url = server.url(&format!("/{from}/talk?url=ws://{host}:{port}/close"));
            let refused = json!([1006, "Failed to establish websocket connection", false]);
            assert_eq!(ask(&http, url).await, json!([null, "error", refused]), "{from} {host}");
        }
    }
}
