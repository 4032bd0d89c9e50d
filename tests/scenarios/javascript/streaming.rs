//! What streams and what is called back, between servers and across a kill.

use futures_util::StreamExt;

use super::*;

const COUNTER: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Counter extends DurableObject {
  async add() {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1;
    await this.ctx.storage.put('count', count);
    return count;
  }
  async addTo(tell, times) {
    for (let n = 0; n < times; n++) await tell(await this.add());
    return this.ctx.storage.get('count');
  }
  fetch() {
    return new Response(new ReadableStream({
      pull: async (controller) => {
        await scheduler.wait(20);
        controller.enqueue(new TextEncoder().encode(`data: ${await this.add()}\n\n`));
      },
    }), { headers: { 'content-type': 'text/event-stream' } });
  }
}
export default {
  async fetch(request, env) {
    const [, name, what] = new URL(request.url).pathname.split('/');
    const counter = env.COUNTER.getByName(name);
    if (what === 'events') return counter.fetch(request);
    if (what === 'add') return Response.json(await counter.add());
    const told = [];
    return Response.json([await counter.addTo((count) => { told.push(count); }, 3), told]);
  },
};
"#;

/// Reads numbers until there are `count`, or the response has ended; and how.
async fn events(response: reqwest::Response, count: usize) -> (Vec<u64>, Option<bool>) {
    let (mut text, mut body) = (String::new(), response.bytes_stream());
    let numbers = |text: &str| -> Vec<u64> {
        text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")?.parse().ok()).collect()
    };
    while numbers(&text).len() < count {
        match body.next().await {
            Some(Ok(piece)) => text.push_str(&String::from_utf8_lossy(&piece)),
            Some(Err(_)) => return (numbers(&text), Some(false)),
            None => return (numbers(&text), Some(true)),
        }
    }
    (numbers(&text), None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_streams_and_what_is_called_back_goes_between_servers_and_a_kill_loses_nothing_of_it()
{
    let (folder, http) = (scratch(), Client::new());
    let setup = serving(folder.path(), &written(folder.path(), "worker.js", COUNTER))
        .env("DOTDO_LEASE_DURATION_MS", "500")
        .env("DOTDO_PEER_SECRET", "0123456789abcdef0123456789abcdef");
    let (owner, other) = tokio::join!(setup.start(), setup.start());
    assert_eq!(text(&http, owner.url("/a/add")).await.1, "1");
    assert_eq!(text(&http, other.url("/a/tell")).await.1, "[4,[2,3,4]]");
    let streamed = http.get(other.url("/a/events")).send().await.expect("it begins");
    assert_eq!(streamed.headers()["content-type"], "text/event-stream");
    assert_eq!(events(streamed, 3).await, (vec![5, 6, 7], None));
    let begun = http.get(other.url("/a/events")).send().await.expect("it begins");
    let (seen, ()) = tokio::join!(events(begun, usize::MAX), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        owner.kill9();
    });
    assert_eq!(seen.1, Some(false), "it is broken off, and does not look whole");
    let last = seen.0.last().copied().expect("some were seen");
    let asked = || async {
        let (status, count) = text(&http, other.url("/a/add")).await;
        (status == StatusCode::OK).then_some(count)
    };
    let count = Deadline::in_seconds(PATIENCE_SECONDS).until(asked).await.expect("it goes on");
    assert!(count.parse::<u64>().expect("a number") > last, "{count} after {last} was seen");
}
