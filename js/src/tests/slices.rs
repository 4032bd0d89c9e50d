//! Events that leave their turn: what they wait for, who is served meanwhile, and what they see.

use std::future::IntoFuture;
use std::time::Duration;

use dotdo::testing::{TestServer, run};
use serde_json::{Value, json};

use super::{open, server};

/// Objects that call each other and wait; `env.THING` is their own class.
const THINGS: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Thing extends DurableObject {
  seen = [];
  waiting = [];
  constructor(ctx, env) {
    super(ctx, env);
    this.begun = 0;
    if (ctx.id.name === 'slow to begin') {
      ctx.blockConcurrencyWhile(async () => {
        this.begun = await env.THING.getByName('helper').add(40);
        this.begun += await new Promise((resolve) => setTimeout(resolve, 100, 2));
      });
    }
  }
  async add(by) {
    const sum = ((await this.ctx.storage.get('sum')) ?? 0) + by;
    await this.ctx.storage.put('sum', sum);
    return sum;
  }
  howBegun() { return this.begun; }
  async alarm({ retryCount }) {
    await this.add(1);
    await new Promise((resolve) => setTimeout(resolve, 200_000));
    const rang = (await this.ctx.storage.get('rang')) ?? [];
    rang.push([retryCount, await this.env.THING.getByName('helper').add(1), await this.ctx.storage.getAlarm()]);
    await this.ctx.storage.put('rang', rang);
    if (retryCount === 0) throw new Error('once');
  }
  async sum() { return (await this.ctx.storage.get('sum')) ?? 0; }
  async addTo(name, by) {
    await this.ctx.storage.put('asked', name);
    return [await this.env.THING.getByName(name).add(by), await this.ctx.storage.get('asked')];
  }
  async back(name) { return this.env.THING.getByName(name).sum(); }
  async around(name) { return this.env.THING.getByName('middle').back(name); }
  async fail() { throw new RangeError('far'); }
  async chain(left) { return left === 0 ? 'end' : this.env.THING.getByName(`link ${left}`).chain(left - 1); }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case '/add': return Response.json(await this.add(1));
      case '/add-to': return Response.json(await this.addTo('other', 5));
      case '/around': {
        await this.add(7);
        return Response.json(await this.around(searchParams.get('name')));
      }
      case '/join': {
        const own = await this.add(1);
        const told = await this.env.THING.getByName('helper').add(1);
        const log = (await this.ctx.storage.get('log')) ?? [];
        log.push([own, told]);
        await this.ctx.storage.put('log', log);
        return Response.json([own, told]);
      }
      case '/log': return Response.json([await this.ctx.storage.get('log') ?? [], await this.sum()]);
      case '/many': return Response.json(await Promise.all([1, 2, 3].map((n) => this.env.THING.getByName(`many ${n}`).add(n))));
      case '/caught':
        try {
          await this.env.THING.getByName('other').fail();
        } catch (error) {
          return Response.json([error.name, error.message, error instanceof RangeError]);
        }
        break;
      case '/endless': return Response.json(await this.chain(100));
      case '/sleep':
        this.seen.push('begun');
        await new Promise((resolve) => setTimeout(resolve, Number(searchParams.get('ms'))));
        this.seen.push('slept');
        return Response.json([this.seen, Date.now()]);
      case '/order': {
        const order = [];
        const at = (ms, name) => setTimeout(() => order.push(name), ms);
        at(20, 'late');
        at(0, 'first');
        at(0, 'second');
        clearTimeout(at(5, 'never'));
        let count = 0;
        await new Promise((resolve) => {
          const id = setInterval(() => {
            order.push(`tick ${++count}`);
            if (count === 3) {
              clearInterval(id);
              resolve();
            }
          }, 10);
        });
        await scheduler.wait(10);
        return Response.json(order);
      }
      case '/cleared': {
        const [rang, begun] = [[], Date.now()];
        setTimeout(() => {
          rang.push('first');
          // Its wait is over, too.
          clearTimeout(second);
        }, 10_000);
        const second = setTimeout(() => rang.push('cleared'), 10_000);
        await scheduler.wait(60_000);
        return Response.json([rang, Date.now() - begun >= 60_000]);
      }
      case '/throws':
        setTimeout(() => { throw new Error('in a timer'); }, 0);
        setTimeout(() => this.add(1), 1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        return Response.json(await this.sum());
      case '/later':
        setTimeout(() => this.add(10), 50);
        return Response.json('answered');
      case '/abort-later':
        setTimeout(() => this.ctx.abort('enough'), 5);
        await this.add(1);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        break;
      case '/wait': return Response.json(await new Promise((resolve) => this.waiting.push(resolve)));
      case '/wake': {
        const sum = await this.add(1);
        for (const resolve of this.waiting.splice(0)) resolve(sum);
        return Response.json(sum);
      }
      case '/never':
        await this.add(100);
        await new Promise(() => {});
        break;
      case '/block': {
        const log = this.seen;
        await this.ctx.blockConcurrencyWhile(async () => {
          log.push('blocked');
          await new Promise((resolve) => setTimeout(resolve, 50));
          log.push('free');
        });
        return Response.json(log);
      }
      case '/block-for-ever':
        this.ctx.blockConcurrencyWhile(() => new Promise(() => {}));
        break;
      case '/look':
        this.seen.push('looked');
        return Response.json(this.seen);
      case '/set-alarm':
        await this.ctx.storage.setAlarm(Date.now() + 1000);
        break;
      case '/rang': return Response.json([await this.ctx.storage.get('rang') ?? [], await this.sum()]);
      case '/begin-slowly': return Response.json(await this.env.THING.getByName('slow to begin').howBegun());
      case '/stored-nothing':
        await new Promise((resolve) => setTimeout(resolve, 5));
        this.kept = true;
        await new Promise((resolve) => setTimeout(resolve, 5));
        return Response.json(this.kept);
    }
    return Response.json(await this.sum());
  }
}
export default { fetch() { return new Response('in front'); } };
"#;

/// A server of these, and the path of the object that `name` makes.
async fn things(folder: &std::path::Path) -> TestServer {
    server(open(folder, THINGS).expect("the bundle is loaded").app()).await
}

fn path(name: &str, path: &str) -> String {
    format!("/do/Thing/{}{path}", crate::id::of_name("Thing", name))
}

async fn told(server: &TestServer, name: &str, at: &str) -> Value {
    let answer = server.get(&path(name, at)).await;
    assert_eq!(answer.status(), 200, "{name}{at}: {}", answer.text());
    answer.json()
}

#[test]
fn an_object_calls_others_and_itself() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = things(folder.path()).await;
        assert_eq!(told(&server, "a", "/add-to").await, json!([5, "other"]));
        assert_eq!(told(&server, "a", "/many").await, json!([1, 2, 3]));
        assert_eq!(told(&server, "a", "/caught").await, json!(["RangeError", "far", true]));
        // a → middle → a: the first has left its turn, and what it wrote is seen.
        assert_eq!(told(&server, "a", "/around?name=a").await, json!(7));
        let endless = server.get(&path("a", "/endless")).await;
        assert_eq!(endless.status(), 500, "{}", endless.text());
        assert!(endless.text().contains("nested calls between objects"), "{}", endless.text());
        server.crash().await;
        assert_eq!(told(&server, "other", "/").await, json!(5));
        assert_eq!(told(&server, "a", "/").await, json!(7));
    });
}

#[test]
fn a_call_leaves_when_what_was_written_before_it_is_in_the_bucket() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        assert_eq!(told(&server, "a", "/add").await, json!(1));
        let (caller, called) =
            (crate::id::of_name("Thing", "a"), crate::id::of_name("Thing", "other"));
        let store = server.store();
        store
            .slowness()
            .hold(move |operation, key| operation.is_commit(key) && key.as_str().contains(&caller));
        let look = async {
            store.slowness().held().await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(store.creates_of(&called), 0, "it was called before the record");
            store.slowness().release();
        };
        let (answer, ()) = futures_util::join!(told(&server, "a", "/add-to"), look);
        assert_eq!(answer, json!([5, "other"]));
        assert!(store.creates_of(&called) > 0, "and is called after it");
    });
}

#[test]
fn others_are_served_while_an_event_waits() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        let (slept, added, looked) = futures_util::join!(
            told(&server, "a", "/sleep?ms=1000"),
            told(&server, "a", "/add"),
            told(&server, "a", "/look"),
        );
        assert_eq!(slept[0], json!(["begun", "looked", "slept"]));
        assert_eq!((added, looked), (json!(1), json!(["begun", "looked"])));
    });
}

#[test]
fn timers_run_in_order_and_end() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        let order = told(&server, "a", "/order").await;
        assert_eq!(order, json!(["first", "second", "tick 1", "late", "tick 2", "tick 3"]));
        assert_eq!(told(&server, "a", "/throws").await, json!(1));
        assert_eq!(told(&server, "b", "/later").await, json!("answered"));
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(told(&server, "b", "/").await, json!(10));
        assert_eq!(told(&server, "c", "/stored-nothing").await, json!(true));
    });
}

#[test]
fn a_timer_that_is_cleared_while_its_slice_waits_for_the_turn_rings_no_other() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let app = open(folder.path(), THINGS).expect("it is loaded").app();
        let server = TestServer::builder(app).per_request().start().await;
        assert_eq!(told(&server, "a", "/add").await, json!(1));
        let store = server.store();
        let busy = async {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            let object = crate::id::of_name("Thing", "a");
            store.slowness().hold(move |operation, key| {
                operation.is_commit(key) && key.as_str().contains(&object)
            });
            let look = async {
                store.slowness().held().await;
                // Both timers are over, and what writes keeps the turn.
                server.advance(Duration::from_secs(11)).await;
                store.slowness().release();
            };
            futures_util::join!(told(&server, "a", "/add"), look)
        };
        let (rang, _) = futures_util::join!(told(&server, "a", "/cleared"), busy);
        assert_eq!(rang, json!([["first"], true]), "the other one waits for its time");
    });
}

#[test]
fn an_event_may_wait_for_another_one() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        let wake = async {
            server.advance(Duration::from_secs(20)).await;
            told(&server, "a", "/wake").await
        };
        let (waited, woken) = futures_util::join!(told(&server, "a", "/wait"), wake);
        assert_eq!((waited, woken), (json!(1), json!(1)));
        let never = async {
            let never = server.get(&path("a", "/never")).await;
            assert_eq!((never.status(), never.code().as_str()), (500, "AWAITS_NOTHING"));
        };
        futures_util::join!(never, server.advance(Duration::from_secs(31)));
        // What it had done before remains, as does the value.
        assert_eq!(told(&server, "a", "/").await, json!(101));
    });
}

#[test]
fn a_reset_ends_all_that_is_under_way() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        let (aborted, waiting) = futures_util::join!(
            server.get(&path("a", "/abort-later")).into_future(),
            server.get(&path("a", "/wait")).into_future(),
        );
        for ended in [aborted, waiting] {
            assert_eq!((ended.status(), ended.code().as_str()), (500, "OBJECT_RESET"));
        }
        assert_eq!(told(&server, "a", "/look").await, json!(["looked"]));
        assert_eq!(told(&server, "a", "/").await, json!(1));
    });
}

#[test]
fn an_alarm_may_wait_and_runs_again_when_it_fails_at_last() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        told(&server, "a", "/set-alarm").await;
        server.advance(Duration::from_secs(100)).await;
        assert_eq!(told(&server, "a", "/rang").await, json!([[], 1]), "it is under way");
        server.advance(Duration::from_secs(500)).await;
        // What it did before it failed remains.
        assert_eq!(told(&server, "a", "/rang").await, json!([[[0, 1, null], [1, 2, null]], 2]));
        server.advance(Duration::from_secs(2000)).await;
        assert_eq!(told(&server, "a", "/").await, json!(2), "it is done");
    });
}

#[test]
fn on_functions_nothing_that_has_left_is_repeated() {
    run(async {
        let (one, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let app = |folder: &std::path::Path| open(folder, THINGS).expect("it is loaded").app();
        let first = TestServer::builder(app(one.path())).per_request().start().await;
        let second =
            TestServer::builder(app(other.path())).per_request().beside(&first).start().await;
        let (mut answered, mut refused) = (Vec::new(), 0);
        for _ in 0..6 {
            let functions = [&first, &second, &first, &second];
            let asked = functions.map(|function| function.get(&path("a", "/join")).into_future());
            for answer in futures_util::future::join_all(asked).await {
                match answer.status() {
                    200 => answered.push(answer.json::<(u64, u64)>()),
                    503 => refused += 1,
                    status => panic!("{status}: {}", answer.text()),
                }
            }
            first.advance(Duration::from_secs(1)).await;
        }
        let told: std::collections::BTreeSet<u64> =
            answered.iter().map(|answer| answer.1).collect();
        assert_eq!(told.len(), answered.len(), "each has called for itself: {answered:?}");
        let (log, own): (Vec<(u64, u64)>, u64) = second.get(&path("a", "/log")).await.json();
        let called = second.get(&path("helper", "/")).await.json::<u64>();
        assert!(answered.iter().all(|answer| log.contains(answer)), "{answered:?}, {log:?}");
        assert!(called <= own && log.len() as u64 <= called, "{called} calls of {own} events");
        assert!(answered.len() >= 12, "{} answered, {refused} refused", answered.len());
    });
}

#[test]
fn events_wait_for_what_blocks_them() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = things(folder.path()).await;
        let (blocked, looked) =
            futures_util::join!(told(&server, "a", "/block"), told(&server, "a", "/look"));
        assert_eq!(blocked, json!(["blocked", "free"]));
        assert_eq!(looked, json!(["blocked", "free", "looked"]));
        assert_eq!(told(&server, "a", "/begin-slowly").await, json!(42));
        let (hung, waited) = futures_util::join!(
            server.get(&path("b", "/block-for-ever")).into_future(),
            server.get(&path("b", "/look")).into_future(),
        );
        for ended in [hung, waited] {
            assert_eq!((ended.status(), ended.code().as_str()), (500, "OBJECT_RESET"));
        }
        assert_eq!(told(&server, "b", "/look").await, json!(["looked"]));
    });
}
