//! Bundles in JavaScript through the front door: the document's example, Cloudflare's answers, a
//! kill, and what clients and code might try.

mod assets;
mod bindings;
mod fetching;
mod npm;
mod outward;
mod projects;
mod sockets;
mod stacks;
mod streaming;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dotdo_tests::{Deadline, Server, Setup, code_blocks, scratch};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::world::PATIENCE_SECONDS;

/// A server of a bundle in `folder`.
fn serving(folder: &Path, bundle: &Path) -> Setup {
    Setup::new(&folder.join("state").display().to_string()).arg(bundle.display().to_string())
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder is writable");
    path
}

async fn text(http: &Client, url: String) -> (StatusCode, String) {
    let answer = http.get(url).send().await.expect("the server answers");
    (answer.status(), answer.text().await.expect("a text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_bundle_works_as_documented() {
    let blocks = code_blocks("docs/JAVASCRIPT.md");
    let at = blocks.iter().position(|block| block.intro.ends_with("`worker.js`:"));
    let at = at.unwrap_or_else(|| panic!("no worker in {blocks:?}"));
    let (worker, commands) = (&blocks[at], &blocks[at + 1]);
    assert_eq!((worker.language.as_str(), commands.language.as_str()), ("js", "sh"));
    assert_eq!(commands.text.trim(), "dotdo serve worker.js\ncurl http://127.0.0.1:8787/hello");
    let (folder, http) = (scratch(), Client::new());
    let server =
        serving(folder.path(), &written(folder.path(), "worker.js", &worker.text)).start().await;
    for count in 1..=2 {
        let told = text(&http, server.url("/hello")).await;
        assert_eq!(told, (StatusCode::OK, format!("/hello was visited {count} times\n")));
    }
}

/// Compares each case of a bundle with what workerd answers, which `javascript/record` has written
/// beside it, and returns how many there are.
async fn compare_with_workerd(bundle: &Path) -> usize {
    compare(bundle, &bundle.with_extension("json")).await
}

/// Compares each case of a bundle with the answers in the file `recorded`.
async fn compare(bundle: &Path, recorded: &Path) -> usize {
    let (folder, http) = (scratch(), Client::new());
    // A bundle may be another server for itself.
    let setup = serving(folder.path(), bundle).env("DOTDO_FETCH_PRIVATE_NETWORKS", "true");
    let server = setup.start().await;
    let names: Vec<String> =
        serde_json::from_str(&text(&http, server.url("/names")).await.1).expect("JSON");
    let recorded = std::fs::read_to_string(recorded).expect("answers");
    let expected: BTreeMap<String, Value> = serde_json::from_str(&recorded).expect("JSON");
    let recorded: Vec<&String> = expected.keys().collect();
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    assert_eq!(recorded, sorted, "cases were added or removed: run javascript/record again");
    let mut wrong = Vec::new();
    for name in &names {
        let (_, told) = text(&http, server.url(&format!("/{name}"))).await;
        let told: Value = serde_json::from_str(&told).unwrap_or(Value::String(told));
        if told != expected[name] {
            wrong.push(format!("{name}: expected {}, got {told}", expected[name]));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", bundle.display(), wrong.join("\n"));
    names.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_have_the_answers_of_workerd() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript");
    assert!(compare_with_workerd(&folder.join("cases.js")).await > 190);
    let entrypoints = folder.join("entrypoints");
    let (bundle, recorded) =
        (entrypoints.join("wrangler.jsonc"), entrypoints.join("expected.json"));
    assert!(compare(&bundle, &recorded).await > 60);
    for entry in std::fs::read_dir(folder.join("cases")).expect("the folder is there") {
        let bundle = entry.expect("an entry").path();
        if bundle.extension().is_some_and(|end| end == "js") {
            assert!(compare_with_workerd(&bundle).await > 0);
        }
    }
}

const LEDGER: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Ledger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS entries (n INTEGER PRIMARY KEY, entry TEXT UNIQUE)');
  }
  // Begins here, goes on in the copy, and ends here.
  async append(entry, copy) {
    this.ctx.storage.sql.exec('INSERT INTO entries (entry) VALUES (?)', entry);
    if (copy) await this.env.LEDGER.getByName(copy).append(entry);
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1;
    await this.ctx.storage.put('count', count);
    return count;
  }
  async all() {
    const entries = this.ctx.storage.sql.exec('SELECT entry FROM entries ORDER BY n').raw().toArray().flat();
    return { entries, count: (await this.ctx.storage.get('count')) ?? 0 };
  }
}
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, name, entry] = url.pathname.split('/');
    const ledger = env.LEDGER.getByName(name);
    return Response.json(entry ? await ledger.append(entry, `copy-of-${name}`) : await ledger.all());
  },
};
"#;

/// Appends entries until the server is gone; those that were acknowledged.
async fn append_until_it_breaks(http: Client, base: String, client: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let entry = format!("{client}-{number}");
        let sent = http.post(format!("{base}/ledger-{}/{entry}", client % 2)).send().await;
        let Ok(answer) = sent else { break };
        if answer.status().is_success() && answer.text().await.is_ok() {
            acknowledged.push(entry);
        }
    }
    acknowledged
}

async fn ledger(http: &Client, server: &Server, name: &str) -> Option<Value> {
    let answer = http.get(server.url(&format!("/{name}"))).send().await.ok()?;
    if answer.status().is_success() { answer.json().await.ok() } else { None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bundle_has_answered_is_there_after_a_kill() {
    let (folder, http) = (scratch(), Client::new());
    let setup = serving(folder.path(), &written(folder.path(), "worker.js", LEDGER))
        .env("DOTDO_LEASE_DURATION_MS", "500");
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..3 {
        let server = setup.start().await;
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let number = 10 * round + client;
                tokio::spawn(append_until_it_breaks(http.clone(), server.url(""), number))
            })
            .collect();
        let before = acknowledged.len();
        let has_written = || async {
            let told = ledger(&http, &server, "ledger-0").await?;
            (told["entries"].as_array()?.len() >= before / 2 + 20).then_some(())
        };
        Deadline::in_seconds(PATIENCE_SECONDS).until(has_written).await.expect("clients write");
        server.kill9();
        for client in clients {
            acknowledged.extend(client.await.expect("a client does not panic"));
        }
    }
    let server = setup.start().await;
    let (mut there, mut copied, mut counted) = (Vec::new(), Vec::new(), 0);
    for name in ["ledger-0", "ledger-1", "copy-of-ledger-0", "copy-of-ledger-1"] {
        let read = || ledger(&http, &server, name);
        let told = Deadline::in_seconds(PATIENCE_SECONDS).until(read).await.expect("it is read");
        let entries = told["entries"].as_array().expect("a list").clone();
        let count = told["count"].as_u64().expect("a number");
        let entries = entries.iter().map(|entry| entry.as_str().expect("a text").to_owned());
        if name.starts_with("copy") {
            let before = copied.len() as u64;
            copied.extend(entries);
            assert_eq!(count, copied.len() as u64 - before, "both are of the same slice");
        } else {
            there.extend(entries);
            counted += count;
        }
    }
    assert!(acknowledged.len() > 60, "{}", acknowledged.len());
    let lost = acknowledged.iter().filter(|it| !there.contains(it) || !copied.contains(it));
    let lost: Vec<&String> = lost.collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // What an event did before it called is in the bucket before the call, and so on to its end.
    let ahead: Vec<&String> = copied.iter().filter(|entry| !there.contains(entry)).collect();
    assert!(ahead.is_empty(), "called and lost: {ahead:?}");
    assert!(counted >= acknowledged.len() as u64 && counted <= copied.len() as u64, "{counted}");
}

const STRANGE: &str = r#"
import { DurableObject, env as imported, waitUntil, withEnv } from 'cloudflare:workers';
import { helper } from './lib/helper.js';
export class Vault extends DurableObject {
  secret() { return 'of the vault'; }
  fetch(request) { return Response.json([request.url, [...request.headers.keys()].filter((name) => name.startsWith('dotdo'))]); }
  async facets() { await this.ctx.facets.get('other'); }
  forever() { while (true) {} }
}
export class Old {
  constructor(state, env) { this.state = state; this.env = env; }
  async fetch() {
    const count = ((await this.state.storage.get('n')) ?? 0) + 1;
    await this.state.storage.put('n', count);
    return new Response(`${this.env.GREETING} ${count}`);
  }
}
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const vault = env.VAULT.getByName('v');
    switch (pathname) {
      case '/vault': return vault.fetch(request);
      case '/old': return env.OLD.getByName('o').fetch(request);
      case '/helper': return new Response(helper(imported.GREETING));
      case '/throw': throw new Error('secret reason');
      case '/not-a-response': return 'text';
      case '/forever': while (true) {}
      case '/object-forever': await vault.forever(); break;
      case '/caught-forever': try { await vault.forever(); } catch (error) { return new Response(`${error.code} ${error.retryable ?? false}`); } break;
      case '/never': await new Promise(() => {}); break;
      case '/facets': await vault.facets(); break;
      case '/with-env': return new Response(withEnv({}, () => 'other'));
      case '/old-rpc': await env.OLD.getByName('o').fetch2(); break;
      case '/call-many': return Response.json((await Promise.all(Array.from({ length: 200 }, (_, n) => env.VAULT.getByName(`v${n % 5}`).secret()))).length);
      case '/background': waitUntil(env.OLD.getByName('late').fetch('http://object/')); return new Response('at once');
      case '/late': return env.OLD.getByName('late').fetch('http://object/');
      case '/method': return new Response(await request.text(), { status: 201, headers: { 'x-method': request.method, 'dotdo-js-exception': '1' } });
      case '/do/Vault/v/secret': return new Response(`the worker has ${pathname}`);
    }
    return new Response('not found', { status: 404 });
  },
};
"#;

async fn strange() -> (tempfile::TempDir, Server) {
    let folder = scratch();
    std::fs::create_dir_all(folder.path().join("app/lib")).expect("the folder is writable");
    written(folder.path(), "app/worker.js", STRANGE);
    written(
        folder.path(),
        "app/lib/helper.js",
        "export const helper = (text) => `helped ${text}`;",
    );
    written(
        folder.path(),
        "app/wrangler.jsonc",
        r#"{
          "name": "strange", "main": "worker.js", // the bundle
          "durable_objects": { "bindings": [{ "name": "VAULT", "class_name": "Vault" }, { "name": "OLD", "class_name": "Old" }] },
          "vars": { "GREETING": "hej" }, "limits": { "cpu_ms": 1000 },
        }"#,
    );
    let server = serving(folder.path(), &folder.path().join("app")).start().await;
    (folder, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_reach_the_worker_and_nothing_behind_it() {
    let ((_folder, server), http) = (strange().await, Client::new());
    let ok = |text: &str| (StatusCode::OK, text.to_owned());
    assert_eq!(text(&http, server.url("/helper")).await, ok("helped hej"));
    for count in 1..=2 {
        assert_eq!(text(&http, server.url("/old")).await, ok(&format!("hej {count}")));
    }
    // The routes to objects are the worker's, and what names an object or a method names none.
    let told = text(&http, server.url("/do/Vault/v/secret")).await;
    assert_eq!(told, ok("the worker has /do/Vault/v/secret"));
    let forged = http
        .post(server.url("/vault"))
        .header("X-DO-ID", "v")
        .header("X-DO-Type", "Vault")
        .header("dotdo-js-member", r#"{"name": "secret"}"#)
        .header("dotdo-js-url", "http://forged/")
        .body("[]");
    let answer: Value = forged.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer[0], server.url("/vault"));
    assert_eq!(answer[1], json!([]));
    let sent = http.put(server.url("/method")).body("a body").send().await.expect("an answer");
    assert_eq!(
        (sent.status(), &sent.headers()["x-method"]),
        (StatusCode::CREATED, &"PUT".parse().expect("a value"))
    );
    assert!(!sent.headers().contains_key("dotdo-js-exception"));
    assert_eq!(sent.text().await.expect("a text"), "a body");
    // Two calls of one request with the same key are two calls.
    for count in 3..=4 {
        let keyed = http.get(server.url("/old")).header("Idempotency-Key", "\"same\"").send().await;
        assert_eq!(keyed.expect("an answer").text().await.expect("a text"), format!("hej {count}"));
    }
    assert_eq!(text(&http, server.url("/health")).await.0, StatusCode::OK);
    assert_eq!(text(&http, server.url("/call-many")).await, ok("200"));
    assert_eq!(text(&http, server.url("/background")).await, ok("at once"));
    let has_run = || async {
        let (_, told) = text(&http, server.url("/late")).await;
        (told != "hej 1").then_some(told)
    };
    Deadline::in_seconds(PATIENCE_SECONDS)
        .until(has_run)
        .await
        .expect("it runs after the response");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_errors_of_the_house_and_harm_nobody_else() {
    let ((_folder, server), http) = (strange().await, Client::new());
    for (path, status, code) in [
        ("/throw", 500, "UNCAUGHT_EXCEPTION"),
        ("/not-a-response", 500, "UNCAUGHT_EXCEPTION"),
        ("/facets", 500, "UNCAUGHT_EXCEPTION"),
        ("/with-env", 500, "UNCAUGHT_EXCEPTION"),
        ("/old-rpc", 500, "UNCAUGHT_EXCEPTION"),
        ("/never", 500, "AWAITS_NOTHING"),
        ("/forever", 504, "CPU_LIMIT"),
        ("/object-forever", 504, "CPU_LIMIT"),
    ] {
        let (got, told) = text(&http, server.url(path)).await;
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((got.as_u16(), told["code"].as_str()), (status, Some(code)), "{path}: {told}");
        assert_eq!(told["status"], status, "{path}");
        assert!(!told.to_string().contains("secret"), "{path}: {told}");
        let (got, told) = text(&http, server.url("/helper")).await;
        assert_eq!((got, told.as_str()), (StatusCode::OK, "helped hej"), "after {path}");
    }
    assert_eq!(text(&http, server.url("/caught-forever")).await.1, "CPU_LIMIT false");
    let log = server.stderr();
    for line in [
        "uncaught Error: secret reason",
        "at fetch (worker.js",
        "ctx.facets is not available in dotdo yet",
        "withEnv is not available in dotdo yet",
    ] {
        assert!(log.contains(line), "{line} is not in the log:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_can_not_run_says_why_and_does_not_start() {
    let folder = scratch();
    let file = written(folder.path(), "worker.js", "import { Hono } from 'hono';");
    let log = serving(folder.path(), &file).try_start().await.err().expect("it does not start");
    assert!(log.contains("worker.js imports \"hono\", which is not in the bundle"), "{log}");
    written(folder.path(), "wrangler.toml", "main = 'worker.js'\n[[hyperdrive]]\nbinding = 'DB'\n");
    let log =
        serving(folder.path(), folder.path()).try_start().await.err().expect("it does not start");
    assert!(log.contains("dotdo does not have hyperdrive yet"), "{log}");
}
