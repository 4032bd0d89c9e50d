//! API Gateway's WebSocket APIs: sockets of objects whose function is gone between any two events.

use std::path::Path;
use std::time::{Duration, SystemTime};

use dotdo_tests::{ApiGateway, Deadline, Incoming, LambdaApis, Process, Setup, Socket, scratch};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hosts::{Front, Lambda};
use crate::stage::{PATIENCE_SECONDS, run};

/// A function behind a WebSocket API and an HTTP API, whose process is another one whenever a test
/// wants.
struct World {
    apis: LambdaApis,
    gateway: ApiGateway,
    setup: Setup,
    folder: TempDir,
    function: Option<Process>,
}

impl World {
    /// The world of a program that `program` starts on a storage.
    async fn new(program: impl Fn(&str) -> Setup) -> Self {
        let (apis, folder) = (LambdaApis::start().await, scratch());
        let gateway = ApiGateway::start(apis.invocations()).await;
        let setup = program(&format!("file://{}", folder.path().display()));
        let setup = Lambda(Front::HttpApi).setup(&setup, &apis);
        // Nobody but an event of the function looks after what is left.
        let setup = setup.env("DOTDO_ALARMS_SCAN_MS", "0").env("DOTDO_OUTBOX_SCAN_MS", "86400000");
        let add = |setup: Setup, (name, value): (&str, String)| setup.env(name, value);
        let setup = gateway.environment().into_iter().fold(setup, add);
        Self { apis, gateway, setup, folder, function: None }
    }

    /// The same, with rooms.
    async fn with_rooms() -> Self {
        Self::new(|storage| Setup::of(env!("CARGO_BIN_EXE_scenario-app"), storage)).await
    }

    /// Kills the function, if it runs, and starts another copy, which asks for events then.
    async fn restart(&mut self) {
        if let Some(function) = self.function.take() {
            function.signal(Signal::SIGKILL);
            function.wait();
        }
        self.function = Some(Process::start(&mut self.setup.command()));
        let polls = || std::future::ready(self.log().contains("\"polling\"").then_some(()));
        let polls = Deadline::in_seconds(PATIENCE_SECONDS).until(polls).await;
        assert!(polls.is_some(), "the function does not ask for events:\n{}", self.log());
    }

    /// What comes of `work`, soon.
    async fn soon<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        let came = tokio::time::timeout(patience, work).await;
        came.unwrap_or_else(|_| {
            let (function, apis) = (self.log(), self.apis.stderr());
            panic!("in {PATIENCE_SECONDS} s there is no end of: {what}\n{function}\n{apis}")
        })
    }

    fn log(&self) -> String {
        self.function.as_ref().map(Process::stderr).unwrap_or_default()
    }

    /// Opens a socket to `path`; the error is the status.
    async fn open(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let url = self.gateway.url(&format!("path={path}"));
        self.soon("the answer to a handshake", Socket::open_with(&url, headers)).await
    }

    /// Opens a socket of the room `a`, and hears its welcome.
    async fn enter(&self, name: &str) -> Socket {
        let opened = self.open(&format!("/do/Room/a/&name={name}"), &[]).await;
        let mut socket = opened.unwrap_or_else(|status| panic!("{status}:\n{}", self.log()));
        assert_eq!(self.heard(&mut socket).await, "welcome");
        socket
    }

    async fn heard(&self, socket: &mut Socket) -> String {
        match self.soon("a text", socket.next()).await {
            Incoming::Text(text) => text,
            other => panic!("expected a text, got {other:?}:\n{}", self.log()),
        }
    }

    /// What `GET path` says, by the function's other front end.
    async fn ask(&self, path: &str) -> Value {
        let mut event: Value =
            serde_json::from_str(include_str!("events/http-api.json")).expect("JSON");
        event["rawPath"] = format!("/production{path}").into();
        event["rawQueryString"] = "".into();
        event["requestContext"]["http"]["method"] = "GET".into();
        let answer = self.invoke(&event).await;
        let body = answer["body"].as_str().unwrap_or_default();
        serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}:\n{}", self.log()))
    }

    async fn invoke(&self, event: &Value) -> Value {
        let sent = reqwest::Client::new().post(self.apis.invocations()).json(event).send();
        let answer =
            self.soon("the answer of a function", sent).await.expect("the emulator answers");
        answer.json().await.expect("JSON")
    }

    async fn tick(&self) {
        assert_eq!(self.invoke(&json!({ "dotdo": "tick" })).await, json!({ "status": "ok" }));
    }

    /// Waits until `GET path` says `expected`.
    async fn until(&self, path: &str, expected: Value) {
        let fits = || async { (self.ask(path).await == expected).then_some(()) };
        let fits = Deadline::in_seconds(PATIENCE_SECONDS).until(fits).await;
        let log = self.log();
        assert!(fits.is_some(), "{path}: {} is never {expected}:\n{log}", self.ask(path).await);
    }

    /// The notes about connections, in the bucket.
    fn notes(&self) -> Vec<std::path::PathBuf> {
        let folder = self.folder.path().join(".dotdo/sockets");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

#[test]
fn sockets_outlive_every_copy_of_their_function() {
    run(async {
        let mut world = World::with_rooms().await;
        world.restart().await;
        let mut ada = world.enter("ada").await;
        world.restart().await;
        let mut bob = world.enter("bob").await;
        for (number, speaker) in [(1, "ada"), (2, "bob"), (3, "ada")] {
            world.restart().await;
            let socket = if speaker == "ada" { &mut ada } else { &mut bob };
            assert!(socket.send(&format!("{}", 10 * number)).await);
            for listener in [&mut ada, &mut bob] {
                let expected = format!("{number} {speaker} {}", 10 * number);
                assert_eq!(world.heard(listener).await, expected);
            }
        }
        world.restart().await;
        assert_eq!(world.ask("/do/Room/a/there").await, json!(["ada", "bob"]));
        bob.close_with(4001, "bye").await;
        world.until("/do/Room/a/left", json!([["bob", 4001]])).await;
        world.restart().await;
        assert_eq!(world.ask("/do/Room/a/there").await, json!(["ada"]));
        // A connection that breaks off is told as such.
        drop(ada);
        world.until("/do/Room/a/left", json!([["bob", 4001], ["ada", 1006]])).await;
        assert_eq!((world.notes().len(), world.gateway.open()), (0, 0));
        assert_eq!(world.gateway.refused(), 0, "every request to @connections was signed");
        assert_eq!(world.gateway.post_unsigned("Yw=").await, 403);
    });
}

#[test]
fn a_connection_of_whose_end_nobody_was_told_is_forgotten_when_something_is_sent_to_it() {
    run(async {
        let mut world = World::with_rooms().await;
        world.restart().await;
        let ada = world.enter("ada").await;
        let mut bob = world.enter("bob").await;
        // What is young may be on its way, so it is looked for longer.
        world.gateway.lose_oldest();
        world.restart().await;
        assert!(bob.send("1").await);
        assert_eq!(world.heard(&mut bob).await, "1 bob 1");
        world.until("/do/Room/a/left", json!([["ada", 1006]])).await;
        assert_eq!(world.ask("/do/Room/a/there").await, json!(["bob"]));
        assert_eq!(world.notes().len(), 1);
        drop(ada);
    });
}

#[test]
fn a_connection_that_is_older_than_it_can_be_is_forgotten_by_a_tick() {
    run(async {
        let mut world = World::with_rooms().await;
        world.restart().await;
        let ada = world.enter("ada").await;
        world.gateway.lose_oldest();
        let mut bob = world.enter("bob").await;
        world.restart().await;
        world.tick().await;
        assert_eq!(world.ask("/do/Room/a/there").await, json!(["ada", "bob"]));
        let [first, second] = &world.notes()[..] else { panic!("each has a note") };
        let read = |path: &Path| std::fs::read_to_string(path).expect("a note");
        // Both are of the same room; whichever is older is forgotten.
        let old = SystemTime::now() - Duration::from_secs(3 * 3600);
        assert!(read(first).contains("Room") && read(second).contains("Room"));
        for note in [first, second] {
            let file = std::fs::File::options().write(true).open(note).expect("a note");
            file.set_modified(old).expect("the folder is of this test");
        }
        world.restart().await;
        world.tick().await;
        world.until("/do/Room/a/there", json!([])).await;
        assert_eq!(world.notes().len(), 0);
        // Whoever has a connection that nobody knows any more is told so.
        assert!(bob.send("1").await);
        assert!(matches!(world.soon("the end", bob.next()).await, Incoming::Closed(_)));
        assert_eq!(world.ask("/do/Room/a/said").await, json!([]));
        drop(ada);
    });
}

#[test]
fn a_message_that_is_not_handled_closes_its_connection() {
    run(async {
        let mut world = World::with_rooms().await;
        world.restart().await;
        let mut ada = world.enter("ada").await;
        assert!(ada.send("no number").await);
        assert!(matches!(world.soon("the end", ada.next()).await, Incoming::Closed(_)));
        world.until("/do/Room/a/left", json!([["ada", 1011]])).await;
        // A binary frame is nothing that API Gateway takes.
        let mut bob = world.enter("bob").await;
        assert!(bob.send_bytes(vec![1, 2]).await);
        assert_eq!(world.soon("the end", bob.next()).await, Incoming::Closed(1003));
        drop(bob);
        world.until("/do/Room/a/left", json!([["ada", 1011], ["bob", 1003]])).await;
        assert_eq!(world.open("/do/Room/a/nowhere&name=", &[]).await.err(), None);
        assert_eq!(world.open("/nowhere", &[]).await.err(), Some(404));
    });
}

#[test]
fn only_a_handshake_with_a_token_or_of_an_authorizer_is_accepted() {
    run(async {
        let mut world = World::with_rooms().await;
        world.setup = world.setup.clone().env("DOTDO_ALLOW_UNAUTHENTICATED", "false");
        world.restart().await;
        let refused = world.open("/do/Room/a/&name=ada", &[]).await;
        assert_eq!(refused.err(), Some(403));
        world.gateway.authorize(json!({ "principalId": "ada" }));
        let mut ada = world.enter("ada").await;
        let token = "0123456789abcdef0123456789abcdef";
        world.setup = world.setup.clone().env("DOTDO_AUTH_TOKENS", token);
        world.restart().await;
        let protocol = "sec-websocket-protocol";
        let wrong = [(protocol, "chat, dotdo.bearer.wrong")];
        let refused = world.open("/do/Room/a/&name=bob", &wrong).await;
        assert_eq!(refused.err(), Some(401), "an authorizer is no token");
        let offer = format!("chat, dotdo.bearer.{token}");
        let bob = world.open("/do/Room/a/&name=bob", &[(protocol, &offer)]).await;
        let mut bob = bob.unwrap_or_else(|status| panic!("{status}:\n{}", world.log()));
        assert_eq!(world.heard(&mut bob).await, "welcome");
        // Who was verified at the handshake stays so, and needs no token any more.
        assert!(bob.send("7").await);
        assert_eq!(world.heard(&mut bob).await, "1 bob 7");
        assert_eq!(world.heard(&mut ada).await, "1 bob 7");
        assert!(!world.log().contains(token) && !world.log().contains("session/token"));
    });
}

const WORKER: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Lobby extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }
  async fetch(request) {
    const url = new URL(request.url);
    if (request.headers.get('upgrade') !== 'websocket') {
      return Response.json(this.ctx.getWebSockets().map((ws) => ws.deserializeAttachment().name).sort());
    }
    const [client, server] = Object.values(new WebSocketPair());
    const name = url.searchParams.get('as');
    this.ctx.acceptWebSocket(server, [name]);
    server.serializeAttachment({ name, said: 0 });
    server.send(`hello ${name}`);
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) {
    const about = ws.deserializeAttachment();
    about.said += 1;
    ws.serializeAttachment(about);
    if (message === 'later') return await this.ctx.storage.setAlarm(Date.now());
    const [to, text] = message.split(':');
    for (const other of this.ctx.getWebSockets(to)) other.send(`${about.name} ${about.said}: ${text}`);
  }
  async alarm() {
    for (const ws of this.ctx.getWebSockets()) ws.send('it is time');
  }
  async webSocketClose(ws, code) {
    const { name } = ws.deserializeAttachment();
    for (const other of this.ctx.getWebSockets()) other.send(`${name} left with ${code}`);
  }
}
export default {
  async fetch(request, env) {
    return await env.LOBBIES.getByName(new URL(request.url).pathname).fetch(request);
  },
};
"#;

const CONFIG: &str = r#"{
  "name": "lobbies", "main": "worker.js",
  "durable_objects": { "bindings": [{ "name": "LOBBIES", "class_name": "Lobby" }] },
}"#;

#[test]
fn sockets_of_a_class_in_javascript_outlive_their_function_and_hear_its_alarms() {
    run(async {
        let bundle = scratch();
        for (name, text) in [("worker.js", WORKER), ("wrangler.jsonc", CONFIG)] {
            std::fs::write(bundle.path().join(name), text).expect("the folder is writable");
        }
        let path = bundle.path().display().to_string();
        let program = Setup::new("memory://").command().get_program().to_owned();
        let serving = |storage: &str| Setup::of(&program, storage).env("DOTDO_WORKER", &path);
        let mut world = World::new(serving).await;
        let mut clients = Vec::new();
        for name in ["ada", "bob"] {
            world.restart().await;
            let opened = world.open(&format!("/tea&as={name}"), &[]).await;
            let mut socket = opened.unwrap_or_else(|status| panic!("{status}:\n{}", world.log()));
            assert_eq!(world.heard(&mut socket).await, format!("hello {name}"));
            clients.push(socket);
        }
        let [mut ada, mut bob] = <[_; 2]>::try_from(clients).ok().expect("two clients");
        for (number, text) in [(1, "psst"), (2, "well")] {
            world.restart().await;
            assert!(ada.send(&format!("bob:{text}")).await);
            assert_eq!(world.heard(&mut bob).await, format!("ada {number}: {text}"));
        }
        world.restart().await;
        assert!(ada.send("ping").await);
        assert_eq!(world.heard(&mut ada).await, "pong");
        assert!(ada.send("later").await);
        world.until("/tea", json!(["ada", "bob"])).await;
        world.restart().await;
        world.tick().await;
        for socket in [&mut ada, &mut bob] {
            assert_eq!(world.heard(socket).await, "it is time");
        }
        world.restart().await;
        bob.close_with(3000, "").await;
        assert_eq!(world.heard(&mut ada).await, "bob left with 3000");
        assert_eq!(world.ask("/tea").await, json!(["ada"]));
    });
}
