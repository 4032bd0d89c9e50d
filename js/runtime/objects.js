// The instances of a bundle's classes, and what runs on them.
import { context, within } from 'dotdo:context';
import { host, missing } from 'dotdo:host';
import { DurableObject } from 'dotdo:workers';
import { DurableObjectId, current, env, exported } from 'dotdo:environment';
import { DurableObjectStorage } from 'dotdo:storage';
import { requestFrom } from 'dotdo:web';
import { rpc, sockets, timers } from 'dotdo:lazy';
import { described } from 'dotdo:errors';
import { use } from 'dotdo:members';
import { owner, whenGone } from 'dotdo:operations';

/** A class of the runtime's own, which gets the head and the bytes of a request as they came. */
export class OwnObject {}

/** An object in memory, with what the runtime has of it. Most need neither sockets nor references. */
class Instance {
  #sockets;
  #references;

  constructor(number, about) {
    this.number = number;
    this.about = about;
  }

  /** Its WebSockets. */
  get sockets() {
    this.#sockets ??= new (sockets().Sockets)(this.number);
    return this.#sockets;
  }

  /** What it has given out. */
  get references() {
    this.#references ??= new (rpc().References)(this.about);
    return this.#references;
  }
}

const instances = new Map();

/** How long events may be blocked: as long as on Cloudflare. */
const BLOCK_MS_MAX = 30_000;

/** Objects that block events since this slice. */
const blocking = new Set();

/** Objects with blocks that have not begun. */
const waiting = new Set();

/** Ends the value of an object: its next event gets a new one. */
class Reset extends Error {
  constructor(cause) {
    super(String(cause?.message ?? cause ?? 'The object was reset.'));
    this.name = String(cause?.name ?? 'Error');
  }
}

class DurableObjectState {
  #instance;
  /** What blocks events, with the timer that ends it. */
  #blocks = new Map();
  /** Those that have not begun. */
  #pending = [];
  #running = 0;
  #ended = null;

  constructor(instance, id, storage) {
    this.#instance = instance;
    this.id = id;
    this.storage = storage;
    this.props = {};
  }

  acceptWebSocket(socket, tags) {
    this.#instance.sockets.accept(socket, tags);
    this.storage._keepName();
  }

  getWebSockets(tag) {
    return this.#instance.sockets.list(tag);
  }

  getTags(socket) {
    return sockets().inside.tags(socket);
  }

  setWebSocketAutoResponse(pair) {
    this.#instance.sockets.autoResponse = pair;
  }

  getWebSocketAutoResponse() {
    return this.#instance.sockets.autoResponse;
  }

  /**
   * Other events wait for the end of `work`, which begins when nothing else is left to do in the slice: the
   * constructor of a base class may call this. Of several, each begins when the one before has ended, but
   * one that is called within another begins inside of it.
   */
  blockConcurrencyWhile(work) {
    const { promise, resolve } = Promise.withResolvers();
    const frame = context.current;
    const begin = () => {
      this.#running++;
      resolve(this.#ended ? Promise.reject(this.#ended) : within(frame, async () => work(), undefined, []));
    };
    this.#pending.push({ begin, isInside: this.#running > 0 });
    const guarded = promise.catch((error) => {
      throw this._end(error);
    });
    const over = () => {
      this.#running--;
      const timer = this.#blocks.get(guarded);
      if (timer !== undefined) timers().clearTimeout(timer);
      this.#blocks.delete(guarded);
    };
    guarded.then(over, over);
    this.#blocks.set(guarded, undefined);
    blocking.add(this);
    waiting.add(this);
    return guarded;
  }

  /** Begins the next block of this object, whose slice it is; whether there is one. */
  _beginBlock() {
    if (this.#instance.number !== owner) return false;
    const at = this.#pending.findIndex(({ isInside }) => isInside || this.#running === 0);
    if (at === -1) return false;
    const [{ begin }] = this.#pending.splice(at, 1);
    if (!this.#pending.length) waiting.delete(this);
    begin();
    return true;
  }

  /** Work that an object has begun goes on without this. */
  waitUntil(work) {
    Promise.resolve(work).catch((error) => {
      host.log('error', `work of waitUntil failed: ${error?.stack ?? error}`);
    });
  }

  abort(reason) {
    throw this._end(reason ?? new Error('The object was reset by abort().'));
  }

  /** Ends the value of the object, and all its events. */
  _end(reason) {
    if (!this.#ended) {
      this.#ended = new Reset(reason);
      host.reset(this.#instance.number, JSON.stringify(described(this.#ended)));
    }
    return this.#ended;
  }

  /** Whether events wait. */
  get _isBlocked() {
    return this.#blocks.size > 0;
  }

  /** Waits until no event is blocked, and fails if the object has ended meanwhile. */
  async _settle() {
    while (this.#blocks.size) await Promise.allSettled([...this.#blocks.keys()]);
    if (this.#ended) throw this.#ended;
  }

  /** Blocks no event for ever. */
  _guardBlocks() {
    const tooLong = () => this._end(new Error('A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.'));
    for (const [block, timer] of this.#blocks) {
      if (timer === undefined) this.#blocks.set(block, timers().setTimeout(tooLong, BLOCK_MS_MAX));
    }
  }

  get exports() {
    return exported;
  }

  get container() {
    return undefined;
  }

  get facets() {
    return missing('ctx.facets');
  }

  get [Symbol.toStringTag]() {
    return 'DurableObjectState';
  }
}

for (const name of ['getWebSocketAutoResponseTimestamp', 'setHibernatableWebSocketEventTimeout', 'getHibernatableWebSocketEventTimeout']) {
  DurableObjectState.prototype[name] = () => missing(`ctx.${name}`);
}

/** These objects and requests to the worker have left memory. */
export function forget(tokens) {
  for (const token of tokens) {
    waiting.delete(instances.get(token)?.ctx);
    instances.delete(token);
    for (const forget of whenGone) forget(token);
  }
}

/** Nothing is left to do in a slice: begins the next block of its object; whether there is one. */
export const beginBlock = () => waiting.size > 0 && [...waiting].some((ctx) => ctx._beginBlock());

/** A slice has ended: what still blocks events gets a time. */
export function guardBlocks() {
  if (!blocking.size) return;
  for (const ctx of blocking) ctx._guardBlocks();
  blocking.clear();
}

/** An event of this object goes on, or of the worker. */
export function resumed(instance) {
  const object = instances.get(instance);
  if (object) current.waitUntil = (more) => object.ctx.waitUntil(more);
  current.object = object;
}

export async function make(type, name, { instance, object, named: given }) {
  const named = given ?? undefined;
  const id = new DurableObjectId(name, object, named);
  const made = new Instance(instance, { class: name, object, name: named });
  const isOwn = type.prototype instanceof OwnObject;
  const hasAlarm = typeof type.prototype?.alarm === 'function';
  const storage = new DurableObjectStorage(made, { hasAlarm, named: isOwn ? undefined : named });
  const ctx = new DurableObjectState(made, id, storage);
  current.object = made;
  const value = isOwn ? new type(ctx, env, instance) : new type(ctx, env);
  instances.set(instance, Object.assign(made, { value, ctx }));
  await ctx._settle();
}

const found = (instance) => instances.get(instance) ?? missing('an object that was forgotten', 'report this');

/** Runs `work` on an object; its end is the end of what it has begun. */
async function on(instance, work) {
  const object = found(instance);
  const { value, ctx } = object;
  current.object = object;
  current.waitUntil = (more) => ctx.waitUntil(more);
  if (ctx._isBlocked) await ctx._settle();
  let result;
  try {
    result = await work(value, object.about.class, object);
  } catch (error) {
    await ctx._settle();
    throw error;
  }
  await ctx._settle();
  return result;
}

export const fetchOn = ({ instance, request }, body) =>
  on(instance, (value, name) => {
    if (value instanceof OwnObject) return value.answer(request, body);
    if (typeof value.fetch !== 'function') throw new TypeError(`The class ${name} has no method fetch(); add one.`);
    return value.fetch(requestOf(request, body));
  });

export const socketMessageOn = ({ instance, socket, text }, body) =>
  on(instance, (value, name, { sockets }) => {
    const from = sockets.handle(socket.id, socket.attachment, socket.tags);
    if (sockets.heard(from, socket.tags, text ?? body.buffer)) return undefined;
    if (typeof value.webSocketMessage !== 'function') throw new TypeError(`The class ${name} has no method webSocketMessage(); add one.`);
    return value.webSocketMessage(from, text ?? body.buffer);
  });

export const socketEndOn = ({ instance, socket, code, reason }) =>
  on(instance, (value, _, { sockets }) => {
    const from = sockets.ended(socket.id, socket.attachment, socket.tags);
    if (sockets.gone(from, socket.tags, { code, reason })) return undefined;
    return value.webSocketClose?.(from, code, reason, code !== 1006);
  });

export const alarmOn = ({ instance, info }) => on(instance, (value) => value.alarm(info));

export const invokeOn = ({ instance, member, values }) =>
  on(instance, async (value, name, { references }) => {
    if (!(value instanceof DurableObject)) {
      throw new TypeError(`The receiving Durable Object does not support RPC, because its class was not declared with \`extends DurableObject\`. In order to enable RPC, make sure your class "${name}" extends the built-in class "DurableObject" from the module "cloudflare:workers".`);
    }
    if (member.answers) return rpc().encodeRpc(references.answer(JSON.parse(values)));
    const work = (conversation) => use(member.of === undefined ? value : references.find(member.of), member, rpc().decodeRpc(values, conversation));
    return member.calls_back ? references.converse(work) : rpc().encodeRpc(await work());
  });

export function requestOf({ method, url, headers }, body) {
  return requestFrom(url, method, headers, ['GET', 'HEAD'].includes(method) ? undefined : body);
}
