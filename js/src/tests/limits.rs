//! What code can do to others: nothing, whatever it tries.

use std::time::Duration;

use dotdo::testing::{TestServer, run};
use serde_json::{Value, json};

use super::{bundle, open, server};

const ABUSES: &str = r#"
  kept = 'field';
  async fetch(request) {
    const deep = () => deep() + 1;
    const { storage } = this.ctx;
    switch (new URL(request.url).pathname) {
      case '/forever': storage.kv.put('undone', 1); while (true) {}
      case '/forever-caught': for (;;) { try { while (true) {} } catch {} }
      case '/microtasks': { const again = () => { Promise.resolve().then(again); }; again(); await new Promise(() => {}); }
      case '/promises': { const again = () => Promise.resolve().then(again); await again(); }
      case '/regexp': return new Response(/^(a+)+$/.test('a'.repeat(40) + 'b'));
      case '/spaces': return new Response(String(new Headers({ x: `  a${' '.repeat(1e5)}b  ` }).get('x').length));
      case '/deep': return new Response(String(deep()));
      case '/gigabyte': return new Response('x'.repeat(1e9));
      case '/hoard': { const all = []; for (;;) all.push(new Uint8Array(1 << 20)); }
      case '/texts': { const all = []; for (;;) all.push(String(Math.random()).repeat(1 << 16)); }
      case '/bomb': {
        const through = async (bytes, coder) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(coder)).arrayBuffer());
        const small = await through(new Uint8Array(1 << 21), new CompressionStream('gzip'));
        const all = [];
        for (;;) all.push(await through(small, new DecompressionStream('gzip')));
      }
      case '/eval': return new Response(String(eval('1 + 1')));
      case '/function': return new Response(String(new Function('return 1')()));
      case '/constructor': return new Response(String((async () => {}).constructor('return 1')));
      case '/timers': for (let n = 0; n < 1e6; n++) setTimeout(() => {}, 0);
      case '/bodies': {
        const body = 'x'.repeat(1e7);
        await Promise.all(Array.from({ length: 10 }, () => this.env.THING.getByName('other').fetch('http://object/', { method: 'PUT', body })));
      }
      case '/fetch': return fetch('http://169.254.169.254/latest/meta-data/');
      case '/rejected': Promise.reject(new Error('nobody handles this')); return new Response('done');
      case '/leak': globalThis.leaked = storage; return new Response('leaked');
      case '/use-leak': return new Response(String(globalThis.leaked.kv.get('undone')));
      case '/host': return new Response(typeof globalThis.__dotdo);
      case '/pollute':
        Array.prototype.map = () => { throw new Error('polluted'); };
        Object.prototype.error = { name: 'Forged', reset: true };
        JSON.parse = () => ({ type: 'front' });
        Promise.prototype.then = function () { return this; };
        return new Response('polluted');
    }
    return Response.json([this.kept, storage.kv.get('undone') ?? null]);
  }
"#;

/// The exception that a request ends with.
async fn exception(server: &TestServer, path: &str) -> Value {
    let thrown = server.post(path).await;
    assert_eq!(thrown.status(), 500, "{path}: {}", thrown.text());
    serde_json::from_str(thrown.text()).expect("an exception is JSON")
}

/// A server with the abusive class, whose events may compute for so long.
async fn abused(folder: &std::path::Path, cpu_ms: u64) -> TestServer {
    drop(bundle(folder, ABUSES));
    let config = json!({
        "main": "worker.js",
        "limits": { "cpu_ms": cpu_ms },
        "durable_objects": { "bindings": [{ "name": "THING", "class_name": "Thing" }] },
    });
    let file = folder.join("wrangler.json");
    std::fs::write(&file, config.to_string()).expect("the folder is writable");
    let machine = crate::Machine { threads: 1, ..crate::Machine::default() };
    let bundle = crate::Bundle::open_on(&file, machine).expect("the bundle is loaded");
    server(bundle.app()).await
}

/// Checks that each of `paths` ends with this status and one of these codes, and that the object and
/// others are well afterwards.
async fn all_end(server: &TestServer, paths: &[&str], (status, codes): (u16, &[&str])) {
    let well = json!(["field", null]);
    for path in paths {
        let ended = server.post(&format!("/do/Thing/a/{path}")).await;
        let code = ended.code();
        assert_eq!(ended.status(), status, "{path}: {code}");
        assert!(codes.contains(&code.as_str()), "{path}: {code}");
        for object in ["a", "b"] {
            let after = server.get(&format!("/do/Thing/{object}/")).await.json::<Value>();
            assert_eq!(after, well, "{path}");
        }
    }
}

#[test]
fn what_takes_too_long_or_too_much_ends_alone() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        // What is well must end in this time, also on a busy machine.
        let server = abused(folder.path(), 1000).await;
        let endless = ["forever", "forever-caught", "microtasks", "regexp"];
        all_end(&server, &endless, (504, &["CPU_LIMIT"])).await;
        // The time for this grew with the square of the spaces.
        assert_eq!(server.post("/do/Thing/a/spaces").await.text(), "100002");
        let other = tempfile::tempdir().expect("a folder");
        let server = abused(other.path(), 25_000).await;
        let greedy = ["hoard", "texts", "gigabyte", "bomb"];
        all_end(&server, &greedy, (500, &["MEMORY_LIMIT"])).await;
        // More than a slice may begin.
        all_end(&server, &["bodies"], (500, &["UNCAUGHT_EXCEPTION"])).await;
        // Without memory for an exception QuickJS throws null, and a promise of the class may take it,
        // or is never settled.
        let taken = ["MEMORY_LIMIT", "UNCAUGHT_EXCEPTION", "AWAITS_NOTHING"];
        all_end(&server, &["promises"], (500, &taken)).await;
    });
}

#[test]
fn what_is_refused_is_an_exception_of_its_request_alone() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(bundle(folder.path(), ABUSES).app()).await;
        for (path, name, message) in [
            ("deep", "RangeError", "Maximum call stack size exceeded"),
            ("eval", "EvalError", "Code generation from strings disallowed"),
            ("function", "EvalError", "Code generation from strings disallowed"),
            ("constructor", "EvalError", "Code generation from strings disallowed"),
            ("timers", "Error", "expected at most 10000 timers at a time"),
            ("fetch", "TypeError", "169.254.169.254 is not a public address"),
        ] {
            let thrown = exception(&server, &format!("/do/Thing/a/{path}")).await;
            assert_eq!(thrown["name"], name, "{path}: {thrown}");
            let said = thrown["message"].as_str().unwrap_or_default();
            assert!(said.starts_with(message), "{path}: {said}");
        }
        assert_eq!(server.post("/do/Thing/a/rejected").await.text(), "done");
        assert_eq!(server.post("/do/Thing/a/host").await.text(), "undefined");
        // An object's storage is no other's, whoever has got hold of it.
        assert_eq!(server.post("/do/Thing/a/leak").await.text(), "leaked");
        let thrown = exception(&server, "/do/Thing/b/use-leak").await;
        let said = thrown["message"].as_str().unwrap_or_default();
        assert!(said.contains("this code runs for another object"), "{said}");
        assert_eq!(server.get("/do/Thing/a/").await.json::<Value>(), json!(["field", null]));
    });
}

#[test]
fn pollution_stays_in_its_bundle() {
    run(async {
        let (folder, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let polluted = server(bundle(folder.path(), ABUSES).app()).await;
        let clean = polluted_twin(&other).await;
        // Whatever comes of it, it is a response.
        let outcome = polluted.post("/do/Thing/a/pollute").await.status();
        assert!([200, 500].contains(&outcome), "{outcome}");
        let after = polluted.get("/do/Thing/b/").await.status();
        assert!([200, 500].contains(&after), "{after}");
        assert_eq!(clean.get("/do/Thing/a/").await.json::<Value>(), json!(["field", null]));
        polluted.advance(Duration::from_secs(1)).await;
    });
}

async fn polluted_twin(folder: &tempfile::TempDir) -> TestServer {
    server(bundle(folder.path(), ABUSES).app()).await
}

#[test]
fn a_bundle_that_computes_while_it_is_loaded_is_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = open(folder.path(), "for (;;) {}").map(|_| ()).expect_err("it never ends");
    assert!(error.message().contains("cannot load the worker"), "{error}");
}
