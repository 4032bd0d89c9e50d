//! Contexts of `AsyncLocalStorage` beside what workerd can be asked: when they begin to be followed,
//! and their end with a realm.

use dotdo::testing::run;
use serde_json::{Value, json};

use super::{open, server};

const FOLLOWED: &str = r#"
import { DurableObject } from 'cloudflare:workers';
let storage;
const values = async () => {
  const seen = [storage.getStore()];
  await null;
  seen.push(storage.getStore());
  await new Promise((resolve) => setTimeout(resolve, 1));
  seen.push(storage.getStore());
  return seen;
};
export class Thing extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/begin') {
      // Nothing in this text tells that it follows contexts.
      const { AsyncLocalStorage } = process.getBuiltinModule(['async', 'hooks'].join('_'));
      storage = new AsyncLocalStorage();
      return Response.json(null);
    }
    if (pathname === '/forever') await storage.run('endless', async () => { for (;;) await null; });
    if (!storage) return Response.json('anew');
    return Response.json([await storage.run('within', values), await values()]);
  }
}
export default { fetch() { return new Response('in front'); } };
"#;

#[test]
fn contexts_are_followed_from_the_first_storage_to_the_end_of_the_realm() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        drop(open(folder.path(), FOLLOWED).expect("the bundle is loaded"));
        let config = json!({ "main": "worker.js", "limits": { "cpu_ms": 1000 } });
        let file = folder.path().join("wrangler.json");
        std::fs::write(&file, config.to_string()).expect("the folder is writable");
        let machine = crate::Machine { threads: 1, ..crate::Machine::default() };
        let bundle = crate::Bundle::open_on(&file, machine).expect("the bundle is loaded");
        let server = server(bundle.app()).await;
        for _ in 0..2 {
            assert_eq!(server.get("/do/Thing/a/").await.json::<Value>(), json!("anew"));
            assert_eq!(server.post("/do/Thing/a/begin").await.json::<Value>(), Value::Null);
            let seen = server.get("/do/Thing/a/").await.json::<Value>();
            let within = json!(["within", "within", "within"]);
            assert_eq!(seen, json!([within, [null, null, null]]));
            let ended = server.post("/do/Thing/a/forever").await;
            assert_eq!((ended.status(), ended.code().as_str()), (504, "CPU_LIMIT"));
        }
    });
}
