// Where Rust enters: each event runs until nothing is left to do, and says how it ended.
import { context } from 'dotdo:context';
import { binary, host } from 'dotdo:host';
import { install } from 'dotdo:globals';
import { Response } from 'dotdo:web';
import { pairsOf } from 'dotdo:web/headers';
import { DurableObject, WorkerEntrypoint } from 'dotdo:workers';
import { answered, bind, bundle, configure, current, env, exported as exposed, expose, fetch } from 'dotdo:environment';
import { described } from 'dotdo:errors';
import { alarmOn, beginBlock, fetchOn, forget, guardBlocks, invokeOn, make, requestOf, resumed, socketEndOn, socketMessageOn } from 'dotdo:objects';
import { bindings, bodies, isStream, sockets, timers } from 'dotdo:lazy';
import { enter, whenSliceEnds } from 'dotdo:operations';
import { endTransactions } from 'dotdo:storage';

const { parse, stringify } = JSON;
const SENT = ['fetch', 'scheduled', 'queue'];
const NEVER_SENT = ['email', 'tail', 'trace', 'test'];

install({ fetch });

/** What a bundle exports. */
function describe(exported) {
  bundle.exports = exported;
  const classes = Object.entries(exported)
    .filter(([name, value]) => name !== 'default' && typeof value === 'function' && value.prototype instanceof DurableObject)
    .map(([name]) => name);
  bind(classes);
  const isEntrypoint = ([name, value]) => name === 'default' || value?.prototype instanceof WorkerEntrypoint || (typeof value === 'object' && typeof value?.fetch === 'function');
  const entrypoints = Object.entries(exported).filter(isEntrypoint).map(([name]) => name);
  expose(entrypoints);
  const front = typeof exported.default === 'function' ? exported.default.prototype : exported.default;
  const isHandler = (name) => typeof front?.[name] === 'function';
  // A router that is a proxy has whatever it is asked for (itty-router).
  const handlers = [...SENT.filter(isHandler), ...NEVER_SENT.filter((name) => isHandler(name) && name in front)];
  const functions = Object.keys(exported).filter((name) => typeof exported[name] === 'function');
  return stringify({ classes, functions, handlers, entrypoints });
}

export { configure, describe };

/** Tells Rust how an event has ended, once `work` has. */
function settle(event, work) {
  new Promise((resolve) => resolve(work())).then(
    ([head, body]) => {
      if (typeof body === 'string') host.settle(event, stringify(head), undefined, body);
      else host.settle(event, stringify(head), body === null || body === undefined ? undefined : binary(body));
    },
    (error) => host.settle(event, stringify({ error: described(error) }), undefined),
  );
}

async function whole(response, what, event) {
  if (!(response instanceof Response)) throw new TypeError(`expected a Response from ${what}, got ${response === null ? 'null' : typeof response}`);
  const head = { status: response.status, headers: pairsOf(response.headers) };
  if (response.webSocket !== null) return [{ ...head, ...sockets().inside.respond(response.webSocket, event) }, null];
  const body = response._send();
  if (!isStream(body)) return [head, body];
  const [more, bytes] = await bodies().send(body);
  return [{ ...head, ...more }, bytes];
}

async function front(event, body) {
  const work = [];
  const ctx = {
    props: {},
    exports: exposed,
    waitUntil(more) {
      work.push(Promise.resolve(more).catch((error) => host.log('error', `work of waitUntil failed: ${error?.stack ?? error}`)));
    },
    passThroughOnException() {},
  };
  current.waitUntil = ctx.waitUntil;
  const request = requestOf(event.request, body);
  const entry = bundle.exports.default;
  const response = typeof entry === 'function' && entry.prototype instanceof WorkerEntrypoint
    ? await new entry(ctx, env).fetch(request)
    : await entry.fetch(request, env, ctx);
  return whole(response, 'the worker');
}

/** A class of the bundle, or one of ours. */
const typeOf = (name) => (name.startsWith('dotdo_') ? bindings().classOf(name) : bundle.exports[name]);

export function dispatch(text, body) {
  const event = parse(text);
  context.current = undefined;
  forget(event.gone ?? []);
  // A request to the worker has one number in all its events, and an object one in memory.
  enter(event.instance ?? event.event);
  current.waitUntil = null;
  current.object = undefined;
  switch (event.type) {
    case 'make':
      return settle(event.event, async () => {
        await make(typeOf(event.class), event.class, event);
        return [{}];
      });
    case 'fetch':
      return settle(event.event, async () => whole(await fetchOn(event, body), `${event.class}.fetch`, event.event));
    case 'rpc':
      return settle(event.event, async () => {
        const result = await invokeOn(event);
        return result instanceof Response ? whole(result) : [{ text: result }];
      });
    case 'alarm':
      return settle(event.event, async () => {
        await alarmOn(event);
        return [{}];
      });
    case 'message':
      return settle(event.event, async () => {
        await socketMessageOn(event, body);
        return [{}];
      });
    case 'closed':
      return settle(event.event, async () => {
        await socketEndOn(event);
        return [{}];
      });
    case 'front':
      return settle(event.event, () => front(event, body));
    case 'answer':
      resumed(event.instance);
      return answered(event, body);
    case 'timer':
      resumed(event.instance);
      return timers().ring(event.operation);
  }
}

/** Promises that were rejected and that nobody has handled, when an event has run. */
const rejected = new Map();

export function rejection(promise, reason, isHandled) {
  if (isHandled) rejected.delete(promise);
  else rejected.set(promise, reason);
}

/** Nothing is left to do; whether something was begun. */
export function endSlice() {
  if (beginBlock()) return true;
  whenSliceEnds.forEach((work) => work());
  endTransactions();
  guardBlocks();
  if (!rejected.size) return false;
  for (const reason of rejected.values()) {
    host.log('error', `a rejected promise was not handled: ${reason?.stack ? `${reason}\n${reason.stack}` : String(reason)}`.toWellFormed());
  }
  rejected.clear();
  return false;
}
