//! Files in front of the worker, and environments of its configuration.

use super::*;

const WORKER: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Page extends DurableObject {
  async title() {
    const text = await (await this.env.ASSETS.fetch('https://assets/page.html')).text();
    return [text, this.env.KIND];
  }
}
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/api/title') return Response.json(await env.PAGE.getByName('a').title());
    if (pathname === '/api/asset') return env.ASSETS.fetch(new Request(new URL('/style.css', request.url), request));
    return new Response(`the worker has ${pathname}`, { status: 404 });
  },
};
"#;

const CONFIG: &str = r#"{
  "main": "worker.js",
  "assets": { "directory": "public", "binding": "ASSETS", "run_worker_first": ["/api/*"] },
  "durable_objects": { "bindings": [{ "name": "PAGE", "class_name": "Page" }] },
  "vars": { "KIND": "usual" },
  "env": {
    "staging": {
      "vars": { "KIND": "staging" },
      "durable_objects": { "bindings": [{ "name": "PAGE", "class_name": "Page" }] },
    },
  },
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_in_front_of_the_worker_and_an_environment_has_its_own_variables() {
    let (folder, http) = (scratch(), Client::new());
    std::fs::create_dir_all(folder.path().join("public/api")).expect("a folder");
    for (name, text) in [
        ("worker.js", WORKER),
        ("wrangler.jsonc", CONFIG),
        ("public/index.html", "home"),
        ("public/page.html", "a page"),
        ("public/style.css", "a { }"),
        ("public/api/title", "a file"),
    ] {
        written(folder.path(), name, text);
    }
    let setup = serving(folder.path(), folder.path());
    let server = setup.clone().start().await;
    let home = http.get(server.url("/")).send().await.expect("the server answers");
    assert_eq!(home.headers()["content-type"], "text/html; charset=utf-8");
    let tag = home.headers()["etag"].clone();
    assert_eq!(home.text().await.expect("a text"), "home");
    let again = http.get(server.url("/")).header("if-none-match", tag).send().await;
    assert_eq!(again.expect("the server answers").status(), StatusCode::NOT_MODIFIED);
    for (path, expected) in [
        ("/page", (StatusCode::OK, "a page")),
        ("/page.html", (StatusCode::OK, "a page")),
        ("/nowhere", (StatusCode::NOT_FOUND, "the worker has /nowhere")),
        ("/worker.js", (StatusCode::NOT_FOUND, "the worker has /worker.js")),
        ("/api/title", (StatusCode::OK, "[\"a page\",\"usual\"]")),
        ("/api/asset", (StatusCode::OK, "a { }")),
    ] {
        let (status, told) = text(&http, server.url(path)).await;
        assert_eq!((status, told.as_str()), expected, "{path}");
    }
    let posted = http.post(server.url("/page")).send().await.expect("the server answers");
    assert_eq!(posted.status(), StatusCode::NOT_FOUND, "the worker has it");
    server.terminate();
    let staging = setup.clone().arg("--env").arg("staging").start().await;
    assert_eq!(text(&http, staging.url("/api/title")).await.1, "[\"a page\",\"staging\"]");
    let log = setup.arg("--env").arg("production").try_start().await.err().expect("no such one");
    assert!(log.contains("expected an environment of [\"staging\"], got \"production\""), "{log}");
}
