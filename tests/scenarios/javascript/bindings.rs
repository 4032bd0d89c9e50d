//! Bindings and crons: what miniflare answers, and what a kill leaves.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_of_bindings_have_the_answers_of_miniflare() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript/bindings");
    assert!(compare(&folder, &folder.join("expected.json")).await > 120);
}

/// Numbers go through a queue; what its handler has got is in KV.
const WORK: &str = r#"
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const n = searchParams.get('n');
    switch (pathname) {
      case '/send':
        await env.KV.put(`sent/${n}`, n);
        await env.QUEUE.send(n);
        return new Response(n);
      case '/rung': return Response.json((await env.KV.list({ prefix: 'rung/' })).keys.map(({ name }) => name));
    }
    const names = async (prefix) => {
      const found = [];
      let cursor;
      do {
        const page = await env.KV.list({ prefix, cursor });
        found.push(...page.keys.map(({ name }) => name.slice(prefix.length)));
        ({ cursor } = page);
      } while (cursor);
      return found;
    };
    return Response.json({ sent: await names('sent/'), got: await names('got/') });
  },
  async queue(batch, env) {
    for (const { body } of batch.messages) {
      await scheduler.wait(2);
      await env.KV.put(`got/${body}`, 'x');
    }
  },
  async scheduled({ scheduledTime }, env) {
    await env.KV.put(`rung/${scheduledTime}`, 'x');
  },
};
"#;

const CONFIG: &str = r#"{
  "main": "worker.js",
  "kv_namespaces": [{ "binding": "KV" }],
  "queues": {
    "producers": [{ "binding": "QUEUE", "queue": "work" }],
    "consumers": [{ "queue": "work", "max_batch_size": 20, "max_batch_timeout": 1 }],
  },
  "triggers": { "crons": ["* * * * *"] },
}"#;

/// Sends numbers until the server is gone; those that were acknowledged.
async fn send_until_it_breaks(http: Client, base: String, client: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let name = format!("{client}-{number}");
        let sent = http.get(format!("{base}/send?n={name}")).send().await;
        match sent {
            Ok(answer) if answer.status() == StatusCode::OK => acknowledged.push(name),
            _ => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_value_no_message_and_no_time_of_a_cron() {
    let (folder, http) = (scratch(), Client::new());
    written(folder.path(), "worker.js", WORK);
    written(folder.path(), "wrangler.jsonc", CONFIG);
    let setup = serving(folder.path(), folder.path()).env("DOTDO_LEASE_DURATION_MS", "500");
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..3 {
        let server = setup.start().await;
        let senders: Vec<_> = (0..3)
            .map(|client| {
                let base = server.url("").trim_end_matches('/').to_owned();
                tokio::spawn(send_until_it_breaks(http.clone(), base, 10 * round + client))
            })
            .collect();
        // Some were delivered, and others wait.
        let began = || async {
            let told: Value = ask(&http, server.url("/all")).await?;
            (told["got"].as_array()?.len() > 5 * (round as usize + 1)).then_some(())
        };
        Deadline::in_seconds(PATIENCE_SECONDS).until(began).await.expect("some are delivered");
        server.kill9();
        for sender in senders {
            acknowledged.extend(sender.await.expect("nobody panics"));
        }
    }
    assert!(acknowledged.len() > 30, "{}", acknowledged.len());
    let server = setup.start().await;
    let names = |told: &Value, which: &str| -> Vec<String> {
        serde_json::from_value(told[which].clone()).unwrap_or_default()
    };
    let delivered = || async {
        let told = ask(&http, server.url("/all")).await?;
        let (sent, got) = (names(&told, "sent"), names(&told, "got"));
        let is_there = |name: &String| sent.contains(name) && got.contains(name);
        acknowledged.iter().all(is_there).then_some(())
    };
    let all = Deadline::in_seconds(PATIENCE_SECONDS).until(delivered).await;
    assert!(all.is_some(), "a value or a message is lost:\n{}", server.stderr());
    // The cron was armed by the first server, and by no request.
    let rung = || async {
        let told = ask(&http, server.url("/rung")).await?;
        told.as_array().is_some_and(|times| !times.is_empty()).then_some(())
    };
    assert!(Deadline::in_seconds(PATIENCE_SECONDS).until(rung).await.is_some());
}

async fn ask(http: &Client, url: String) -> Option<Value> {
    http.get(url).send().await.ok()?.json().await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_reach_no_object_of_a_binding() {
    let (folder, http) = (scratch(), Client::new());
    written(folder.path(), "worker.js", WORK);
    written(folder.path(), "wrangler.jsonc", CONFIG);
    let server = serving(folder.path(), folder.path()).start().await;
    assert_eq!(text(&http, server.url("/send?n=1")).await.0, StatusCode::OK);
    for path in ["/do/dotdo_kv/KV_0/list", "/do/dotdo_queue/work/send"] {
        let forged = http
            .post(server.url(path))
            .header("X-DO-ID", "KV_0")
            .header("X-DO-Type", "dotdo_kv")
            .header("x-values", "2")
            .body("{}");
        let answer: Value = forged.send().await.expect("an answer").json().await.expect("JSON");
        assert!(answer["sent"].is_array(), "the worker has answered: {answer}");
    }
}
