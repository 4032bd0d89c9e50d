// What Node's modules do on Cloudflare, case by case; `record` writes node.json.
import assert from 'node:assert';
import strict from 'node:assert/strict';
import { AsyncLocalStorage, AsyncResource, createHook, executionAsyncId } from 'node:async_hooks';
import * as bufferModule from 'node:buffer';
import nodeConsole from 'node:console';
import constants from 'node:constants';
import diagnostics from 'node:diagnostics_channel';
import EventEmitter, * as events from 'node:events';
import nodeModule, { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import performanceHooks from 'node:perf_hooks';
import nodeProcess from 'node:process';
import punycode from 'node:punycode';
import querystring from 'node:querystring';
import { StringDecoder } from 'node:string_decoder';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import nodeUrl from 'node:url';
import util, { inspect } from 'node:util';
import { Buffer as BareBuffer } from 'buffer';
import { DurableObject, RpcTarget } from 'cloudflare:workers';

const shown = (value) =>
  JSON.parse(JSON.stringify(value, (_, item) => {
    if (item === undefined) return 'undefined';
    if (typeof item === 'bigint') return `${item}n`;
    if (typeof item === 'symbol') return item.toString();
    if (Object.is(item, -0)) return '-0';
    if (typeof item === 'number' && !Number.isFinite(item)) return String(item);
    if (item instanceof Error) return `${item.name}: ${item.message}`;
    if (item instanceof Map) return ['Map', ...item];
    if (item instanceof Set) return ['Set', ...item];
    if (item instanceof ArrayBuffer) return ['ArrayBuffer', ...new Uint8Array(item)];
    if (ArrayBuffer.isView(item)) return [item.constructor.name, ...item];
    return item;
  }) ?? '"undefined"');

async function outcome(work) {
  try {
    return { value: shown(await work()) };
  } catch (error) {
    return { error: error.name, code: error.code, message: error.message };
  }
}

/** What a function returns, or how its error is called. */
const attempt = (work) => {
  try {
    return work();
  } catch (error) {
    return [error.name, error.code, error.message];
  }
};
/** Where only the text differs by engine. */
const nameOf = (work) => {
  try {
    work();
    return 'nothing thrown';
  } catch (error) {
    return [error.name, error.code];
  }
};

const als = new AsyncLocalStorage();
const other = new AsyncLocalStorage();
const store = () => als.getStore();
const tick = (ms = 1) => new Promise((resolve) => setTimeout(resolve, ms));

/** Values that follow what code goes on with. */
const contextCases = {
  context_of_run() {
    return [store(), als.run('a', store), als.run('a', () => als.run('b', store)), store()];
  },
  context_passes_arguments() {
    return als.run(1, (...values) => [store(), ...values], 2, 3);
  },
  context_of_exit() {
    return als.run('a', () => [als.exit(store), als.exit((x) => [x, store()], 5), store()]);
  },
  context_after_a_throw() {
    return [attempt(() => als.run('a', () => { throw new TypeError('x'); }))[0], store()];
  },
  context_not_implemented() {
    return [nameOf(() => als.enterWith('x')), nameOf(() => als.disable())];
  },
  context_options() {
    return [new AsyncLocalStorage({ defaultValue: 7 }).getStore(), new AsyncLocalStorage({ name: 'n' }).name, als.name];
  },
  context_of_two_storages() {
    return als.run('a', () => other.run('b', () => als.run('c', () => [store(), other.getStore(), als.exit(() => [store(), other.getStore()])])));
  },
  context_undefined_is_a_value() {
    const storage = new AsyncLocalStorage({ defaultValue: 'otherwise' });
    return [storage.getStore(), storage.run(undefined, () => storage.getStore()), storage.run(null, () => storage.getStore())];
  },
  async context_through_await() {
    return als.run('a', async () => {
      const log = [store()];
      await null;
      log.push(store());
      await tick();
      log.push(store());
      await Promise.resolve(5);
      log.push(store());
      return log;
    });
  },
  async context_of_interleaved_awaits() {
    const log = [];
    const walk = async (name, steps) => {
      for (let step = 0; step < steps; step++) {
        await (step % 3 ? null : step % 2 ? Promise.resolve() : tick());
        log.push(store() === name ? 'right' : `${name} has ${store()}`);
      }
      return store();
    };
    const ends = await Promise.all(['a', 'b', 'c', undefined].map((name) => (name ? als.run(name, walk, name, 7) : walk(name, 7))));
    return [ends, new Set(log).size, log.length, log[0], store()];
  },
  async context_of_nested_runs() {
    return als.run('outer', async () => {
      const log = [store()];
      const inner = als.run('inner', async () => {
        log.push(store());
        await null;
        log.push(store());
        await tick();
        return store();
      });
      log.push(store());
      await null;
      log.push(store(), await inner, store());
      return log;
    });
  },
  async context_of_a_promise_made_elsewhere() {
    const made = als.run('made', () => tick());
    return als.run('awaited', async () => {
      await made;
      const log = [store()];
      await made.then(() => log.push(store()));
      log.push(store());
      return log;
    });
  },
  async context_of_a_promise_resolved_elsewhere() {
    const { promise, resolve } = Promise.withResolvers();
    const waiting = als.run('waits', async () => {
      await promise;
      return store();
    });
    const handled = als.run('handles', () => promise.then(store));
    als.run('resolves', () => resolve());
    return [await waiting, await handled, store()];
  },
  async context_of_a_promise_rejected_elsewhere() {
    const { promise, reject } = Promise.withResolvers();
    const waiting = als.run('waits', async () => {
      try {
        await promise;
      } catch {
        return store();
      }
    });
    const handled = als.run('handles', () => promise.catch(store));
    const last = als.run('last', () => promise.finally(() => {}).catch(store));
    als.run('rejects', () => reject(new Error('x')));
    return [await waiting, await handled, await last];
  },
  async context_of_then() {
    return als.run('a', () => Promise.resolve(1).then(() => als.run('b', () => Promise.resolve(store()))).then((value) => [value, store()]));
  },
  async context_of_finally() {
    const log = [];
    await als.run('a', () => Promise.resolve(1).finally(() => log.push(store())).finally(async () => {
      await null;
      log.push(store());
    }));
    return log;
  },
  async context_of_errors() {
    const log = [];
    await als.run('a', async () => {
      try {
        await als.run('b', async () => {
          await null;
          throw new Error(String(store()));
        });
      } catch (error) {
        log.push(error.message, store());
      } finally {
        await null;
        log.push(store());
      }
    });
    return log;
  },
  async context_of_thenables() {
    const log = [];
    await als.run('a', async () => {
      await { then(resolve) { log.push(['then', store()]); resolve(); } };
      log.push(store());
      await { then(resolve) { log.push(['then', store()]); Promise.resolve().then(resolve); } };
      log.push(store());
      await { then(resolve) { setTimeout(resolve, 1); } };
      log.push(store());
    });
    return log;
  },
  async context_of_thenables_that_reject() {
    const log = [];
    const rejecting = (how) => als.run('a', async () => {
      try {
        await { then(resolve, reject) { how(reject); } };
      } catch (error) {
        log.push([error.message, store()]);
      }
    });
    await rejecting((reject) => reject(new Error('at once')));
    await rejecting((reject) => Promise.reject(new Error('by a promise')).then(undefined, reject));
    await rejecting((reject) => Promise.resolve().then(() => { throw new Error('by a chain'); }).catch(reject));
    await rejecting((reject) => setTimeout(() => reject(new Error('by a timer')), 1));
    await rejecting((reject) => queueMicrotask(() => reject(new Error('by a microtask'))));
    return log;
  },
  async context_of_builders() {
    // As query builders do: a thenable whose `then` asks for the result.
    class Query {
      constructor(work) { this.work = work; }
      async run() { await null; return this.work(); }
      then(resolve, reject) { return this.run().then(resolve, reject); }
    }
    return als.run('a', async () => {
      const log = [await new Query(store), store()];
      try {
        await new Query(() => { throw new Error('failed'); });
      } catch (error) {
        log.push(error.message, store());
      }
      log.push(await Promise.all([new Query(store), new Query(store)]), store());
      return log;
    });
  },
  async context_of_subclasses() {
    class Own extends Promise {}
    return als.run('a', async () => {
      const log = [await new Own((resolve) => setTimeout(() => resolve(store()), 1)), store()];
      log.push(await Own.resolve(1).then(store), (Own.resolve(1).then(store)) instanceof Own, store());
      await Own.reject(new Error('x')).catch(() => log.push(store()));
      return log;
    });
  },
  async context_of_timers() {
    const log = [];
    await als.run('a', () => new Promise((resolve) => setTimeout(() => {
      log.push(store());
      setTimeout(() => {
        log.push(store());
        resolve();
      }, 1);
    }, 1)));
    await als.run('b', () => new Promise((resolve) => setImmediate(() => resolve(log.push(store())))));
    let count = 0;
    await als.run('c', () => new Promise((resolve) => {
      const interval = setInterval(() => {
        log.push(store());
        if (++count === 2) resolve(clearInterval(interval));
      }, 1);
    }));
    log.push(await als.run('d', () => timersPromises.setTimeout(1).then(store)), store());
    return log;
  },
  async context_of_microtasks() {
    const log = [];
    als.run('a', () => queueMicrotask(() => log.push(store())));
    als.run('b', () => process.nextTick(() => log.push(store())));
    queueMicrotask(() => log.push(store()));
    await tick();
    return log;
  },
  async context_of_promise_all() {
    return als.run('a', async () => {
      const slow = (name) => als.run(name, async () => {
        await tick();
        return store();
      });
      const log = [await Promise.all([slow('b'), slow('c'), 5]), store()];
      log.push(await Promise.race([slow('d'), new Promise(() => {})]), store());
      log.push((await Promise.allSettled([slow('e'), Promise.reject(new Error('x'))])).map((one) => one.status), store());
      log.push(await Promise.any([Promise.reject(new Error('x')), slow('f')]), store());
      return log;
    });
  },
  async context_of_async_generators() {
    async function* numbers() {
      yield store();
      await null;
      yield store();
      await tick();
      yield store();
    }
    const log = [];
    await als.run('a', async () => {
      for await (const value of numbers()) log.push([value, store()]);
    });
    const generator = als.run('made', numbers);
    log.push((await als.run('first', () => generator.next())).value);
    log.push((await als.run('second', () => generator.next())).value);
    log.push((await als.run('third', () => generator.next())).value);
    return log;
  },
  async context_of_async_generators_that_end() {
    const log = [];
    async function* guarded() {
      try {
        yield 1;
        yield 2;
      } finally {
        await null;
        log.push(['finally', store()]);
      }
    }
    await als.run('a', async () => {
      for await (const value of guarded()) {
        log.push([value, store()]);
        break;
      }
      log.push(store());
      const outer = async function* () { yield* guarded(); };
      for await (const value of outer()) log.push([value, store()]);
    });
    return log;
  },
  async context_of_for_await_over_values() {
    const log = [];
    await als.run('a', async () => {
      for await (const value of [1, Promise.resolve(2), als.run('b', async () => 3)]) log.push([value, store()]);
      log.push(await Array.fromAsync([Promise.resolve(store())]), store());
    });
    return log;
  },
  async context_of_async_methods() {
    class Counter {
      static async make() { await null; return new Counter(); }
      async next() { await null; return store(); }
      next2 = async () => { await tick(); return store(); };
    }
    return als.run('a', async () => {
      const counter = await Counter.make();
      return [await counter.next(), await als.run('b', () => counter.next2()), store()];
    });
  },
  async context_of_returned_promises() {
    const direct = async () => tick().then(store);
    const wrapped = async () => als.run('inner', async () => {
      await null;
      return store();
    });
    return als.run('a', async () => [await direct(), store(), await wrapped(), store(), await (async () => wrapped())(), store()]);
  },
  async context_of_resolved_with_thenables() {
    const log = [];
    await als.run('a', async () => {
      await Promise.resolve().then(() => ({ then(resolve) { log.push(store()); resolve(); } }));
      log.push(store());
      await (async () => ({ then(resolve) { log.push(store()); resolve(); } }))();
      log.push(store());
    });
    return log;
  },
  async context_of_emitters() {
    const emitter = new EventEmitter();
    const log = [];
    als.run('listens', () => emitter.on('x', () => log.push(store())));
    als.run('emits', () => emitter.emit('x'));
    const once = als.run('waits', async () => {
      await events.once(emitter, 'y');
      return store();
    });
    als.run('emits', () => emitter.emit('y'));
    log.push(await once);
    return log;
  },
  context_of_event_targets() {
    const target = new EventTarget();
    const log = [];
    als.run('listens', () => target.addEventListener('x', () => log.push(store())));
    als.run('dispatches', () => target.dispatchEvent(new Event('x')));
    const controller = new AbortController();
    als.run('listens', () => controller.signal.addEventListener('abort', () => log.push(store())));
    als.run('aborts', () => controller.abort());
    return log;
  },
  async context_of_calls(_, name, { env }) {
    return als.run('a', async () => {
      const stub = env.CASES.getByName(`${name} other`);
      const log = [await stub.context(), store()];
      const response = await stub.fetch('https://example.com/context');
      log.push(await response.json(), store());
      try {
        await stub.failing();
      } catch (error) {
        log.push(error.message, store());
      }
      log.push(await Promise.all([als.run('b', async () => [await stub.context(), store()]), stub.context()]), store());
      return log;
    });
  },
  async context_of_callbacks_by_rpc(_, name, { env }) {
    return als.run('a', async () => {
      const stub = env.CASES.getByName(`${name} other`);
      const told = [];
      await stub.callBack(() => { told.push(store()); });
      return [told, store()];
    });
  },
  async context_of_events_does_not_leak(_, name, { env }) {
    // An event that waits for what another one, in another context, does.
    const stub = env.CASES.getByName(`${name} other`);
    const waiting = stub.waitForRelease();
    await tick(5);
    await stub.release();
    return [await waiting, await stub.context(), store()];
  },
  async context_of_storage({ storage }) {
    return als.run('a', async () => {
      await storage.put('k', 1);
      const log = [store(), await storage.get('k'), store()];
      await storage.transaction(async (transaction) => {
        await transaction.put('k', 2);
        log.push(store());
      });
      log.push(storage.transactionSync(store), store());
      return log;
    });
  },
  async context_of_streams() {
    return als.run('a', async () => {
      const log = [];
      const stream = new ReadableStream({
        async pull(controller) {
          await null;
          log.push(store());
          controller.enqueue('x');
          controller.close();
        },
      });
      for await (const piece of stream) log.push([piece, store()]);
      const text = await new Response('body').text();
      return [log.every((one) => one === 'a' || one[1] === 'a'), text, store()];
    });
  },
  context_of_bind() {
    const bound = als.run('a', () => AsyncLocalStorage.bind((x, y) => [store(), x, y]));
    return [bound(1, 2), als.run('b', () => bound(3, 4)), bound.length];
  },
  context_of_snapshot() {
    const inA = als.run('a', () => AsyncLocalStorage.snapshot());
    return [inA(store), als.run('b', () => inA((x) => [store(), x], 5)), AsyncLocalStorage.snapshot()(store)];
  },
  async context_of_bind_after_await() {
    const bound = als.run('a', () => AsyncLocalStorage.bind(async () => {
      await tick();
      return store();
    }));
    return [await bound(), await als.run('b', bound)];
  },
  async_resources() {
    class Own extends AsyncResource {
      constructor() { super('OWN'); }
      run(work) { return this.runInAsyncScope(work, this, 1); }
    }
    const own = als.run('a', () => new Own());
    const self = { value: 5 };
    const bound = als.run('b', () => AsyncResource.bind(function (x) { return [store(), this?.value, x]; }, 'TYPE', self));
    return [
      als.run('c', () => own.run(function (x) { return [store(), this === own, x]; })),
      bound(2),
      als.run('d', () => new AsyncResource('X')).bind((x) => [store(), x])(3),
      own.emitDestroy() === own,
      nameOf(() => new AsyncResource()),
      nameOf(() => AsyncResource.bind(5)),
    ];
  },
  async_hooks_besides() {
    return [typeof createHook({}).enable, typeof executionAsyncId()];
  },
  async context_of_100_tasks() {
    const walk = async (name, depth) => {
      if (depth === 0) return store() === name;
      await (depth % 2 ? null : Promise.resolve());
      const [left, right] = await Promise.all([walk(name, depth - 1), als.run(`${name}${depth}`, walk, `${name}${depth}`, depth - 1)]);
      return left && right && store() === name;
    };
    return (await Promise.all(Array.from({ length: 8 }, (_, at) => als.run(`task ${at}`, walk, `task ${at}`, 6)))).every(Boolean);
  },
};

//CASES

export class Cases extends DurableObject {
  context() {
    return store() === undefined ? 'nothing' : store();
  }

  async failing() {
    await als.run('inside', () => tick());
    throw new Error(`failed with ${store() ?? 'nothing'}`);
  }

  async callBack(back) {
    await als.run('inside', async () => {
      await tick();
      await back();
    });
  }

  async waitForRelease() {
    this.released = Promise.withResolvers();
    return als.run('waiter', async () => {
      await this.released.promise;
      return store();
    });
  }

  async release() {
    return als.run('releaser', async () => {
      await null;
      this.released.resolve();
    });
  }

  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === 'context') return Response.json(this.context());
    return Response.json(await outcome(() => objectCases[name](this.ctx, name, this)));
  }
}

export default {
  async fetch(request, env) {
    const [, kind, name] = new URL(request.url).pathname.split('/');
    if (kind === 'names') return Response.json([...Object.keys(objectCases).map((one) => `object/${one}`), ...Object.keys(plainCases).map((one) => `plain/${one}`)]);
    if (kind === 'plain') return Response.json(await outcome(() => plainCases[name](env)));
    if (kind === 'object') return env.CASES.getByName(name).fetch(`https://example.com/${name}`);
    return new Response(`no case: ${name}`, { status: 404 });
  },
};
