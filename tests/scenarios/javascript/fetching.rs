//! `fetch` of workers and objects: what it sends, what it follows, and what it does not reach.

use dotdo_tests::{Server, scratch};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{serving, text, written};

/// A bundle that is its own other server: what is below `/there` is asked for by what is not.
const BOTH: &str = r#"
import { DurableObject } from 'cloudflare:workers';
async function outcome(work) {
  try {
    const response = await work();
    const body = await response.text();
    return [response.status, response.redirected, new URL(response.url).pathname, response.headers.get('x-there'), body];
  } catch (error) {
    return [error.name, error.code ?? null, error.message];
  }
}
function ask(origin, path, url) {
  switch (path) {
    case 'get': return fetch(`${origin}/there/echo?q=1`, { headers: { 'x-sent': 'ü', host: 'forged' } });
    case 'put': return fetch(new Request(`${origin}/there/echo`, { method: 'PUT', body: 'a body' }));
    case 'empty': return fetch(`${origin}/there/empty`);
    case 'missing': return fetch(`${origin}/there/nothing`);
    case 'follow': return fetch(`${origin}/there/redirect`);
    case 'manual': return fetch(`${origin}/there/redirect`, { redirect: 'manual' });
    case 'error': return fetch(`${origin}/there/redirect`, { redirect: 'error' });
    case 'loop': return fetch(`${origin}/there/loop`);
    case 'url': return fetch(url);
  }
}
export class Asker extends DurableObject {
  async ask(origin, path, url) {
    const count = ((await this.ctx.storage.get('asked')) ?? 0) + 1;
    await this.ctx.storage.put('asked', count);
    const told = await outcome(() => ask(origin, path, url));
    await this.ctx.storage.put('told', told);
    return await this.ctx.storage.get('told');
  }
  asked() { return this.ctx.storage.get('asked'); }
  // What was written before is there when the other server hears of it.
  async tell(origin) {
    await this.ctx.storage.put('asked', 'told');
    return (await fetch(`${origin}/there/asked`)).json();
  }
}
export default {
  async fetch(request, env) {
    const { origin, pathname, searchParams } = new URL(request.url);
    const asker = env.ASKER.getByName('one');
    const [, first, second] = pathname.split('/');
    switch (first) {
      case 'worker': return Response.json(await outcome(() => ask(origin, second, searchParams.get('url'))));
      case 'object': return Response.json(await asker.ask(origin, second, searchParams.get('url')));
      case 'tell': return Response.json(await asker.tell(origin));
      case 'there': break;
      default: return new Response('no', { status: 404 });
    }
    switch (second) {
      case 'echo': {
        const seen = [request.method, request.url.slice(origin.length), request.headers.get('x-sent'), request.headers.get('host') === new URL(origin).host, await request.text()];
        return Response.json(seen, { status: 201, headers: { 'x-there': 'yes' } });
      }
      case 'empty': return new Response(null, { status: 204 });
      case 'redirect': return new Response(null, { status: 302, headers: { location: '/there/echo?redirected' } });
      case 'loop': return new Response(null, { status: 307, headers: { location: '/there/loop' } });
      case 'asked': return Response.json(await asker.asked());
    }
    return new Response('nothing', { status: 404 });
  },
};
"#;

async fn both(private_networks: bool) -> (tempfile::TempDir, Server) {
    let folder = scratch();
    let bundle = written(folder.path(), "worker.js", BOTH);
    let server = serving(folder.path(), &bundle)
        .env("DOTDO_FETCH_PRIVATE_NETWORKS", private_networks.to_string())
        .start()
        .await;
    (folder, server)
}

async fn told(http: &Client, server: &Server, path: &str) -> Value {
    let (status, told) = text(http, server.url(path)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {told}");
    serde_json::from_str(&told).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_sends_what_it_was_given_and_follows_what_it_may() {
    let ((_folder, server), http) = (both(true).await, Client::new());
    let echo = |seen: Value, redirected: bool| {
        json!([201, redirected, "/there/echo", "yes", seen.to_string()])
    };
    for from in ["worker", "object"] {
        for (path, expected) in [
            ("get", echo(json!(["GET", "/there/echo?q=1", "ü", true, ""]), false)),
            ("put", echo(json!(["PUT", "/there/echo", null, true, "a body"]), false)),
            ("empty", json!([204, false, "/there/empty", null, ""])),
            ("missing", json!([404, false, "/there/nothing", null, "nothing"])),
            ("follow", echo(json!(["GET", "/there/echo?redirected", null, true, ""]), true)),
            ("manual", json!([302, false, "/there/redirect", null, ""])),
        ] {
            let got = told(&http, &server, &format!("/{from}/{path}")).await;
            assert_eq!(got, expected, "{from} {path}");
        }
        for (path, code, why) in [
            ("error", Value::Null, "Unexpected redirect"),
            ("loop", json!("FETCH_REFUSED"), "there are too many redirects"),
            ("url?url=http://127.0.0.1:1/", json!("FETCH_FAILED"), "cannot fetch from 127.0.0.1"),
            ("url?url=file:///etc/passwd", json!("FETCH_REFUSED"), "expected an http or https URL"),
        ] {
            let got = told(&http, &server, &format!("/{from}/{path}")).await;
            assert_eq!((&got[0], &got[1]), (&json!("TypeError"), &code), "{from} {path}: {got}");
            assert!(got[2].as_str().unwrap_or_default().contains(why), "{from} {path}: {got}");
        }
    }
    assert_eq!(told(&http, &server, "/tell").await, "told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_reaches_nothing_that_is_not_public() {
    let ((_folder, server), http) = (both(false).await, Client::new());
    let port = server.url("").rsplit(':').next().expect("a port").to_owned();
    for from in ["worker", "object"] {
        for url in [
            format!("http://127.0.0.1:{port}/there/echo"),
            format!("http://localhost:{port}/there/echo"),
            format!("http://[::1]:{port}/there/echo"),
            format!("http://2130706433:{port}/there/echo"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
        ] {
            let path = format!("/{from}/url?url={url}");
            let got = told(&http, &server, &path).await;
            assert_eq!((&got[0], &got[1]), (&json!("TypeError"), &json!("FETCH_REFUSED")), "{got}");
            let said = got[2].as_str().unwrap_or_default();
            assert!(said.contains("is not a public address"), "{url}: {said}");
        }
    }
}
