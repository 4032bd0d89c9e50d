//! Responses that go on after their slice.

use std::time::Duration;

use dotdo::testing::{Fault, TestServer, run};
use serde_json::{Value, json};

use super::{open, server};

/// An object that counts in a stream, with a record for each number, and one that reads it.
const THINGS: &str = r#"
import { DurableObject } from 'cloudflare:workers';
const bytes = (text) => new TextEncoder().encode(text);
export class Thing extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const other = this.env.THING.getByName('counter');
    switch (pathname) {
      case '/count': {
        let count = 0;
        return new Response(new ReadableStream({
          pull: async (controller) => {
            await scheduler.wait(1000);
            await this.ctx.storage.put('count', ++count);
            controller.enqueue(bytes(`${count} `));
            if (count === 3) controller.close();
          },
        }));
      }
      case '/counted': return Response.json((await this.ctx.storage.get('count')) ?? 0);
      case '/read': {
        const { body } = await other.fetch('http://other/count');
        const read = this.read = [];
        try {
          for await (const piece of body) read.push(new TextDecoder().decode(piece));
        } catch (error) {
          read.push(error.name, error.code);
        }
        return Response.json(read);
      }
      case '/so-far': return Response.json(this.read ?? []);
      case '/abort': this.ctx.abort('enough');
      case '/flood': {
        let sent = 0;
        return new Response(new ReadableStream({
          pull: (controller) => {
            controller.enqueue(new Uint8Array(1 << 16));
            this.sent = ++sent;
            if (sent === 64) controller.close();
          },
        }));
      }
      case '/sent': return Response.json(this.sent ?? 0);
      case '/hold': {
        const response = await other.fetch('http://other/flood');
        await scheduler.wait(10_000);
        const { sent } = this;
        return Response.json([await (await other.fetch('http://other/sent')).json(), (await response.bytes()).length]);
      }
      case '/many': {
        const bodies = [];
        for (let n = 0; n < 70; n++) bodies.push((await other.fetch('http://other/flood')).body);
        const ends = await Promise.allSettled([bodies[0], bodies[69]].map((body) => new Response(body).bytes()));
        return Response.json(ends.map(({ status, value }) => value?.length ?? status));
      }
    }
  }
}
export default { fetch() { return new Response('in front'); } };
"#;

fn app(folder: &std::path::Path) -> dotdo::App {
    open(folder, THINGS).expect("the bundle is loaded").app()
}

fn path(name: &str, rest: &str) -> String {
    format!("/do/Thing/{}{rest}", crate::id::of_name("Thing", name))
}

async fn told(server: &TestServer, name: &str, rest: &str) -> Value {
    server.get(&path(name, rest)).await.json()
}

#[test]
fn a_piece_leaves_when_what_was_written_before_it_is_in_the_bucket() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(app(folder.path())).await;
        let counter = crate::id::of_name("Thing", "counter");
        let store = server.store();
        let hold = || {
            let counter = counter.clone();
            store.slowness().hold(move |operation, key| {
                operation.is_commit(key) && key.as_str().contains(&counter)
            });
        };
        hold();
        let look = async {
            for count in 0..3 {
                store.slowness().held().await;
                server.advance(Duration::from_millis(100)).await;
                let read: Vec<String> = told(&server, "reader", "/so-far")
                    .await
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|piece| piece.as_str().map(str::to_owned))
                    .collect();
                assert_eq!(read.len(), count, "it has read what is in no record: {read:?}");
                store.slowness().release();
                hold();
            }
            store.slowness().release();
        };
        let (read, ()) = futures_util::join!(told(&server, "reader", "/read"), look);
        assert_eq!(read, json!(["1 ", "2 ", "3 "]));
        assert_eq!(told(&server, "counter", "/counted").await, json!(3));
    });
}

#[test]
fn a_stream_whose_record_fails_is_broken_off() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(app(folder.path())).await;
        let fail = async {
            server.advance(Duration::from_millis(1500)).await;
            server.store().fail_next_commits([Fault::Refused; 1]);
        };
        let (read, ()) = futures_util::join!(told(&server, "reader", "/read"), fail);
        assert_eq!(
            read.as_array().map(|read| (&read[0], &read[1])),
            Some((&json!("1 "), &json!("Error"))),
            "{read}"
        );
        assert_eq!(told(&server, "counter", "/counted").await, json!(1));
    });
}

#[test]
fn a_value_that_ends_breaks_its_streams_off() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(app(folder.path())).await;
        let abort = async {
            server.advance(Duration::from_millis(1500)).await;
            server.get(&path("counter", "/abort")).await;
        };
        let (read, ()) = futures_util::join!(told(&server, "reader", "/read"), abort);
        assert_eq!(read, json!(["1 ", "Error", "BROKEN_OFF"]));
    });
}

#[test]
fn on_functions_a_stream_is_whole() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let function = TestServer::builder(app(folder.path())).per_request().start().await;
        assert_eq!(function.get(&path("counter", "/count")).await.text(), "1 2 3 ");
        assert_eq!(told(&function, "counter", "/counted").await, json!(3));
        assert_eq!(told(&function, "reader", "/read").await, json!(["1 ", "2 ", "3 "]));
    });
}

#[test]
fn a_slow_reader_keeps_back_who_writes_and_unread_bodies_are_bounded() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(app(folder.path())).await;
        let held: (u64, u64) = server.get(&path("reader", "/hold")).await.json();
        assert!(held.0 < 16, "{} pieces were made for who reads none", held.0);
        assert_eq!(held.1, 64 << 16);
        let many = told(&server, "reader", "/many").await;
        assert_eq!(many, json!(["rejected", 64 << 16]), "the first was not read for too long");
    });
}
