//! Bindings and crons on a clock that stands still.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dotdo::App;
use dotdo::testing::{CountingRandom, TestServer, run};
use serde_json::{Value, json};

use crate::{Bundle, Machine};

/// A worker with a class `Thing` that does `body`, and a configuration.
fn open(folder: &Path, worker: &str, config: &Value) -> dotdo::Result<App> {
    std::fs::write(folder.join("worker.js"), worker).expect("the folder is writable");
    std::fs::write(folder.join("wrangler.json"), config.to_string()).expect("it is writable");
    let random = Arc::new(CountingRandom::starting_at(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834));
    let machine = Machine { random, threads: 1, ..Machine::default() };
    Bundle::open_on(folder, machine).map(|bundle| bundle.app())
}

fn config(more: Value) -> Value {
    let mut config = json!({ "main": "worker.js", "durable_objects": { "bindings": [{ "name": "THING", "class_name": "Thing" }] } });
    let fields = config.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    config
}

const MINUTE: Duration = Duration::from_secs(60);

const CLOCK: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Thing extends DurableObject {
  async ring(cron, at) {
    const rung = [...((await this.ctx.storage.get('rung')) ?? []), [cron, at]];
    await this.ctx.storage.put('rung', rung);
    if (cron === '0 12 * * 1') throw new Error('not on Sundays');
    return rung.length;
  }
  async fetch() { return Response.json((await this.ctx.storage.get('rung')) ?? []); }
}
export default {
  fetch() { return new Response('in front'); },
  async scheduled(controller, env, ctx) {
    ctx.waitUntil(env.THING.get(env.THING.idFromName('clock')).ring(controller.cron, controller.scheduledTime));
    if (controller.cron.startsWith('0 12')) throw new Error('at noon');
  },
};
"#;

/// The times that the worker was told, in minutes since the server's clock began to count.
async fn rung(server: &TestServer, begin_ms: i64) -> Vec<(String, i64)> {
    let id = crate::id::of_name("Thing", "clock");
    let rung: Vec<(String, i64)> = server.get(&format!("/do/Thing/{id}/")).await.ok().json();
    rung.into_iter().map(|(cron, at)| (cron, (at - begin_ms) / 60_000)).collect()
}

/// The objects of a class that there are.
async fn ids(server: &TestServer, class: &str) -> Vec<String> {
    let listed: Value = server.get(&format!("/objects?class={class}")).await.ok().json();
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

async fn arm(server: &TestServer, cron: &str) {
    let id = cron.replace(' ', "%20").replace('/', "%2F");
    server.post(&format!("/do/dotdo_cron/{id}/arm")).await.ok();
}

#[test]
fn a_cron_runs_at_each_of_its_times_once_and_after_a_crash() {
    let once = || {
        let seen = std::sync::Mutex::new(Vec::new());
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let config = config(json!({ "triggers": { "crons": ["*/5 * * * *"] } }));
            let app = open(folder.path(), CLOCK, &config).expect("the bundle is loaded");
            let mut server = TestServer::start(app).await;
            let begin = server.now_ms() / 300_000 * 300_000;
            for _ in 0..3 {
                arm(&server, "*/5 * * * *").await;
            }
            server.advance(4 * MINUTE).await;
            for _ in 0..3 {
                server.advance(MINUTE).await;
                server.advance(4 * MINUTE).await;
            }
            let steady = rung(&server, begin).await;
            // Times that nobody could run are made up for by one.
            server.crash().await;
            server.advance(12 * MINUTE).await;
            server.advance(5 * MINUTE).await;
            let all = rung(&server, begin).await;
            assert!(all.len() > steady.len() && all.starts_with(&steady), "{all:?}");
            let times: Vec<i64> = all.iter().map(|(_, minute)| *minute).collect();
            assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
            assert!(times.iter().all(|minute| minute % 5 == 0), "{times:?}");
            assert_eq!(&times[..3], [5, 10, 15]);
            let sql = "SELECT count(*) FROM runs WHERE outcome = 'ok'";
            let counted: Vec<i64> = server.rows("dotdo_cron", "*/5 * * * *", sql).await;
            assert_eq!(counted, [i64::try_from(all.len()).expect("few")]);
            seen.lock().expect("nobody panics").extend(all);
        });
        seen.into_inner().expect("nobody panics")
    };
    assert_eq!(once(), once());
}

#[test]
fn a_cron_that_fails_waits_for_its_next_time_and_one_that_was_removed_ends() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let crons = json!({ "triggers": { "crons": ["0 12 * * *"] } });
        let app = open(folder.path(), CLOCK, &config(crons)).expect("the bundle is loaded");
        let mut server = TestServer::start(app).await;
        arm(&server, "0 12 * * *").await;
        for _ in 0..3 {
            server.advance(24 * 60 * MINUTE).await;
        }
        let failed: Vec<(i64, String)> = server
            .rows("dotdo_cron", "0 12 * * *", "SELECT scheduled_ms, error FROM runs ORDER BY 1")
            .await;
        assert_eq!(failed.len(), 3, "{failed:?}");
        assert!(failed.windows(2).all(|days| days[1].0 - days[0].0 == 86_400_000), "{failed:?}");
        assert!(failed.iter().all(|(_, error)| error == "Error: at noon"), "{failed:?}");
        assert_eq!(rung(&server, 0).await.len(), 3, "what waitUntil has begun is done");
        let app = open(folder.path(), CLOCK, &config(json!({}))).expect("the bundle is loaded");
        server.restart_into(app).await;
        for _ in 0..3 {
            server.advance(24 * 60 * MINUTE).await;
        }
        assert_eq!(rung(&server, 0).await.len(), 3);
        assert_eq!(ids(&server, "dotdo_cron").await, [""; 0]);
    });
}

const VALUES: &str = r#"
import { DurableObject } from 'cloudflare:workers';
const size = async (promise) => (await promise)?.length ?? null;
export class Thing extends DurableObject {
  async fetch(request) {
    const { KV, R2 } = this.env;
    switch (new URL(request.url).pathname) {
      case '/put':
        await KV.put('large', 'x'.repeat(10_000));
        await KV.put('brief', 'y'.repeat(5000), { expirationTtl: 60 });
        await KV.put('small', 'z', { expirationTtl: 60 });
        await R2.put('large', new Uint8Array(20_000));
        break;
      case '/replace': await KV.put('large', 'x'.repeat(6000)); break;
      case '/delete':
        await KV.delete('large');
        await R2.delete('large');
        break;
    }
    return Response.json([await size(KV.get('large')), await size(KV.get('brief')), await size(KV.get('small')), (await R2.head('large'))?.size ?? null, (await KV.list()).keys.length]);
  }
}
export default { fetch() {} };
"#;

#[test]
fn what_is_large_is_in_objects_of_its_own_which_end_with_it() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bindings = config(json!({
            "kv_namespaces": [{ "binding": "KV" }], "r2_buckets": [{ "binding": "R2", "bucket_name": "files" }],
        }));
        let app = open(folder.path(), VALUES, &bindings).expect("the bundle is loaded");
        let mut server = TestServer::start(app).await;
        let ask = async |server: &TestServer, path: &str| {
            server.get(&format!("/do/Thing/a{path}")).await.ok().json::<Value>()
        };
        assert_eq!(ask(&server, "/put").await, json!([10_000, 5000, 1, 20_000, 3]));
        let versions = "SELECT count(DISTINCT version) FROM rows";
        let stored = async |server: &TestServer, class: &str, id: &str| {
            server.rows::<i64>(class, id, versions).await
        };
        assert_eq!(stored(&server, "dotdo_kv_value", "KV/large").await, [1]);
        assert_eq!(ask(&server, "/replace").await, json!([6000, 5000, 1, 20_000, 3]));
        assert_eq!(stored(&server, "dotdo_kv_value", "KV/large").await, [2]);
        server.crash().await;
        assert_eq!(ask(&server, "/").await, json!([6000, 5000, 1, 20_000, 3]));
        // At once for readers, and later in fact.
        server.advance(2 * MINUTE).await;
        assert_eq!(ask(&server, "/").await, json!([6000, null, null, 20_000, 1]));
        for _ in 0..3 {
            server.advance(11 * MINUTE).await;
        }
        assert_eq!(stored(&server, "dotdo_kv_value", "KV/large").await, [1]);
        assert_eq!(ids(&server, "dotdo_kv_value").await, ["KV/large"]);
        assert_eq!(ask(&server, "/delete").await, json!([null, null, null, null, 0]));
        for _ in 0..3 {
            server.advance(11 * MINUTE).await;
        }
        for class in ["dotdo_kv_value", "dotdo_r2_value"] {
            assert_eq!(ids(&server, class).await, [""; 0], "{class}");
        }
        assert_eq!(ask(&server, "/put").await, json!([10_000, 5000, 1, 20_000, 3]), "anew");
    });
}

#[test]
fn migrations_are_applied_once_and_one_that_fails_is_told() {
    const DATABASE: &str = r#"
      import { DurableObject } from 'cloudflare:workers';
      export class Thing extends DurableObject {
        async fetch() {
          try {
            return Response.json((await this.env.DB.prepare('SELECT name FROM people ORDER BY name').raw()).flat());
          } catch (error) {
            return Response.json(error.message);
          }
        }
      }
      export default { fetch() {} };
    "#;
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let migrations = folder.path().join("migrations");
        std::fs::create_dir(&migrations).expect("the folder is writable");
        let write = |name: &str, sql: &str| {
            std::fs::write(migrations.join(name), sql).expect("the folder is writable");
        };
        let config =
            config(json!({ "d1_databases": [{ "binding": "DB", "database_name": "app" }] }));
        let app = || open(folder.path(), DATABASE, &config).expect("the bundle is loaded");
        write("0002_b.sql", "INSERT INTO people VALUES ('ada');");
        write("0001_a.sql", "-- first\nCREATE TABLE people (name TEXT);\n");
        let mut server = TestServer::start(app()).await;
        let ask = async |server: &TestServer| server.get("/do/Thing/a/").await.ok().json::<Value>();
        assert_eq!(ask(&server).await, json!(["ada"]));
        server.restart_into(app()).await;
        assert_eq!(ask(&server).await, json!(["ada"]), "once");
        write("0010_c.sql", "INSERT INTO people VALUES ('bob'); INSERT INTO nobody VALUES (1);");
        server.restart_into(app()).await;
        let told = ask(&server).await.to_string();
        assert!(told.contains("0010_c.sql") && told.contains("no such table: nobody"), "{told}");
        write("0010_c.sql", "INSERT INTO people VALUES ('bob');");
        server.restart_into(app()).await;
        assert_eq!(ask(&server).await, json!(["ada", "bob"]));
        let names = "SELECT name FROM d1_migrations ORDER BY id";
        let applied: Vec<String> = server.rows("dotdo_d1", "app", names).await;
        assert_eq!(applied, ["0001_a.sql", "0002_b.sql", "0010_c.sql"]);
    });
}

#[test]
fn a_configuration_that_the_worker_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = "export default { fetch() {} };";
    let own = "import { DurableObject } from 'cloudflare:workers'; export class Dotdo_kv extends DurableObject {}\nexport default { fetch() {} };";
    let kv = json!({ "main": "worker.js", "kv_namespaces": [{ "binding": "KV" }] });
    assert!(open(folder.path(), plain, &kv).is_ok(), "a worker without classes");
    for (worker, config, why) in [
        (
            plain,
            json!({ "main": "worker.js", "triggers": { "crons": ["* * * * *"] } }),
            "a handler scheduled",
        ),
        (
            plain,
            json!({ "main": "worker.js", "queues": { "consumers": [{ "queue": "q" }] } }),
            "a handler queue",
        ),
        (own, kv.clone(), "begins with dotdo_"),
        (
            plain,
            json!({ "main": "worker.js", "triggers": { "crons": ["* * *"] } }),
            "cron expression",
        ),
        (
            plain,
            json!({ "main": "worker.js", "triggers": { "crons": ["0 0 * * 0"] } }),
            "cron expression",
        ),
        (
            plain,
            json!({ "main": "worker.js", "kv_namespaces": [{ "binding": "A" }], "r2_buckets": [{ "binding": "A", "bucket_name": "b" }] }),
            "the name A",
        ),
        (
            plain,
            json!({ "main": "worker.js", "kv_namespaces": [{ "binding": "A", "remote": true }] }),
            "does not have remote",
        ),
        (
            plain,
            json!({ "main": "worker.js", "d1_databases": [{ "binding": "A", "migrations_dir": "none" }] }),
            "cannot read the migrations",
        ),
        (
            plain,
            json!({ "main": "worker.js", "queues": { "consumers": [{ "queue": "q", "type": "http_pull" }] } }),
            "only the worker",
        ),
    ] {
        let refused =
            open(folder.path(), worker, &config).err().map(|error| error.message().to_owned());
        let refused = refused.unwrap_or_else(|| panic!("{config} is refused"));
        assert!(refused.contains(why), "{config}: {refused}");
    }
}

const QUEUE: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Thing extends DurableObject {
  async fetch() {
    await this.env.QUEUE.sendBatch(['a', 'loop', 'b', 'never', 'c'].map((body) => ({ body })));
    return new Response('sent');
  }
}
export default {
  fetch() {},
  async queue(batch) {
    for (const { body } of batch.messages) {
      while (body === 'loop' && batch.queue === 'work') {}
      if (body === 'never' && batch.queue === 'work') await new Promise(() => {});
    }
    if (batch.queue === 'dead') throw new Error('nobody reads it');
  },
};
"#;

#[test]
fn a_message_that_ends_its_handler_each_time_keeps_no_other_one() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let queues = config(json!({
            "queues": {
                "producers": [{ "binding": "QUEUE", "queue": "work" }],
                "consumers": [{ "queue": "work", "max_retries": 1, "dead_letter_queue": "dead" }],
            },
            "limits": { "cpu_ms": 200 },
        }));
        let app = open(folder.path(), QUEUE, &queues).expect("the bundle is loaded");
        let server = TestServer::start(app).await;
        server.get("/do/Thing/a/").await.ok();
        for _ in 0..60 {
            server.advance(Duration::from_secs(20)).await;
        }
        let left = "SELECT count(*) FROM messages";
        assert_eq!(server.rows::<i64>("dotdo_queue", "work", left).await, [0]);
        let dead = "SELECT body FROM messages ORDER BY body";
        let letters: Vec<String> = server.rows("dotdo_queue", "dead", dead).await;
        assert_eq!(letters, ["\"loop\"", "\"never\""]);
    });
}
