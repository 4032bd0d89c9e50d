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

const bytes = (...list) => Buffer.from(list);
const hex = (buffer) => buffer.toString('hex');

const bufferCases = {
  buffer_global() {
    return [Buffer === bufferModule.Buffer, Buffer === BareBuffer, typeof global, global === globalThis, typeof Buffer.poolSize, Object.keys(bufferModule.constants).length];
  },
  buffer_is_an_array() {
    const buffer = Buffer.from('abc');
    return [buffer instanceof Uint8Array, Buffer.isBuffer(buffer), Buffer.isBuffer(new Uint8Array(1)), buffer.constructor === Buffer, buffer.map((x) => x + 1).constructor === Buffer, buffer.filter((x) => x > 97).toString(), [...buffer.entries()], Object.prototype.toString.call(buffer)];
  },
  buffer_alloc() {
    return [Buffer.alloc(3), Buffer.alloc(5, 'ab'), Buffer.alloc(4, 'YQ==', 'base64'), Buffer.alloc(3, 1), Buffer.alloc(3, Buffer.from([7, 8])), Buffer.allocUnsafe(2).length, Buffer.allocUnsafeSlow(2).length, attempt(() => Buffer.alloc('5')), attempt(() => Buffer.alloc(-1))[0], nameOf(() => Buffer.alloc(2, 'a', 'nope'))];
  },
  buffer_of_texts() {
    return ['utf8', 'utf-8', 'UTF8', 'hex', 'base64', 'base64url', 'latin1', 'binary', 'ascii', 'ucs2', 'ucs-2', 'utf16le', 'UTF-16LE', undefined].map((name) => [name, hex(Buffer.from('aGé€', name))]);
  },
  buffer_to_texts() {
    const buffer = bytes(0, 65, 127, 128, 195, 169, 226, 130, 172, 255, 104, 105);
    return ['utf8', 'hex', 'base64', 'base64url', 'latin1', 'ascii', 'utf16le'].map((name) => buffer.toString(name)).concat(buffer.toString('utf8', 4, 6), buffer.toString('latin1', -3, 2), buffer.toString('hex', 3, 1), buffer.toString(undefined, 10), buffer.toString('hex', '1', '3'));
  },
  buffer_unknown_encodings() {
    return [attempt(() => Buffer.from('a', 'nope')), attempt(() => Buffer.from('a').toString('nope')), Buffer.isEncoding('utf8'), Buffer.isEncoding('UTF-8'), Buffer.isEncoding('nope'), Buffer.isEncoding(''), Buffer.isEncoding(5)];
  },
  buffer_of_bad_texts() {
    return [hex(Buffer.from('abxyz', 'hex')), hex(Buffer.from('abc', 'hex')), hex(Buffer.from('a b', 'hex')), Buffer.from('YW Jj\nZA', 'base64').toString(), Buffer.from('_-8', 'base64'), Buffer.from('+/8=', 'base64url'), hex(Buffer.from('\ud800x')), hex(Buffer.from('😀')), Buffer.from([0xff, 0xfe, 0x41]).toString(), Buffer.from([0xe2, 0x82]).toString(), Buffer.from([0xf0, 0x9f, 0x98, 0x80]).toString()];
  },
  buffer_of_values() {
    const memory = new Uint8Array([1, 2, 3, 4]).buffer;
    const shared = Buffer.from(memory, 1, 2);
    shared[0] = 99;
    return [Buffer.from([1, 256, -1, 2.7, 'x', '5']), Buffer.from(new Uint16Array([1, 257])), shared, new Uint8Array(memory), Buffer.from(Buffer.from('copy')).toString(), Buffer.from({ length: 2, 0: 1, 1: 2 }), Buffer.from({ type: 'Buffer', data: [1, 2] }), Buffer.from(new String('text')).toString(), Buffer.from({ valueOf: () => 'value' }).toString(), Buffer.from({ [Symbol.toPrimitive]: () => 'primitive' }).toString(), Buffer.of(1, 2, 3)];
  },
  buffer_of_nothing() {
    return [undefined, null, 5, true, {}, Symbol('x')].map((value) => nameOf(() => Buffer.from(value))).concat([attempt(() => Buffer.from(new ArrayBuffer(2), 3)), attempt(() => Buffer.from(new ArrayBuffer(2), 0, 3))]);
  },
  buffer_old_constructor() {
    return [new Buffer(3), Buffer(2), new Buffer('ab').toString(), new Buffer([1, 2]), nameOf(() => new Buffer(5, 'utf8'))];
  },
  buffer_json() {
    return [JSON.stringify(Buffer.from('hi')), Buffer.from(JSON.parse(JSON.stringify(Buffer.from('hi')))).toString()];
  },
  buffer_lengths() {
    return [Buffer.byteLength('aé€😀'), Buffer.byteLength('\ud800'), Buffer.byteLength('abcd', 'hex'), Buffer.byteLength('YWJj', 'base64'), Buffer.byteLength('YQ==', 'base64'), Buffer.byteLength('YQ', 'base64url'), Buffer.byteLength('ab', 'ucs2'), Buffer.byteLength('ab', 'latin1'), Buffer.byteLength(new ArrayBuffer(5)), Buffer.byteLength(new Uint16Array(3)), Buffer.byteLength('é', 'nope'), nameOf(() => Buffer.byteLength(5))];
  },
  buffer_concat() {
    return [Buffer.concat([Buffer.from('a'), new Uint8Array([98]), Buffer.from('cd')]).toString(), Buffer.concat([Buffer.from('abc')], 2).toString(), Buffer.concat([Buffer.from('a')], 3), Buffer.concat([]), nameOf(() => Buffer.concat('x')), nameOf(() => Buffer.concat(['x']))[0]];
  },
  buffer_compare() {
    const [a, b] = [Buffer.from('abc'), Buffer.from('abd')];
    return [a.compare(b), b.compare(a), a.compare(a), a.compare(Buffer.from('ab')), Buffer.compare(a, b), a.equals(Buffer.from('abc')), a.equals(new Uint8Array([97, 98, 99])), a.compare(b, 0, 2, 0, 2), a.compare(b, 2, 3, 1, 2), nameOf(() => a.equals('abc')), nameOf(() => a.compare(b, -1)), [b, a].sort(Buffer.compare).map(String)];
  },
  buffer_find() {
    const buffer = Buffer.from('this is a buffer, this is');
    return [buffer.indexOf('is'), buffer.indexOf('is', 3), buffer.indexOf('is', -2), buffer.lastIndexOf('is'), buffer.lastIndexOf('this', 17), buffer.lastIndexOf('this', -10), buffer.indexOf(Buffer.from('buffer')), buffer.indexOf(97), buffer.indexOf(97 + 256), buffer.indexOf('nope'), buffer.indexOf(''), buffer.indexOf('', 100), buffer.includes('a b'), buffer.includes('zzz'), buffer.indexOf('6973', 'hex'), buffer.indexOf('is', undefined, 'utf8'), Buffer.from('abab', 'utf16le').indexOf('b', 3, 'utf16le'), buffer.indexOf(new Uint8Array([98, 117])), nameOf(() => buffer.indexOf({}))];
  },
  buffer_fill() {
    const of = () => Buffer.alloc(6);
    return [of().fill('ab'), of().fill('é'), of().fill(1, 2, 4), of().fill('x', 3), of().fill('6162', 'hex'), of().fill('abc', 1, 5, 'latin1'), of().fill(Buffer.from([1, 2, 3, 4])), of().fill(257), of().fill(''), of().fill(true), nameOf(() => of().fill('a', 0, 7)), nameOf(() => of().fill('a', -1)), nameOf(() => of().fill('zz', 'hex'))[0], nameOf(() => of().fill('a', 'nope'))];
  },
  buffer_copy() {
    const target = Buffer.alloc(5, '.');
    const source = Buffer.from('abcdef');
    return [source.copy(target), target.toString(), source.copy(target, 3, 1), target.toString(), source.copy(target, 0, 2, 4), target.toString(), source.copy(target, 9), attempt(() => source.copy(target, -1)), target.copy(target, 1, 0, 3), target.toString(), nameOf(() => source.copy('x'))];
  },
  buffer_write() {
    const buffer = Buffer.alloc(8, '.');
    return [buffer.write('ab'), buffer.write('é', 7), buffer.write('€uro', 2, 4), buffer.toString(), buffer.write('6869', 0, 'hex'), buffer.write('x', 3, 1, 'latin1'), buffer.write('aé', 0, 2), buffer.toString('latin1'), attempt(() => buffer.write('a', 9)), buffer.utf8Write('zz', 1, 2), buffer.latin1Slice(0, 3), buffer.hexSlice(0, 2)];
  },
  buffer_slices() {
    const buffer = Buffer.from('abcdef');
    const part = buffer.slice(1, 3);
    part[0] = 90;
    return [buffer.toString(), part.toString(), buffer.subarray(-3, -1).toString(), buffer.slice(4).toString(), buffer.slice(3, 1).length, part.buffer === buffer.buffer, part.constructor === Buffer, part.parent === part.buffer, buffer.at(-1)];
  },
  buffer_swap() {
    const of = () => Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]);
    return [of().swap16(), of().swap32(), of().swap64(), attempt(() => Buffer.from([1]).swap16()), attempt(() => Buffer.from([1, 2]).swap32())];
  },
  buffer_integers() {
    const buffer = Buffer.from([0x81, 0x02, 0xf3, 0x04, 0x85, 0xf6, 0x07, 0x98]);
    const names = ['UInt8', 'Int8', 'UInt16LE', 'UInt16BE', 'Int16LE', 'Int16BE', 'UInt32LE', 'UInt32BE', 'Int32LE', 'Int32BE', 'BigUInt64LE', 'BigUInt64BE', 'BigInt64LE', 'BigInt64BE', 'FloatLE', 'FloatBE', 'DoubleLE', 'DoubleBE', 'Uint8', 'Uint16LE', 'Uint32BE', 'BigUint64LE'];
    return names.map((name) => [name, buffer[`read${name}`](0)]);
  },
  buffer_integers_of_lengths() {
    const buffer = Buffer.from([0x81, 0x02, 0xf3, 0x04, 0x85, 0xf6, 0x07, 0x98]);
    return [1, 2, 3, 4, 5, 6].map((length) => [buffer.readUIntLE(1, length), buffer.readUIntBE(1, length), buffer.readIntLE(0, length), buffer.readIntBE(2, length)]).concat([[nameOf(() => buffer.readUIntLE(0, 7)), nameOf(() => buffer.readUIntLE(0, 0)), attempt(() => buffer.readUIntLE(6, 4))]]);
  },
  buffer_writes_integers() {
    const written = (name, ...values) => {
      const buffer = Buffer.alloc(9, 0xee);
      return [name, buffer[`write${name}`](...values), hex(buffer)];
    };
    return [written('UInt8', 200), written('Int8', -5, 2), written('UInt16LE', 0x1234), written('UInt16BE', 0x1234, 1), written('Int16LE', -2), written('Int16BE', -2), written('UInt32LE', 0xdeadbeef), written('UInt32BE', 0xdeadbeef, 1), written('Int32LE', -70000), written('Int32BE', -70000), written('BigUInt64LE', 2n ** 64n - 2n), written('BigInt64BE', -3n), written('FloatLE', 1.5), written('FloatBE', -0.1), written('DoubleLE', Math.PI), written('DoubleBE', 1e300, 1), written('UIntLE', 0x123456, 0, 3), written('UIntBE', 0x123456789a, 0, 5), written('IntLE', -5, 0, 6), written('IntBE', -(2 ** 40), 0, 6), written('UInt8', 2.9)];
  },
  buffer_out_of_range() {
    const buffer = Buffer.alloc(4);
    return [() => buffer.readUInt8(4), () => buffer.readUInt16LE(3), () => buffer.readDoubleLE(0), () => buffer.readInt8(1.5), () => buffer.readInt8('0'), () => buffer.writeUInt8(256), () => buffer.writeInt8(-129), () => buffer.writeUInt16LE(65536), () => buffer.writeInt16BE(-32769), () => buffer.writeUInt32LE(2 ** 32), () => buffer.writeInt32LE(2 ** 31), () => buffer.writeUIntLE(2 ** 24, 0, 3), () => buffer.writeIntBE(2 ** 39, 0, 5), () => Buffer.alloc(8).writeBigUInt64LE(2n ** 64n), () => buffer.writeUInt8(1, 4), () => Buffer.alloc(0).readUInt8()].map(attempt);
  },
  buffer_inspected() {
    return [inspect(Buffer.from('abc')), inspect(Buffer.alloc(0)), inspect(Buffer.alloc(60)), inspect({ a: Buffer.from('x') }), String(Buffer.from('text')), `${Buffer.from('text')}`, Buffer.from('abc').toLocaleString()];
  },
  buffer_transcode() {
    return [bufferModule.transcode(Buffer.from('é'), 'utf8', 'latin1'), bufferModule.transcode(Buffer.from([0xe9]), 'latin1', 'utf8'), bufferModule.transcode(Buffer.from('hé'), 'utf8', 'ucs2'), bufferModule.transcode(Buffer.from('hé', 'ucs2'), 'ucs2', 'utf8'), nameOf(() => bufferModule.transcode('x', 'utf8', 'latin1'))];
  },
  async buffer_module() {
    const blob = new bufferModule.Blob([Buffer.from('a'), 'b']);
    return [bufferModule.kMaxLength, bufferModule.kStringMaxLength, bufferModule.constants, bufferModule.isAscii(Buffer.from('abc')), bufferModule.isAscii(Buffer.from('é')), bufferModule.isUtf8(Buffer.from('é')), bufferModule.isUtf8(Buffer.from([0xff])), bufferModule.atob('YQ=='), bufferModule.btoa('a'), await blob.text(), bufferModule.Blob === Blob, bufferModule.File === File, bufferModule.INSPECT_MAX_BYTES, typeof bufferModule.SlowBuffer];
  },
  async buffer_in_the_web() {
    const response = new Response(Buffer.from('body'));
    return [await response.text(), new TextDecoder().decode(Buffer.from('é')), hex(Buffer.from(new TextEncoder().encode('é'))), Buffer.from(await new Response('x').arrayBuffer()).toString(), structuredClone(Buffer.from('a')).constructor.name, hex(Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from('a'))))];
  },
  async buffer_stored(_, __, { ctx }) {
    await ctx.storage.put('b', Buffer.from('stored'));
    const got = await ctx.storage.get('b');
    return [got.constructor.name, Buffer.from(got).toString()];
  },
};

const eventCases = {
  events_emit() {
    const emitter = new EventEmitter();
    const log = [];
    emitter.on('x', function (...values) { log.push([this === emitter, ...values]); });
    emitter.prependListener('x', () => log.push('first'));
    emitter.once('x', () => log.push('once'));
    return [emitter.emit('x', 1, 2), emitter.emit('x', 3), emitter.emit('nobody'), log, emitter.listenerCount('x'), emitter.eventNames()];
  },
  events_remove() {
    const emitter = new EventEmitter();
    const log = [];
    const listener = () => log.push('l');
    emitter.on('newListener', (name, added) => log.push(['new', name, added === listener]));
    emitter.on('removeListener', (name, removed) => log.push(['removed', name, removed === listener]));
    emitter.on('x', listener).once('x', listener);
    emitter.off('x', listener);
    emitter.emit('x');
    emitter.removeAllListeners('x');
    emitter.emit('x');
    emitter.removeAllListeners();
    return [log, emitter.eventNames()];
  },
  events_while_emitting() {
    const emitter = new EventEmitter();
    const log = [];
    const second = () => log.push('second');
    emitter.on('x', () => {
      log.push('first');
      emitter.off('x', second);
      emitter.on('x', () => log.push('added'));
    });
    emitter.on('x', second);
    emitter.emit('x');
    log.push('-');
    emitter.emit('x');
    return log;
  },
  events_errors() {
    const emitter = new EventEmitter();
    const log = [];
    const results = [attempt(() => emitter.emit('error', new TypeError('t'))), attempt(() => emitter.emit('error', 'text'))[1], attempt(() => emitter.emit('error'))[1], nameOf(() => emitter.on('x', 5)), nameOf(() => emitter.setMaxListeners(-1))];
    emitter.on(events.errorMonitor, (error) => log.push(['monitor', error.message]));
    results.push(attempt(() => emitter.emit('error', new Error('watched')))[2]);
    emitter.on('error', (error) => log.push(['handler', error.message]));
    results.push(emitter.emit('error', new Error('handled')));
    return [results, log];
  },
  events_lists() {
    const emitter = new EventEmitter();
    const a = () => {};
    emitter.on('x', a).once('x', a).on(Symbol('s'), a);
    return [emitter.listeners('x').map((one) => one === a), emitter.rawListeners('x').map((one) => [one === a, one.listener === a]), emitter.listenerCount('x', a), emitter.listenerCount('y'), emitter.eventNames(), EventEmitter.listenerCount(emitter, 'x'), emitter.getMaxListeners(), emitter.setMaxListeners(3) === emitter, emitter.getMaxListeners(), EventEmitter.defaultMaxListeners];
  },
  events_subclasses() {
    class Own extends EventEmitter {
      constructor() {
        super();
        this.on('x', () => { this.heard = true; });
      }
    }
    function Old() { EventEmitter.call(this); }
    Object.setPrototypeOf(Old.prototype, EventEmitter.prototype);
    const [own, old] = [new Own(), new Old()];
    own.emit('x');
    let heard = 0;
    old.on('y', () => heard++);
    old.emit('y');
    const mixed = Object.assign({}, EventEmitter.prototype);
    mixed.on('z', () => heard++);
    mixed.emit('z');
    return [own.heard, heard, own instanceof EventEmitter, old instanceof EventEmitter, EventEmitter.EventEmitter === EventEmitter, events.EventEmitter === EventEmitter];
  },
  async events_once() {
    const emitter = new EventEmitter();
    const first = events.once(emitter, 'x');
    emitter.emit('x', 1, 2);
    const failing = events.once(emitter, 'y');
    emitter.emit('error', new Error('failed'));
    const aborted = new AbortController();
    const waiting = events.once(emitter, 'z', { signal: aborted.signal });
    aborted.abort();
    const target = new EventTarget();
    const dispatched = events.once(target, 'w');
    target.dispatchEvent(new Event('w'));
    return [await first, await failing.catch((error) => error.message), await waiting.catch((error) => [error.name, error.code]), (await dispatched)[0].type, emitter.eventNames(), await events.once(emitter, 'x', { signal: AbortSignal.abort() }).catch((error) => error.name)];
  },
  async events_on() {
    const emitter = new EventEmitter();
    const log = [];
    queueMicrotask(() => {
      emitter.emit('x', 1);
      emitter.emit('x', 2, 3);
    });
    for await (const values of events.on(emitter, 'x')) {
      log.push(values);
      if (log.length === 2) break;
    }
    const iterator = events.on(emitter, 'x');
    emitter.emit('x', 'kept');
    log.push((await iterator.next()).value, await iterator.return(), await iterator.next(), emitter.listenerCount('x'));
    const failing = events.on(emitter, 'x');
    emitter.emit('error', new Error('failed'));
    log.push(await failing.next().catch((error) => error.message));
    const controller = new AbortController();
    const aborted = events.on(emitter, 'x', { signal: controller.signal });
    controller.abort();
    log.push(await aborted.next().catch((error) => error.name));
    return log;
  },
  async events_capture_rejections() {
    const emitter = new EventEmitter({ captureRejections: true });
    const log = [];
    emitter.on('x', async () => { throw new Error('rejected'); });
    emitter.on('error', (error) => log.push(['error', error.message]));
    emitter.emit('x');
    const own = new EventEmitter({ captureRejections: true });
    own[Symbol.for('nodejs.rejection')] = (error, name, ...values) => log.push([error.message, name, values]);
    own.on('y', async () => { throw new Error('own'); });
    own.emit('y', 5);
    await tick(2);
    return [log, events.captureRejectionSymbol === Symbol.for('nodejs.rejection'), EventEmitter.captureRejections];
  },
  events_static() {
    const emitter = new EventEmitter();
    const target = new EventTarget();
    events.setMaxListeners(5, emitter, target);
    const listener = () => {};
    emitter.on('x', listener);
    const log = [];
    const controller = new AbortController();
    const listening = events.addAbortListener(controller.signal, () => log.push('aborted'));
    const stopped = events.addAbortListener(controller.signal, () => log.push('not this'));
    stopped[Symbol.dispose]();
    controller.abort();
    return [emitter.getMaxListeners(), events.getEventListeners(emitter, 'x').length, events.getMaxListeners(emitter), typeof listening[Symbol.dispose], log, nameOf(() => events.getEventListeners({}, 'x'))];
  },
  events_async_resource() {
    const emitter = als.run('made', () => new events.EventEmitterAsyncResource({ name: 'X' }));
    const log = [];
    emitter.on('x', () => log.push(store()));
    als.run('emits', () => emitter.emit('x'));
    return log;
  },
};

const pathCases = {
  path_posix() {
    const paths = ['', '.', '/', '//', 'a', 'a/', '/a/b', '/a/b/', 'a/../b', '../a', '/../a', './a//b', 'a/b/..', '/a/./b', '..', '...', 'a.b.c', '.hidden', '/x/.hidden', 'a.', 'x/y.tar.gz', '//server/share'];
    return paths.map((one) => [one, path.normalize(one), path.dirname(one), path.basename(one), path.extname(one), path.isAbsolute(one), path.parse(one)]);
  },
  path_joins() {
    return [path.join('a', '..', 'b'), path.join('/a', '/b'), path.join('', ''), path.join('a/', './b', '..'), path.join('..', 'a'), path.resolve('/a', 'b', '../c'), path.resolve('/a', '/b'), path.resolve('/'), path.resolve('a'), path.resolve(), path.win32.resolve('a'), path.relative('', '/x'), path.relative('/a/b/c', '/a/d'), path.relative('/a', '/a'), path.relative('/a/b', '/a/b/c/d'), path.relative('/', '/x'), path.basename('/a/b.html', '.html'), path.basename('a.html', 'a.html'), path.basename('/a/b/', 'b'), path.format({ dir: '/a', base: 'b.c' }), path.format({ root: '/', name: 'n', ext: 'x' }), path.format({}), path.sep, path.delimiter, path.posix === path, nameOf(() => path.join('a', 5))];
  },
  path_win32() {
    const paths = ['', '.', '\\', 'C:', 'C:\\', 'C:a', 'C:/a/../b', 'a\\b/c', '\\\\server\\share', '\\\\server\\share\\x\\..', '..\\a', 'c:\\x\\y.z', '\\a\\b', 'a\\', '/x'];
    return paths.map((one) => [one, path.win32.normalize(one), path.win32.dirname(one), path.win32.basename(one), path.win32.extname(one), path.win32.isAbsolute(one), path.win32.parse(one)]);
  },
  path_win32_joins() {
    const { win32 } = path;
    return [win32.join('a', 'b'), win32.join('C:\\', '..', 'x'), win32.join('\\\\server', 'share', 'x'), win32.join('//a', 'b'), win32.join('', '/a'), win32.resolve('C:\\a', '..\\b'), win32.resolve('C:\\a', 'D:\\b'), win32.relative('C:\\a\\b', 'C:\\a\\c'), win32.relative('C:\\a', 'D:\\b'), win32.relative('C:\\A', 'c:\\a\\x'), win32.format({ dir: 'C:\\x', base: 'y' }), win32.sep, win32.delimiter, win32.toNamespacedPath('C:\\x'), path.toNamespacedPath('/x'), win32.posix === path];
  },
  path_globs() {
    return [path.matchesGlob('/a/b.js', '/a/*.js'), path.matchesGlob('/a/b.js', '/a/*.ts'), path.matchesGlob('/a/b/c.js', '/a/**/*.js'), path.matchesGlob('a', '?'), path.matchesGlob('ab', 'a[bc]')].map(Boolean);
  },
};

const textCases = {
  querystring_parse() {
    return ['a=1&b=2', 'a=1&a=2&a=3', 'a&b=', '=x', 'a=%20b+c', 'a=%zz', 'é=ü', '', 'a=1&&b', 'x=%E4%BD%A0', 'a==b', '%61=1', 'a=1;b=2'].map((one) => ({ ...querystring.parse(one) })).concat([{ ...querystring.parse('a:1;b:2', ';', ':') }, { ...querystring.parse('a=1&b=2&c=3', null, null, { maxKeys: 2 }) }, { ...querystring.parse('a=1', null, null, { decodeURIComponent: (text) => `<${text}>` }) }, Object.getPrototypeOf(querystring.parse('a'))]);
  },
  querystring_stringify() {
    return [querystring.stringify({ a: 1, b: 'x y', c: ['1', 2], d: true, e: null, f: undefined, g: 5n, h: NaN, 'ü': 'é&=' }), querystring.stringify({ a: [] }), querystring.stringify({ a: 1, b: 2 }, ';', ':'), querystring.stringify('x'), querystring.stringify(null), querystring.stringify({ a: 'x' }, null, null, { encodeURIComponent: (text) => `<${text}>` }), querystring.escape('a b&é'), querystring.unescape('a%20b%zz'), querystring.encode === querystring.stringify, nameOf(() => querystring.stringify({ a: '\ud800' }))];
  },
  string_decoder() {
    const euro = Buffer.from('€');
    const pieces = (name, ...all) => {
      const decoder = new StringDecoder(name);
      return [decoder.encoding, ...all.map((piece) => decoder.write(Buffer.from(piece))), decoder.end()];
    };
    return [pieces('utf8', euro.subarray(0, 1), euro.subarray(1)), pieces('utf8', [0xf0, 0x9f], [0x98], [0x80, 0x41]), pieces('utf8', [0xe2, 0x41]), pieces('utf8', [0xe2, 0x82]), pieces('utf16le', [0x61], [0, 0x3d, 0xd8], [0x4d, 0xdc]), pieces('base64', [1], [2, 3, 4], [5]), pieces('hex', [1], [255]), pieces('latin1', [0xe9]), new StringDecoder().write(Buffer.from('x')), new StringDecoder().end(Buffer.from('y')), nameOf(() => new StringDecoder('nope')), nameOf(() => new StringDecoder().write(5))];
  },
  punycode_all() {
    return [punycode.encode('mañana'), punycode.decode('maana-pta'), punycode.toASCII('mañana.com'), punycode.toASCII('☃-⌘.com'), punycode.toUnicode('xn--maana-pta.com'), punycode.toASCII('джумла@джpумлатест.bрфa'), punycode.ucs2.decode('a😀'), punycode.ucs2.encode([97, 0x1f600]), punycode.version, nameOf(() => punycode.decode('a-\ud800'))];
  },
};

const urlCases = {
  url_web() {
    return [nodeUrl.URL === URL, nodeUrl.URLSearchParams === URLSearchParams, nodeUrl.domainToASCII('español.com'), nodeUrl.domainToASCII('xn--iñvalid.com'), nodeUrl.domainToUnicode('xn--espaol-zwa.com'), nodeUrl.domainToUnicode('xn--iñvalid.com')];
  },
  url_files() {
    return [nodeUrl.fileURLToPath('file:///a/b%20c'), nodeUrl.fileURLToPath(new URL('file:///x')), nodeUrl.pathToFileURL('/a b#c?d%').href, nodeUrl.pathToFileURL('/dir/').href, nodeUrl.fileURLToPath('file:///C:/x/y', { windows: true }), nodeUrl.pathToFileURL('C:\\x y', { windows: true }).href, nameOf(() => nodeUrl.fileURLToPath('http://x/'))[1], nameOf(() => nodeUrl.fileURLToPath('file://host/x'))[1], nameOf(() => nodeUrl.fileURLToPath('file:///a%2fb'))[1], nameOf(() => nodeUrl.fileURLToPath(5)), nameOf(() => nodeUrl.pathToFileURL(5))];
  },
  url_options() {
    return [{ ...nodeUrl.urlToHttpOptions(new URL('https://a:b@xn--g6w251d/p?q#h')) }, { ...nodeUrl.urlToHttpOptions(new URL('http://[::1]:8080/')) }];
  },
  url_formats() {
    const url = new URL('http://user:pw@xn--lck1c3crb1723bpq4a.com/a?a=b#c');
    return [nodeUrl.format(url), nodeUrl.format(url, { auth: false, fragment: false, search: false, unicode: true }), nodeUrl.format({ protocol: 'http', host: 'x.y', pathname: '/p', query: { a: 1, b: [2, 3] } }), nodeUrl.format({ protocol: 'mailto', pathname: 'a@b' }), nodeUrl.format({ hostname: '::1', port: 80, slashes: true }), nodeUrl.format({ pathname: 'a#b?c', search: 'q', hash: 'h' }), nodeUrl.format('http://a.com/ b'), nameOf(() => nodeUrl.format(5))];
  },
  url_legacy_parse() {
    return ['http://user:pass@host.com:8080/p/a/t/h?query=string#hash', 'HTTP://EXAMPLE.com', '/path?x=1#y', '//host/path', 'mailto:a@b.c', 'javascript:alert(1)', 'a/b c', 'http://x.com/\\a\\b?c\\d', 'https://[::1]:80/x', 'http://a.com?b', ' http://a.com ', 'x:y:z', 'file:///etc/passwd', 'http://a@b@c/', '#x', '', '?a=b', 'http://ex ample.com/', "http://a.com/'\"<>`{}|^", 'ws://x.com'].map((one) => {
      const { protocol, slashes, auth, host, port, hostname, hash, search, query, pathname, path: whole, href } = nodeUrl.parse(one);
      return [one, protocol, slashes, auth, host, port, hostname, hash, search, query, pathname, whole, href];
    }).concat([[{ ...nodeUrl.parse('/x?a=1&b=2', true).query }, nodeUrl.parse('//host/p', false, true).host, nameOf(() => nodeUrl.parse(5))]]);
  },
  url_legacy_resolve() {
    return [['/one/two/three', 'four'], ['http://example.com/', '/one'], ['http://example.com/one', '/two'], ['http://a.com/b/c/d', '../e'], ['http://a.com/b/c/d', '../../../e'], ['http://a.com/b', '?x=1'], ['http://a.com/b?x#y', '#z'], ['http://a.com/b', '//c.com/d'], ['http://a.com/b', 'https://c.com'], ['http://a.com', ''], ['mailto:a@b.c', 'd@e.f'], ['a/b', '.'], ['a/b', '..'], ['/a/b/', './c'], ['http://u:p@a.com/x', 'y'], ['http://u:p@a.com/x', 'http://b.com/y'], ['', 'x'], ['file:///a/b', '../c']].map(([from, to]) => [from, to, nodeUrl.resolve(from, to)]);
  },
};

const utilCases = {
  util_inspect_primitives() {
    return ['text', "it's", `"it's"`, '`"it\'s"`', 'line\nbreak\t\x01\x7f', '\ud800', 'é😀', 5, -0, NaN, 1e21, 10n, true, null, undefined, Symbol('s'), Symbol()].map((value) => inspect(value));
  },
  util_inspect_objects() {
    return [{}, { a: 1 }, { a: { b: { c: { d: 1 } } } }, { 'a-b': 1, 2: 3, $x: 4, [Symbol('k')]: 5 }, [], [1, 2, 3], [[[[1]]]], [1, , 3], [undefined, null], Object.create(null), Object.assign(Object.create(null), { a: 1 }), { get a() { return 1; }, set b(x) {}, get c() { return 1; }, set c(x) {} }, Object.assign([1], { extra: 2 }), { __proto__: { inherited: 1 }, own: 2 }].map((value) => inspect(value));
  },
  util_inspect_classes() {
    class A { x = 1; #hidden = 2; static s = 3; }
    class B extends A { get [Symbol.toStringTag]() { return 'Tag'; } }
    class Empty {}
    class List extends Array {}
    class M extends Map {}
    return [new A(), new B(), new Empty(), A, B, class {}, List.from([1]), new M([[1, 2]]), { [Symbol.toStringTag]: 'X', a: 1 }].map((value) => inspect(value));
  },
  util_inspect_functions() {
    return [function named() {}, () => {}, async () => {}, function* g() {}, async function* ag() {}, Object.assign(() => {}, { x: 1 }), Math.max, class Z { static m() {} }].map((value) => inspect(value));
  },
  util_inspect_collections() {
    return [new Map(), new Map([['a', 1], [{ k: 1 }, new Map([[1, 2]])]]), new Set(), new Set([1, 'x', [2]]), new WeakMap(), new WeakSet(), new Map([[1, { a: { b: { c: {} } } }]])].map((value) => inspect(value));
  },
  util_inspect_bytes() {
    return [new Uint8Array(3), new Uint8Array(), new Float64Array([1.5, -0]), new BigInt64Array([1n]), new Uint8Array([1, 2, 3]).buffer, new DataView(new ArrayBuffer(2)), new ArrayBuffer(0)].map((value) => inspect(value));
  },
  util_inspect_others() {
    return [new Date(0), new Date(NaN), /a+/gi, Object(1), Object('ab'), Object(true), Object(1n), Object(Symbol('b')), Promise.resolve(4), new Promise(() => {}), globalThis === inspect(globalThis), JSON, Math].map((value) => inspect(value).split('{')[0]);
  },
  util_inspect_promises() {
    const rejected = Promise.reject(new TypeError('no'));
    rejected.catch(() => {});
    return [inspect(Promise.resolve({ a: 1 })), inspect(rejected).startsWith('Promise {\n  <rejected> TypeError: no'), inspect({ p: Promise.resolve([1]) })];
  },
  util_inspect_proxies() {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return [inspect(new Proxy({ a: 1 }, {}), { showProxy: true }), inspect(new Proxy([1], { get() { return 1; } }), { showProxy: true }), util.types.isProxy(new Proxy({}, {})), util.types.isProxy({}), inspect(proxy, { showProxy: true })];
  },
  util_inspect_circles() {
    const a = { name: 'a' };
    a.self = a;
    const b = { a, list: [a] };
    b.b = b;
    const map = new Map();
    map.set('map', map);
    return [a, b, map, [a, a]].map((value) => inspect(value));
  },
  util_inspect_long() {
    return [Array.from({ length: 120 }, (_, at) => at), Array.from({ length: 30 }, (_, at) => 'x'.repeat(at % 9)), 'x'.repeat(10050).length, { a: 'x'.repeat(60), b: 'y'.repeat(60) }, ['a'.repeat(50), 'b'.repeat(50)], { text: `${'long line '.repeat(15)}\nnext` }, new Set(Array.from({ length: 105 }, (_, at) => at)), [1.5, 22.25, 333, 4, 5, 6, 7, 8]].map((value) => inspect(value));
  },
  util_inspect_options() {
    const value = { a: { b: { c: { d: 1 } } }, list: [1, 2, 3, 4], text: 'a long text', n: 1234567.891 };
    return [inspect(value, { depth: 0 }), inspect(value, { depth: Infinity }), inspect(value, { compact: false }), inspect(value, { breakLength: 20 }), inspect(value, { maxArrayLength: 2 }), inspect(value, { maxStringLength: 3 }), inspect({ b: 1, a: 2 }, { sorted: true }), inspect(value, { numericSeparator: true }), inspect([1], { showHidden: true }), inspect({ get x() { return 5; } }, { getters: true }), inspect(value, false, null), inspect('x', { colors: true }), inspect({ a: 1, b: 'x', c: null, d: undefined, e: true }, { colors: true }), inspect(value, { compact: 1 }), inspect({ a: [{ b: 1 }] }, { depth: 1 })];
  },
  util_inspect_custom() {
    class Own {
      [inspect.custom](depth, options, given) { return `own ${depth} ${typeof options.stylize} ${given === inspect}`; }
    }
    return [inspect(new Own()), inspect({ a: new Own() }), inspect([{ a: { b: new Own() } }]), inspect({ [inspect.custom]: () => ({ other: 1 }) }), inspect({ [inspect.custom]: () => 5 }), inspect(new Own(), { customInspect: false }), inspect.custom === Symbol.for('nodejs.util.inspect.custom')];
  },
  util_inspect_errors() {
    const first = (value, options) => inspect(value, options).split('\n')[0];
    class Own extends Error { name = 'Own'; }
    return [first(new Error('e')), first(new TypeError('t')), first(new Own('o')), first(Object.assign(new Error('e'), { code: 'X' })), inspect(Object.assign(new Error('e'), { code: 'X' })).endsWith("{\n  code: 'X'\n}"), inspect(new Error('e', { cause: 'why' })).includes("[cause]: 'why'"), first(new Error('')), inspect(Object.assign(new Error('one line'), { stack: 'Error: one line' }))];
  },
  util_format() {
    return [util.format('%s %s', 'a'), util.format('%s', 'a', 'b', { c: 1 }), util.format('%d %i %f', '42.5', '42.5', '42.5'), util.format('%j', { a: [1] }), util.format('%o', [1]), util.format('%O', { a: { b: { c: { d: 1 } } } }), util.format('%%s %s', 1), util.format('%c', 'css', 'x'), util.format(1, 'a', Symbol('s')), util.format('%s', -0, 5n, null, undefined), util.format('%s', { toString() { return 'own'; } }), util.format('%s', class A {}), util.format('%s', [1, [2, [3]]]), util.format('%d', 5n, Symbol('x')), util.format('%x', 1), util.format(), util.format('a', 'b'), util.format('%s', new Date(0)), util.format('%i', 'x'), util.format('100%', 1), util.formatWithOptions({ compact: false }, '%O', { a: 1 })];
  },
  util_deep_equal() {
    const same = util.isDeepStrictEqual;
    const circle = () => { const one = {}; one.self = one; return one; };
    return [same({ a: 1 }, { a: 1 }), same([1, [2]], [1, [2]]), same({ a: 1 }, { a: '1' }), same(NaN, NaN), same(0, -0), same(new Date(1), new Date(1)), same(new Date(1), new Date(2)), same(/a/g, /a/i), same(new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]])), same(new Set([{ a: 1 }]), new Set([{ a: 1 }])), same(new Set([1]), new Set([2])), same([1, , 3], [1, undefined, 3]), same({ a: undefined }, {}), same(new Uint8Array([1]), new Uint8Array([1])), same(new Uint8Array([1]), [1]), same(new Error('a'), new Error('a')), same(new Error('a'), new Error('b')), same(circle(), circle()), same(Object(1), Object(1)), same({ [Symbol.for('x')]: 1 }, { [Symbol.for('x')]: 2 }), same(class {}, class {}), same(Object.create(null), {}), same(new Map([[{}, 1]]), new Map([[{}, 1]])), same(null, undefined), same([], {})];
  },
  async util_promisify() {
    const later = (value, callback) => setTimeout(() => callback(value === 'bad' ? new Error('failed') : null, value, 'second'), 1);
    const promised = util.promisify(later);
    const own = Object.assign(() => {}, { [util.promisify.custom]: () => 'custom' });
    const self = { x: 5, f(callback) { callback(null, this.x); } };
    return [await promised('good'), await promised('bad').catch((error) => error.message), promised.name, promised.length, util.promisify(own)(), await util.promisify(self.f).call(self), util.promisify.custom === Symbol.for('nodejs.util.promisify.custom'), nameOf(() => util.promisify(5)), await util.promisify((callback) => callback())()];
  },
  async util_callbackify() {
    const call = (work, ...values) => new Promise((resolve) => util.callbackify(work)(...values, (error, result) => resolve([error && [error.message, error.code, error.reason], result])));
    return [await call(async (x) => x + 1, 4), await call(async () => { throw new Error('failed'); }), await call(async () => Promise.reject(null)), util.callbackify(async function named(a) {}).name, util.callbackify(async (a) => {}).length, nameOf(() => util.callbackify(5)), nameOf(() => util.callbackify(async () => {})(5))];
  },
  util_inherits() {
    function Parent() {}
    Parent.prototype.hello = () => 'hello';
    function Child() {}
    util.inherits(Child, Parent);
    return [new Child().hello(), Child.super_ === Parent, new Child() instanceof Parent, nameOf(() => util.inherits(Child, null)), nameOf(() => util.inherits(null, Parent))];
  },
  util_types() {
    const { types } = util;
    const values = { date: new Date(), regexp: /x/, map: new Map(), set: new Set(), weakMap: new WeakMap(), promise: Promise.resolve(), error: new Error(), buffer: new ArrayBuffer(1), bytes: new Uint8Array(1), view: new DataView(new ArrayBuffer(1)), async: async () => {}, generator: function* () {}, iterator: new Map().entries(), boxed: Object(1), args: (function () { return arguments; })(), plain: {}, thenable: { then() {} }, fake: { [Symbol.toStringTag]: 'Map' }, running: (function* () {})(), text: 'x', nothing: null };
    return Object.entries(values).map(([name, value]) => [name, Object.keys(types).filter((is) => is.startsWith('is') && types[is](value)).sort()]);
  },
  util_deprecate() {
    const old = util.deprecate((x) => x + 1, 'old is old', 'DEP0');
    class Old {}
    return [old(1), old(2), new (util.deprecate(Old, 'x'))() instanceof Old];
  },
  util_texts() {
    return [util.stripVTControlCharacters('\u001b[31mred\u001b[0m'), util.styleText('red', 'x'), util.styleText(['bold', 'underline'], 'x'), util.toUSVString('a\ud800b'), nameOf(() => util.styleText('nope', 'x')), nameOf(() => util.stripVTControlCharacters(5)), util.TextEncoder === TextEncoder, util.TextDecoder === TextDecoder, util.isArray([]), util._extend({ a: 1 }, { b: 2 })];
  },
  util_mime() {
    const mime = new util.MIMEType(' Text/HTML ; charset="utf-8"; q=0.5 ;q=1; bad ;x="a b" ');
    mime.params.set('y', 'z');
    return [String(mime), mime.type, mime.subtype, mime.essence, [...mime.params], mime.params.get('charset'), mime.params.has('nope'), nameOf(() => new util.MIMEType('nope'))[0], nameOf(() => new util.MIMEType('a/b c'))[0], JSON.stringify(new util.MIMEType('a/b'))];
  },
  util_debuglog() {
    const log = util.debuglog('section');
    return [typeof log, util.debug === util.debuglog];
  },
  util_parse_env() {
    return { ...util.parseEnv('A=1\nB="x y"\n# c\nexport D=\'q\'\nE = spaced # comment\nF=\n') };
  },
  async util_aborted() {
    const controller = new AbortController();
    const waiting = util.aborted(controller.signal, {});
    controller.abort();
    await waiting;
    return [await util.aborted(AbortSignal.abort(), {})];
  },
};

const assertCases = {
  assert_holds() {
    assert(true);
    assert.ok(1);
    assert.equal(1, 1);
    assert.notEqual(1, 2);
    assert.strictEqual(NaN, NaN);
    assert.deepEqual({ a: [1, '2'] }, { a: [1, '2'] });
    assert.deepStrictEqual(new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]]));
    assert.notDeepStrictEqual({ a: 1 }, { a: '1' });
    assert.match('abc', /b/);
    assert.doesNotMatch('abc', /x/);
    assert.throws(() => { throw new TypeError('bad'); }, TypeError);
    assert.throws(() => { throw new TypeError('bad'); }, /bad/);
    assert.throws(() => { throw new TypeError('bad'); }, { name: 'TypeError', message: 'bad' });
    assert.throws(() => { throw new TypeError('bad'); }, (error) => error instanceof TypeError);
    assert.doesNotThrow(() => {});
    assert.ifError(null);
    assert.partialDeepStrictEqual({ a: 1, b: 2 }, { a: 1 });
    strict.equal(1, 1);
    strict.deepEqual([1], [1]);
    return [typeof assert.strict, typeof strict.strict, typeof strict.equal];
  },
  assert_fails() {
    const fields = (work) => {
      try {
        work();
        return 'nothing thrown';
      } catch (error) {
        return [error.name, error.code, error.operator, error.expected, error instanceof assert.AssertionError];
      }
    };
    return [() => assert(0), () => assert.ok(null, 'own text'), () => assert.equal(1, 2), () => assert.strictEqual(1, '1'), () => assert.deepEqual({ a: 1 }, { a: 2 }), () => assert.deepStrictEqual({ a: 1 }, { a: '1' }), () => assert.notEqual(1, 1), () => assert.notStrictEqual(1, 1), () => assert.notDeepEqual([1], [1]), () => assert.notDeepStrictEqual([1], [1]), () => assert.fail(), () => assert.fail('text'), () => assert.match('a', /b/), () => assert.throws(() => {}), () => assert.throws(() => {}, TypeError), () => assert.partialDeepStrictEqual({ a: 1 }, { a: 2 }), () => assert.throws(() => { throw new Error('x'); }, /y/), () => assert.doesNotThrow(() => { throw new Error('x'); }), () => assert.ifError(new Error('e')), () => assert.strictEqual(1)].map(fields);
  },
  assert_messages() {
    const message = (work) => attempt(work)?.[2];
    return [() => assert.fail(), () => assert.fail('own'), () => assert.ok(false, 'own'), () => assert.throws(() => {}), () => assert.throws(() => {}, TypeError), () => assert.throws(() => {}, 'own'), () => assert.strictEqual(1, 2, 'own'), () => assert.ifError(new Error('e'))].map(message);
  },
  async assert_rejects() {
    await assert.rejects(Promise.reject(new TypeError('x')), TypeError);
    await assert.rejects(async () => { throw new Error('y'); }, /y/);
    await assert.doesNotReject(async () => {});
    const named = (promise) => promise.then(() => 'nothing', (error) => [error.name, error.code]);
    return [await named(assert.rejects(Promise.resolve())), await named(assert.doesNotReject(Promise.reject(new Error('x')))), await named(assert.rejects(() => 5)), await named(assert.rejects(Promise.reject(new Error('x')), TypeError))];
  },
  assert_errors() {
    const own = new assert.AssertionError({ actual: 1, expected: 2, operator: 'strictEqual' });
    const text = new assert.AssertionError({ message: 'text' });
    return [own.name, own.code, own.generatedMessage, own instanceof Error, text.message, text.generatedMessage, nameOf(() => new assert.AssertionError()), attempt(() => assert.fail(new RangeError('r')))[0]];
  },
};

const systemCases = {
  process_env(env) {
    process.env.SET = 5;
    process.env.NOTHING = undefined;
    const result = [process.env.SET, process.env.NOTHING, 'SET' in process.env, process.env.ABSENT, delete process.env.SET, 'SET' in process.env, nameOf(() => { process.env[Symbol('x')] = 1; }), nodeProcess === process];
    delete process.env.NOTHING;
    return result;
  },
  process_facts() {
    return [process.version.startsWith('v22.'), process.versions.node === process.version.slice(1), process.platform, process.arch, process.pid, process.ppid, process.cwd(), process.argv.length, process.execArgv, process.exitCode, process.release.name, process.umask(), process.uptime(), typeof process.title, process.getuid(), Object.prototype.toString.call(process), process.memoryUsage(), process.noDeprecation];
  },
  process_time() {
    const [seconds, nanoseconds] = process.hrtime();
    const [past] = process.hrtime([seconds, nanoseconds]);
    return [Number.isInteger(seconds), nanoseconds < 1e9, past, typeof process.hrtime.bigint(), nameOf(() => process.hrtime(5)), nameOf(() => process.hrtime([1]))];
  },
  async process_next_tick() {
    const log = [];
    process.nextTick((...values) => log.push(values), 1, 2);
    await null;
    await null;
    return log;
  },
  async process_events() {
    const log = [];
    const listener = (value) => log.push(value);
    process.on('own', listener);
    const emitted = process.emit('own', 5);
    process.off('own', listener);
    return [log, emitted, process.emit('own', 6), process instanceof EventEmitter, process.listenerCount('own'), typeof process.once];
  },
  async process_warnings() {
    const heard = new Promise((resolve) => process.once('warning', (warning) => resolve([warning.name, warning.message, warning.code])));
    process.emitWarning('careful', 'OwnWarning', 'W1');
    return [await heard, nameOf(() => process.emitWarning(5))];
  },
  process_refuses() {
    return [nameOf(() => process.setuid(1)), nameOf(() => process.binding('fs')), nameOf(() => process.chdir(5))];
  },
  modules_by_name() {
    const require = createRequire('/');
    return [process.getBuiltinModule('path') === path, process.getBuiltinModule('node:path') === path, process.getBuiltinModule('nope'), require('node:util') === util, require('events') === EventEmitter, require('buffer').Buffer === Buffer, require('process') === process, nameOf(() => require('hono')), nameOf(() => createRequire('x')), typeof createRequire('file:///x'), nodeModule.isBuiltin('node:path'), nodeModule.isBuiltin('path'), nodeModule.isBuiltin('hono'), nodeModule.builtinModules.includes('path')];
  },
  async modules_imported() {
    const [one, bare] = [await import('node:path'), await import('path')];
    return [one.default === path, bare.default === path, one.join('a', 'b'), (await import('node:assert/strict')).default === strict, (await import('node:path/posix')).default === path.posix, (await import('node:util/types')).default === util.types, (await import('node:sys')).default === util];
  },
  os_facts() {
    return [os.EOL, os.devNull, os.platform(), os.type(), os.arch(), os.endianness(), os.cpus(), os.availableParallelism(), os.freemem(), os.totalmem(), os.homedir(), os.tmpdir(), os.hostname(), os.loadavg(), os.uptime(), os.release(), os.networkInterfaces(), os.userInfo(), os.constants.signals.SIGTERM, os.constants.errno.ENOENT, os.getPriority(), Object.keys(os.constants)];
  },
  constants_all() {
    return [constants.SIGINT, constants.ENOENT, constants.O_RDONLY, constants.S_IFMT, constants.RTLD_NOW, Object.keys(constants).length];
  },
  async timers_module() {
    const log = [];
    const timer = timers.setTimeout((...values) => log.push(values), 1, 'a', 'b');
    const cleared = timers.setTimeout(() => log.push('never'), 1);
    timers.clearTimeout(cleared);
    const immediate = timers.setImmediate(() => log.push('immediate'));
    await tick(5);
    return [log, typeof timer, timer.constructor.name, timer.hasRef(), timer.ref() === timer, timer.unref() === timer, typeof timer.refresh, typeof timer[Symbol.toPrimitive](), typeof timer[Symbol.dispose], immediate.constructor.name, typeof timers.promises.setTimeout];
  },
  async timers_refresh() {
    const log = [];
    const timer = setTimeout(() => log.push('rang'), 20);
    await tick(12);
    timer.refresh();
    await tick(12);
    log.push('not yet');
    await tick(20);
    {
      using stopped = timers.setTimeout(() => log.push('never'), 1);
    }
    await tick(3);
    return log;
  },
  async timers_promises() {
    const log = [await timersPromises.setTimeout(1, 'value'), await timersPromises.setImmediate('now'), await timersPromises.scheduler.wait(1), await timersPromises.scheduler.yield()];
    for await (const value of timersPromises.setInterval(1, 'again')) if (log.push(value) > 6) break;
    const controller = new AbortController();
    const waiting = timersPromises.setTimeout(1000, 0, { signal: controller.signal });
    controller.abort(new Error('why'));
    log.push(await waiting.catch((error) => [error.name, error.code, error.message, error.cause.message]));
    log.push(await timersPromises.setTimeout(1, 0, { signal: AbortSignal.abort() }).catch((error) => error.name), await timersPromises.setTimeout(1, 0, { signal: 5 }).catch((error) => error.code), await timersPromises.setTimeout('x').catch((error) => error.code));
    return log;
  },
  diagnostics_channels() {
    const channel = diagnostics.channel('own');
    const log = [];
    const listener = (message, name) => log.push([message, name]);
    const before = channel.hasSubscribers;
    diagnostics.subscribe('own', listener);
    channel.publish({ a: 1 });
    const during = [channel.hasSubscribers, diagnostics.hasSubscribers('own')];
    diagnostics.unsubscribe('own', listener);
    channel.publish('nobody hears');
    return [before, during, channel.hasSubscribers, log, diagnostics.channel('own') === channel, diagnostics.hasSubscribers('other'), nameOf(() => channel.subscribe(5))[0]];
  },
  diagnostics_stores() {
    const channel = diagnostics.channel('stores');
    channel.bindStore(als, (message) => `from ${message}`);
    const inside = channel.runStores('m', (x) => [store(), x], undefined, 5);
    channel.unbindStore(als);
    return [inside, store(), channel.runStores('m', store) === undefined];
  },
  async diagnostics_tracing() {
    const tracing = diagnostics.tracingChannel('work');
    const log = [];
    tracing.subscribe({ start: () => log.push('start'), end: () => log.push('end'), asyncStart: () => log.push('asyncStart'), asyncEnd: () => log.push('asyncEnd'), error: ({ error }) => log.push(['error', error.message]) });
    log.push(tracing.traceSync((x) => x + 1, {}, undefined, 1));
    log.push(attempt(() => tracing.traceSync(() => { throw new Error('sync'); }))[2]);
    log.push(await tracing.tracePromise(async () => 'promised'));
    log.push(await tracing.tracePromise(async () => { throw new Error('async'); }).catch((error) => error.message));
    tracing.traceCallback((callback) => callback(null, 'called'), 0, {}, undefined, (error, result) => log.push(result));
    return [log, tracing.hasSubscribers];
  },
  console_module() {
    const lines = [];
    const stream = (write) => Object.assign(new EventEmitter(), { write });
    const own = new nodeConsole.Console({ stdout: stream((text) => lines.push(text)), stderr: stream((text) => lines.push(`! ${text}`)) });
    own.log('a %s', 'b', { c: 1 });
    own.error('bad');
    own.group('g');
    own.info('inner');
    own.groupEnd();
    own.assert(false, 'no');
    own.count();
    own.count('x');
    own.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 });
    return [lines, nodeConsole === console, nameOf(() => new nodeConsole.Console({}))];
  },
  performance_entries() {
    const mark = performance.mark('one', { detail: { a: 1 } });
    performance.mark('two', { startTime: 5 });
    const measure = performance.measure('between', { start: 5, end: 7 });
    const result = [mark.name, mark.entryType, mark.duration, mark.detail, measure.name, measure.duration, measure.startTime, performance.getEntriesByName('two').length, performance.getEntriesByType('mark').length];
    performance.clearMarks('one');
    result.push(performance.getEntriesByType('mark').length);
    performance.clearMarks();
    performance.clearMeasures();
    return [result, performance.getEntries().length, performanceHooks.performance === performance, performance.eventLoopUtilization(), typeof performance.timerify(() => {}), nameOf(() => performanceHooks.createHistogram()), nameOf(() => performanceHooks.monitorEventLoopDelay())];
  },
};

const { buffer_stored, ...bytesCases } = bufferCases;
const objectCases = { ...contextCases, buffer_stored };
const plainCases = { ...bytesCases, ...eventCases, ...pathCases, ...textCases, ...urlCases, ...utilCases, ...assertCases, ...systemCases };

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
