//! What an object does with its state.

use dotdo::testing::run;
use serde_json::{Value, json};

use super::{bundle, server};

const STATE: &str = r#"
  constructor(ctx, env) {
    super(ctx, env);
    this.events = 0;
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)');
    ctx.blockConcurrencyWhile(async () => { this.begun = (await ctx.storage.get('begun')) ?? 'new'; });
  }
  async fetch(request) {
    this.events++;
    const { pathname } = new URL(request.url);
    const { storage } = this.ctx;
    switch (pathname) {
      case '/add':
        storage.sql.exec('INSERT INTO notes (text) VALUES (?)', await request.text());
        await storage.put('begun', 'before');
        break;
      case '/add-and-throw':
        storage.sql.exec('INSERT INTO notes (text) VALUES (?)', 'kept');
        throw new TypeError('after a change');
      case '/add-and-abort':
        storage.sql.exec('INSERT INTO notes (text) VALUES (?)', 'undone');
        this.ctx.abort('enough');
      case '/rolled-back':
        try {
          storage.transactionSync(() => {
            storage.sql.exec('INSERT INTO notes (text) VALUES (?)', 'undone');
            throw new Error('no');
          });
        } catch {}
        break;
      case '/alarm':
        await storage.setAlarm(Date.now() + 60_000);
        break;
      case '/clear':
        await storage.deleteAll();
        storage.sql.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)');
        break;
    }
    return Response.json({
      notes: storage.sql.exec('SELECT text FROM notes ORDER BY id').raw().toArray().flat(),
      events: this.events,
      begun: this.begun,
      alarm: await storage.getAlarm() !== null,
      rang: await storage.get('rang') ?? null,
    });
  }
  async alarm(info) {
    if (!info.isRetry) throw new Error('at first it fails');
    await this.ctx.storage.put('rang', info.retryCount);
  }
"#;

#[test]
fn what_an_event_writes_is_kept_also_by_one_that_throws() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = server(bundle(folder.path(), STATE).app()).await;
        let seen = |notes: Value, events: u64, begun: &str| json!({ "notes": notes, "events": events, "begun": begun, "alarm": false, "rang": null });
        let first = server.post("/do/Thing/a/add").body("one").await.json::<Value>();
        assert_eq!(first, seen(json!(["one"]), 1, "new"));
        let thrown = server.post("/do/Thing/a/add-and-throw").await;
        assert_eq!(thrown.status(), 500);
        assert_eq!(
            serde_json::from_str::<Value>(thrown.text()).expect("JSON"),
            json!({ "name": "TypeError", "message": "after a change", "code": "UNCAUGHT_EXCEPTION" })
        );
        let after = server.get("/do/Thing/a/").await.json::<Value>();
        assert_eq!(after, seen(json!(["one", "kept"]), 3, "new"), "and so are its fields");
        // This undoes what it did, and ends the value.
        assert_eq!(server.post("/do/Thing/a/add-and-abort").await.status(), 500);
        let after = server.get("/do/Thing/a/").await.json::<Value>();
        assert_eq!(after, seen(json!(["one", "kept"]), 1, "before"));
        let caught = server.post("/do/Thing/a/rolled-back").await.json::<Value>();
        assert_eq!(caught, seen(json!(["one", "kept"]), 2, "before"));
        server.crash().await;
        let restored = server.get("/do/Thing/a/").await.json::<Value>();
        assert_eq!(restored, seen(json!(["one", "kept"]), 1, "before"));
        let cleared = server.post("/do/Thing/a/clear").await.json::<Value>();
        assert_eq!(cleared, seen(json!([]), 2, "before"));
        let other = server.get("/do/Thing/b/").await.json::<Value>();
        assert_eq!(other, seen(json!([]), 1, "new"));
    });
}

#[test]
fn an_alarm_runs_at_its_time_and_again_when_it_fails() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), STATE).app()).await;
        let set = server.post("/do/Thing/a/alarm").await.json::<Value>();
        assert_eq!((&set["alarm"], &set["rang"]), (&json!(true), &json!(null)));
        server.advance(std::time::Duration::from_secs(120)).await;
        let rang = server.get("/do/Thing/a/").await.json::<Value>();
        assert_eq!((&rang["alarm"], &rang["rang"]), (&json!(false), &json!(1)));
    });
}

#[test]
fn values_come_back_as_they_were_put_or_are_refused() {
    const VALUES: &str = r#"
      async fetch(request) {
        const { storage } = this.ctx;
        const loop = { name: 'loop', $: 'dollar', ['__proto__x']: 1 };
        loop.self = loop;
        const sparse = [1, , 3];
        sparse.extra = true;
        const values = {
          undefined: { a: undefined }, numbers: [NaN, Infinity, -Infinity, -0, 0, 1e300, 5e-324, 2 ** 53], bigint: 2n ** 70n,
          date: new Date(5), invalid: new Date(NaN), regexp: /a"b/gi, map: new Map([[{ k: 1 }, new Set([1, 'a'])]]), bytes: new Uint8Array([0, 128, 255]),
          floats: new Float64Array([1.5, -0]), buffer: new Uint8Array([1, 2]).buffer, error: new RangeError('far'), loop, sparse, text: 'ä\0\u{1f600}', nested: [[], {}, [null]],
        };
        if (request.method === 'POST') {
          const shown = [];
          for (const [key, bad] of Object.entries({ f: () => 1, s: Symbol('x'), p: Promise.resolve(), w: new WeakMap(), r: request })) {
            try { await storage.put(key, bad); shown.push('stored'); } catch (error) { shown.push(error.name); }
          }
          await storage.put(values);
          return Response.json(shown);
        }
        const got = Object.fromEntries(await storage.get(Object.keys(values)));
        const same = (one, other, seen = new Map()) => {
          if (Object.is(one, other)) return true;
          if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false;
          if (seen.has(one)) return seen.get(one) === other;
          seen.set(one, other);
          if (Object.prototype.toString.call(one) !== Object.prototype.toString.call(other)) return false;
          if (one instanceof Date) return Object.is(one.getTime(), other.getTime());
          if (one instanceof RegExp) return String(one) === String(other);
          if (one instanceof Error) return one.name === other.name && one.message === other.message;
          if (one instanceof ArrayBuffer) return same(new Uint8Array(one), new Uint8Array(other));
          const parts = (v) => (v instanceof Map ? [...v].flat() : v instanceof Set ? [...v] : []);
          const keys = Object.keys(one);
          return keys.length === Object.keys(other).length && one.length === other.length && keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key], seen)) &&
            parts(one).length === parts(other).length && parts(one).every((item, at) => same(item, parts(other)[at], seen));
        };
        const different = Object.keys(values).filter((key) => !same(values[key], got[key]) || !same(values[key], structuredClone(values[key])));
        return Response.json([different, [...(await storage.list({ prefix: 'b' })).keys()], [...(await storage.list({ start: 'n', limit: 1, reverse: true })).keys()]]);
      }
    "#;
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = server(bundle(folder.path(), VALUES).app()).await;
        let refused = server.post("/do/Thing/a/").await.json::<Value>();
        assert_eq!(
            refused,
            json!([
                "DataCloneError",
                "DataCloneError",
                "DataCloneError",
                "DataCloneError",
                "DataCloneError"
            ])
        );
        server.crash().await;
        let read = server.get("/do/Thing/a/").await.json::<Value>();
        assert_eq!(read, json!([[], ["bigint", "buffer", "bytes"], ["undefined"]]));
    });
}

#[test]
fn a_stream_is_one_before_code_has_named_streams() {
    const FIRST: &str = r#"
      async fetch(request) {
        const source = new Blob(['streamed']).stream();
        const isPlain = new URL(request.url).pathname === '/plain';
        return new Response(isPlain ? source : source.pipeThrough(new CompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip')));
      }
    "#;
    run(async {
        for path in ["plain", "coded"] {
            let folder = tempfile::tempdir().expect("a folder");
            let server = server(bundle(folder.path(), FIRST).app()).await;
            assert_eq!(server.get(&format!("/do/Thing/a/{path}")).await.text(), "streamed");
        }
    });
}

#[test]
fn the_same_events_have_the_same_outcome_each_time() {
    const CHANCE: &str = r#"
      async fetch() {
        this.ctx.storage.kv.put('last', crypto.randomUUID());
        const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-521' }, true, ['sign', 'verify']);
        const key = await crypto.subtle.exportKey('jwk', publicKey);
        return Response.json([Date.now(), new Date().toISOString(), performance.now(), Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(4))], this.ctx.id.toString(), key.x]);
      }
    "#;
    let once = || {
        let seen = std::sync::Mutex::new(Vec::new());
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let server = server(bundle(folder.path(), CHANCE).app()).await;
            for object in ["a", "b", "a"] {
                let path = format!("/do/Thing/{object}/");
                let told = server.get(&path).await.json::<Value>();
                seen.lock().expect("nobody panics").push(told);
            }
        });
        seen.into_inner().expect("nobody panics")
    };
    let first = once();
    assert_eq!(first, once());
    assert_ne!(first[0][4], first[1][4]);
    assert_eq!(first[0][6], "a", "an object that is not of a worker has the id of its route");
}

/// Most globals are loaded when they are first used. Nothing that code sees of them, or of what requests and
/// responses are made of, may tell.
#[test]
fn what_is_loaded_when_it_is_used_is_as_if_it_had_been_there() {
    const GLOBALS: &str = r#"
      async fetch(incoming) {
        class Own extends EventTarget {}
        globalThis.TextDecoder = class Replaced {};
        const names = ['URL', 'TextEncoder', 'console', 'crypto', 'performance', 'structuredClone', 'WebSocketPair', 'AbortSignal', 'setTimeout', 'ReadableStream', 'Buffer'];
        const plain = names.filter((name) => {
          const value = globalThis[name];
          const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(globalThis, name);
          return value === globalThis[name] && writable && !enumerable && configurable;
        });
        const request = new Request('http://a/b', { method: 'post', body: '\ufeffa' });
        const copy = new Request(request);
        const headers = new Headers([['B', ' 2 '], ['set-cookie', 'x'], ['a', '1'], ['Set-Cookie', 'y'], ['a', '']]);
        return Response.json({
          plain: plain.length === names.length || plain,
          names: [TextDecoder.name, new Own() instanceof EventTarget, clearInterval === clearTimeout],
          signals: [copy.signal === request.signal, copy.clone().signal === copy.signal, incoming.signal.aborted],
          bodies: [copy.headers.get('content-type'), await copy.text(), copy.bodyUsed, request.bodyUsed, (await new Response('é').bytes()).length],
          headers: [[...headers], [...new Headers(headers)], headers.getSetCookie(), incoming.headers.get('X-Two')],
          code: String(Response).replaceAll(/\s+/g, ' '),
        });
      }
    "#;
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), GLOBALS).app()).await;
        let request = server.get("/do/Thing/a/").header("X-Two", "1, 2");
        let told = request.await.json::<Value>();
        let one = json!([["a", "1, "], ["b", "2"], ["set-cookie", "x"], ["set-cookie", "y"]]);
        let other = json!([["a", "1,"], ["b", "2"], ["set-cookie", "x"], ["set-cookie", "y"]]);
        let expected = json!({
            "plain": true,
            "names": ["Replaced", true, true],
            "signals": [true, true, false],
            "bodies": ["text/plain;charset=UTF-8", "a", true, true, 2],
            "headers": [one, other, ["x", "y"], "1, 2"],
            "code": "function Response() { [native code] }",
        });
        assert_eq!(told, expected);
    });
}
