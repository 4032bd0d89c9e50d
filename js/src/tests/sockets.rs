//! WebSockets of objects, which hibernate.

use std::time::Duration;

use dotdo::sockets::SocketMessage;
use dotdo::testing::{TestServer, run};
use serde_json::{Value, json};

use super::{bundle, server};

const ROOM: &str = r#"
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const name = searchParams.get('name');
    switch (pathname) {
      case '/join': {
        const [client, socket] = Object.values(new WebSocketPair());
        this.ctx.acceptWebSocket(socket, [searchParams.get('tag') ?? 'guest', 'all']);
        socket.serializeAttachment({ name, at: new Date(0) });
        socket.send(`welcome ${name}`);
        return new Response(null, { status: 101, webSocket: client, headers: { 'x-room': 'yes' } });
      }
      case '/there':
        return Response.json(this.ctx.getWebSockets(searchParams.get('tag') ?? undefined).map((socket) => {
          const { name, at } = socket.deserializeAttachment();
          return [name, at instanceof Date, socket.readyState === WebSocket.OPEN, ...this.ctx.getTags(socket)];
        }));
      case '/left': return Response.json(await this.ctx.storage.get('left') ?? []);
      case '/count': return Response.json(await this.ctx.storage.get('count') ?? 0);
      case '/abort': this.ctx.abort('enough');
      case '/auto':
        this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
        return Response.json([this.ctx.getWebSocketAutoResponse().request, this.ctx.getWebSocketAutoResponse().response]);
      case '/not-accepted': return new Response(null, { status: 101, webSocket: new WebSocketPair()[0] });
      case '/not-returned':
        this.ctx.acceptWebSocket(new WebSocketPair()[1]);
        return new Response('no socket');
      case '/later': {
        // A check of who asks, as code does it before it accepts; two may do it at the same time.
        await this.ctx.storage.put('asked', name);
        await new Promise((resolve) => { this.next?.(); this.next = resolve; });
        const [client, socket] = Object.values(new WebSocketPair());
        this.ctx.acceptWebSocket(socket, [name]);
        socket.send(`later ${name}`);
        socket.serializeAttachment({ name, at: new Date(0) });
        await scheduler.wait(1);
        socket.send(this.ctx.getWebSockets().map((socket) => this.ctx.getTags(socket)[0]).join());
        return new Response(null, { status: 101, webSocket: client });
      }
      case '/release': return Response.json(this.next?.() ?? null);
      case '/again': {
        this.kept ??= Object.values(new WebSocketPair());
        if (!this.isKept) this.ctx.acceptWebSocket(this.kept[1]);
        this.isKept = true;
        return new Response(null, { status: 101, webSocket: this.kept[0] });
      }
      case '/twice': {
        const { 0: client, 1: socket } = new WebSocketPair();
        this.ctx.acceptWebSocket(socket);
        try {
          this.ctx.acceptWebSocket(socket);
        } catch (error) {
          socket.send(error.name);
        }
        return new Response(null, { status: 101, webSocket: client });
      }
      case '/wrong': return new Response(null, { status: 200, webSocket: new WebSocketPair()[0] });
    }
  }

  async webSocketMessage(socket, message) {
    const { name } = socket.deserializeAttachment() ?? {};
    if (message instanceof ArrayBuffer) return socket.send(new Uint8Array(message).reverse());
    await this.ctx.storage.put('count', ((await this.ctx.storage.get('count')) ?? 0) + 1);
    if (!this.ctx.getTags(socket).includes('all')) return socket.send(message);
    switch (message) {
      case 'bye': {
        socket.close(4000, 'as asked');
        try {
          socket.send('too late');
        } catch (error) {
          await this.ctx.storage.put('late', error.message);
        }
        return;
      }
      case 'throw': throw new Error('on purpose');
      case 'marry': return socket.serializeAttachment({ name: `${name}-smith`, at: new Date(0) });
    }
    for (const other of this.ctx.getWebSockets('all')) other.send(`${name}: ${message}${other === socket ? ' (you)' : ''}`);
  }

  async webSocketClose(socket, code, reason, wasClean) {
    const left = (await this.ctx.storage.get('left')) ?? [];
    left.push([socket.deserializeAttachment()?.name ?? null, code, reason, wasClean, socket.readyState]);
    await this.ctx.storage.put('left', left);
    socket.send('nobody hears');
    socket.close(1000, 'done');
  }
"#;

async fn told(server: &mut TestServer, path: &str) -> Value {
    server.get(&format!("/do/Thing/a{path}")).await.json()
}

#[test]
fn sockets_are_accepted_hear_and_are_heard_and_leave() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = server(bundle(folder.path(), ROOM).app()).await;
        let join = |name: &str| format!("/do/Thing/a/join?name={name}&tag={name}");
        let ada = server.get(&join("ada")).websocket().await.expect("it is accepted");
        assert_eq!(ada.text().await, "welcome ada");
        let bob = server.get(&join("bob")).websocket().await.expect("it is accepted");
        assert_eq!(bob.text().await, "welcome bob");
        let there = told(&mut server, "/there?tag=ada").await;
        assert_eq!(there, json!([["ada", true, true, "ada", "all"]]));
        assert_eq!(told(&mut server, "/there").await.as_array().map(Vec::len), Some(2));

        ada.send("hello").await;
        assert_eq!(ada.text().await, "ada: hello (you)");
        assert_eq!(bob.text().await, "ada: hello");
        bob.send(vec![1, 2, 3]).await;
        assert_eq!(bob.try_next().await, Ok(SocketMessage::from(vec![3, 2, 1])));

        // The value of the object is made anew; sockets and attachments stay.
        bob.send("marry").await;
        assert_eq!(server.get("/do/Thing/a/abort").await.status(), 500);
        ada.send("still").await;
        assert_eq!(bob.text().await, "ada: still");
        bob.send("here").await;
        assert_eq!(bob.text().await, "bob-smith: here (you)");

        bob.send("bye").await;
        let closed = bob.try_next().await.expect_err("the object closes it");
        assert_eq!((closed.code, closed.reason.as_str()), (4000, "as asked"));
        bob.close(4000, "as asked").await;
        ada.close(1000, "so long").await;
        let left = told(&mut server, "/left").await;
        let expected = [
            json!(["bob-smith", 4000, "as asked", true, 3]),
            json!(["ada", 1000, "so long", true, 2]),
        ];
        assert_eq!(left, json!(expected));
        assert_eq!(told(&mut server, "/there").await, json!([]));
    });
}

#[test]
fn a_message_that_throws_leaves_its_socket_open_and_what_was_written() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = server(bundle(folder.path(), ROOM).app()).await;
        let ada = server.get("/do/Thing/a/join?name=ada").websocket().await.expect("a socket");
        assert_eq!(ada.text().await, "welcome ada");
        ada.send("throw").await;
        assert_eq!(told(&mut server, "/count").await, 1);
        ada.send("hello").await;
        assert_eq!(ada.text().await, "ada: hello (you)");
    });
}

#[test]
fn what_is_wrong_with_a_socket_is_an_exception_or_an_error() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), ROOM).app()).await;
        let first = server.get("/do/Thing/a/again").websocket().await;
        assert!(first.is_ok(), "it is the first");
        for (path, status, why) in [
            ("/not-accepted", 500, "was not accepted: call ctx.acceptWebSocket()"),
            ("/not-returned", 200, "no socket"),
            ("/again", 500, "that of another response"),
            ("/wrong", 500, "must have status code 101"),
        ] {
            let asked = server.get(&format!("/do/Thing/a{path}")).websocket().await;
            let answer = asked.map(drop).expect_err(path);
            assert_eq!(answer.status(), status, "{path}");
            assert!(answer.text().contains(why), "{path}: {}", answer.text());
        }
        let plain = server.get("/do/Thing/a/join?name=ada").await;
        assert!(plain.text().contains("expected the request of a client that asks"), "{plain:?}");
        let twice = server.get("/do/Thing/a/twice").websocket().await.expect("the first is enough");
        assert_eq!(twice.text().await, "TypeError");
    });
}

#[test]
fn a_socket_may_be_accepted_after_something_was_awaited_and_is_its_own_clients() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), ROOM).app()).await;
        let later = |name: &str| server.get(&format!("/do/Thing/a/later?name={name}")).websocket();
        // Ada's handler goes on in an event of Bob, and his in one of the last.
        let (ada, bob, ()) = tokio::join!(later("ada"), later("bob"), async {
            for _ in 0..20 {
                server.get("/do/Thing/a/release").await;
                server.advance(Duration::from_millis(5)).await;
            }
        });
        for (name, socket) in [("ada", ada), ("bob", bob)] {
            let socket = socket.unwrap_or_else(|answer| panic!("{name}: {answer:?}"));
            assert_eq!(socket.text().await, format!("later {name}"));
            assert!(socket.text().await.split(',').any(|tag| tag == name));
            socket.send("hello").await;
            assert_eq!(socket.text().await, "hello");
        }
    });
}

#[test]
fn an_automatic_answer_needs_no_event() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = server(bundle(folder.path(), ROOM).app()).await;
        assert_eq!(told(&mut server, "/auto").await, json!(["ping", "pong"]));
        let ada = server.get("/do/Thing/a/join?name=ada").websocket().await.expect("a socket");
        assert_eq!(ada.text().await, "welcome ada");
        ada.send("ping").await;
        assert_eq!(ada.text().await, "pong");
        assert_eq!(told(&mut server, "/count").await, 0);
    });
}
