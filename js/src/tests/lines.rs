//! WebSockets that objects open at others.

use std::time::Duration;

use dotdo::testing::{Fault, TestServer, run};
use serde_json::{Value, json};

use super::{bundle, server};

/// An object that opens a socket at another one, which notes what has come.
const BETWEEN: &str = r#"
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const other = this.env.THING.getByName('other');
    switch (pathname) {
      case '/accept': {
        const [client, server] = Object.values(new WebSocketPair());
        this.ctx.acceptWebSocket(server);
        return new Response(null, { status: 101, webSocket: client });
      }
      case '/open': {
        this.socket = (await other.fetch('http://other/accept', { headers: { upgrade: 'websocket' } })).webSocket;
        this.socket.accept();
        this.heard = [];
        this.socket.addEventListener('message', ({ data }) => this.heard.push(data));
        this.socket.addEventListener('close', ({ code, wasClean }) => this.heard.push([code, wasClean]));
        return new Response('open');
      }
      case '/say':
        await this.ctx.storage.put('said', true);
        this.socket.send('hello');
        return new Response('said');
      case '/heard': return Response.json(this.heard ?? null);
      case '/came': return Response.json((await this.ctx.storage.get('came')) ?? []);
      case '/flood':
        for (let n = 0; n < 11_000; n++) this.socket.send('x');
        return new Response('flooded');
      case '/abort': this.ctx.abort('enough');
    }
  }
  async note(what) {
    await this.ctx.storage.put('came', [...((await this.ctx.storage.get('came')) ?? []), what]);
  }
  async webSocketMessage(socket, message) {
    await this.note(message);
    socket.send(`heard ${message}`);
    if (message === 'hello') socket.send('and more');
  }
  webSocketClose(socket, code, reason, wasClean) {
    return this.note([code, wasClean]);
  }
"#;

async fn ask(server: &TestServer, name: &str, path: &str) -> String {
    let id = crate::id::of_name("Thing", name);
    server.get(&format!("/do/Thing/{id}{path}")).await.text().to_owned()
}

/// What an object tells, once it is `expected`, or at last.
async fn told(server: &TestServer, name: &str, path: &str, expected: Value) -> Value {
    for _ in 0..100 {
        let told = serde_json::from_str(&ask(server, name, path).await).expect("JSON");
        if told == expected {
            return told;
        }
        server.advance(Duration::from_millis(10)).await;
    }
    serde_json::from_str(&ask(server, name, path).await).expect("JSON")
}

/// Asserts what an object tells sooner or later.
async fn expect(server: &TestServer, name: &str, path: &str, expected: Value) {
    assert_eq!(told(server, name, path, expected.clone()).await, expected, "{name}{path}");
}

#[test]
fn a_frame_leaves_when_what_was_written_before_it_is_in_the_bucket() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), BETWEEN).app()).await;
        assert_eq!(ask(&server, "one", "/open").await, "open");
        let (store, one) = (server.store(), crate::id::of_name("Thing", "one"));
        store
            .slowness()
            .hold(move |operation, key| operation.is_commit(key) && key.as_str().contains(&one));
        let look = async {
            store.slowness().held().await;
            server.advance(Duration::from_millis(100)).await;
            assert_eq!(ask(&server, "other", "/came").await, "[]", "it is in no record");
            store.slowness().release();
        };
        let (said, ()) = futures_util::join!(ask(&server, "one", "/say"), look);
        assert_eq!(said, "said");
        expect(&server, "other", "/came", json!(["hello"])).await;
        expect(&server, "one", "/heard", json!(["heard hello", "and more"])).await;
    });
}

#[test]
fn what_is_not_recorded_is_not_said_and_a_value_that_ends_ends_its_sockets() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), BETWEEN).app()).await;
        assert_eq!(ask(&server, "one", "/open").await, "open");
        server.store().fail_next_commits([Fault::Refused; 1]);
        assert_ne!(ask(&server, "one", "/say").await, "said");
        let broken = json!([1006, false]);
        assert_eq!(ask(&server, "one", "/heard").await, "null", "its value was made anew");
        expect(&server, "other", "/came", json!([broken])).await;

        assert_eq!(ask(&server, "one", "/open").await, "open");
        assert_eq!(ask(&server, "one", "/say").await, "said");
        expect(&server, "other", "/came", json!([broken, "hello"])).await;
        ask(&server, "one", "/abort").await;
        expect(&server, "other", "/came", json!([broken, "hello", broken])).await;
    });
}

#[test]
fn a_slice_sends_a_limited_number_of_frames() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), BETWEEN).app()).await;
        assert_eq!(ask(&server, "one", "/open").await, "open");
        let flooded = ask(&server, "one", "/flood").await;
        assert!(flooded.contains("expected at most 10000 calls"), "{flooded}");
    });
}

#[test]
fn on_functions_a_socket_between_objects_works() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let app = bundle(folder.path(), BETWEEN).app();
        let function = TestServer::builder(app).per_request().start().await;
        assert_eq!(ask(&function, "one", "/open").await, "open");
        assert_eq!(ask(&function, "one", "/say").await, "said");
        expect(&function, "one", "/heard", json!(["heard hello", "and more"])).await;
    });
}
