//! Stacks in the log name the author's files.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dotdo_tests::{Deadline, scratch};
use reqwest::Client;

use super::{serving, text, written};
use crate::world::PATIENCE_SECONDS;

/// A bundle whose line `n` is line `n + 10` of app.ts.
const BUNDLE: &str = "\
import { DurableObject } from 'cloudflare:workers';
export class Thing extends DurableObject {
  fail() { throw new TypeError('in the object'); }
}
export default {
  async fetch(request, env) {
    console.error(new Error('told'));
    const seen = await env.THING.getByName('t').fail().catch((error) => error);
    return Response.json({ own: new Error('x').stack.includes('app.ts'), theirs: seen.message });
  },
};
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stacks_in_the_log_name_sources_and_those_of_clients_do_not() {
    // The first segment adds ten lines, each further one the next line.
    let mappings = format!("AAUA{}", ";AACA".repeat(BUNDLE.lines().count()));
    let map = format!(r#"{{"version":3,"sources":["app.ts"],"names":[],"mappings":"{mappings}"}}"#);
    let inline = format!("data:application/json;base64,{}", BASE64_STANDARD.encode(&map));
    for (address, name) in [("worker.js.map", "beside it"), (inline.as_str(), "inline")] {
        let (folder, http) = (scratch(), Client::new());
        written(folder.path(), "worker.js.map", &map);
        let bundle = format!("{BUNDLE}//# sourceMappingURL={address}\n");
        let server =
            serving(folder.path(), &written(folder.path(), "worker.js", &bundle)).start().await;
        let (_, answer) = text(&http, server.url("/")).await;
        assert_eq!(answer, r#"{"own":false,"theirs":"in the object"}"#, "{name}");
        for stack in [
            "Error: told",
            "at fetch (app.ts:17:1)",
            "uncaught TypeError: in the object",
            "at fail (app.ts:13:1)",
        ] {
            let logged = || std::future::ready(server.stderr().contains(stack).then_some(()));
            let found = Deadline::in_seconds(PATIENCE_SECONDS).until(logged).await;
            assert!(found.is_some(), "{name}: {stack:?} is not in {}", server.stderr());
        }
    }
}
