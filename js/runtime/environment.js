// What a bundle is configured with (`env`), and the namespaces of its classes.
import { binary, host, missing } from 'dotdo:host';
import { errorOf } from 'dotdo:errors';
import { bindings, bodies, entrypoints, events, rpc, sockets } from 'dotdo:lazy';
import { answerOf, cancel, takeWaiting } from 'dotdo:operations';
import { Request, Response, responseFrom } from 'dotdo:web';
import { pairsOf } from 'dotdo:web/headers';

export const env = {};

/** The event that code runs for, and the object that it is of; the worker is none. */
export const current = { waitUntil: null, object: undefined };

export function waitUntilOfEvent(work) {
  if (current.waitUntil) current.waitUntil(work);
  else Promise.resolve(work).catch((error) => host.log('error', `work of waitUntil failed: ${error?.stack ?? error}`));
}

export class DurableObjectId {
  #hex;
  #type;
  #name;

  constructor(type, hex, name) {
    this.#type = type;
    this.#hex = hex;
    this.#name = name;
  }

  get name() {
    return this.#name;
  }

  toString() {
    return this.#hex;
  }

  equals(other) {
    return other instanceof DurableObjectId && other.#hex === this.#hex && other.#type === this.#type;
  }

  get [Symbol.toStringTag]() {
    return 'DurableObjectId';
  }
}

/** Sends a call to an object, whose answer comes as an event of its own. */
export function call(about, body) {
  return answerOf((id) => host.call(id, JSON.stringify(about), body === null ? undefined : binary(body)));
}

/** Takes the answer of a call. */
export function answered({ call, error, status, headers, text, socket, frame, url, redirected, streams, piece }, body) {
  const waiting = takeWaiting(call);
  if (!waiting) return;
  if (error) waiting.reject(errorOf(error));
  else if (piece) waiting.resolve(body ?? null);
  else if (frame) waiting.resolve(frame === 'binary' ? { bytes: body } : frame);
  else if (text !== undefined) waiting.resolve(rpc().decodeRpc(text));
  else if (socket !== undefined) waiting.resolve(new Response(null, { status, headers, webSocket: sockets().inside.answered(socket) }));
  else waiting.resolve(responseOf({ status, headers, url, redirected }, streams ? bodies().streamFrom(call) : body));
}

function responseOf({ status, headers, url, redirected }, body) {
  // Without text to decode, a body has no content type of its own.
  const response = responseFrom(status, headers, body);
  if (url !== undefined) {
    Object.defineProperty(response, 'url', { value: url });
    Object.defineProperty(response, 'redirected', { value: redirected });
  }
  return response;
}

/** Sends a request to another server, when what was written before is in the bucket. */
export async function fetch(input, init) {
  const request = new Request(input, init);
  const upgrade = request.headers.get('upgrade')?.toLowerCase();
  if (upgrade && upgrade !== 'websocket') missing(`fetch with Upgrade: ${upgrade}`);
  if (/^wss?:/.test(request.url)) throw new TypeError(`Fetch API cannot load: ${request.url}`);
  const body = request._isEmpty ? null : await request.bytes();
  const { url, method, redirect, signal } = request;
  signal.throwIfAborted();
  const about = { url, method, headers: pairsOf(request.headers), follows: redirect === 'follow', upgrades: Boolean(upgrade) };
  let operation;
  const begin = (id) => {
    operation = id;
    host.fetch(id, JSON.stringify(about), body === null ? undefined : binary(body));
  };
  const response = await events().orAborted(signal, answerOf(begin), () => cancel(operation));
  if (redirect === 'error' && [301, 302, 303, 307, 308].includes(response.status)) throw new TypeError('Unexpected redirect; the request has redirect: "error".');
  return response;
}

class DurableObjectStub {
  #type;
  #id;

  constructor(type, id) {
    this.#type = type;
    this.#id = id;
  }

  get id() {
    return this.#id;
  }

  get name() {
    return this.#id.name;
  }

  #about(more) {
    return { class: this.#type, object: this.#id.toString(), name: this.#id.name, ...more };
  }

  async fetch(input, init) {
    const isWhole = init === undefined && input instanceof Request && input._isEmpty;
    const request = isWhole ? input : new Request(input, init);
    const body = request._isEmpty ? null : await request.bytes();
    const about = { url: request.url, method: request.method, headers: pairsOf(request.headers) };
    return call(this.#about(about), body);
  }

  connect() {
    missing('stub.connect');
  }

  /** The object, for calls to it. */
  static about(stub) {
    return stub.#about();
  }

  get [Symbol.toStringTag]() {
    return 'DurableObject';
  }
}

/** Which object each stub stands for. */
const stubs = new WeakMap();

/** The object that a stub stands for, if it is one. */
export const aboutStub = (value) => stubs.get(value);

/** The stub of an object that another one has. */
export const stubTo = ({ class: type, object, name }) => stubOf(type, new DurableObjectId(type, object, name));

/** A stub, whose further members are those of the object. */
function stubOf(type, id) {
  const own = new DurableObjectStub(type, id);
  const about = DurableObjectStub.about(own);
  const stub = new Proxy(own, {
    get(target, member) {
      if (typeof member === 'symbol' || member in target) {
        const value = target[member];
        return typeof value === 'function' ? value.bind(target) : value;
      }
      // A stub is no promise.
      if (member === 'then') return undefined;
      return rpc().memberOf((values) => rpc().invoke(about, { name: member }, values), () => rpc().invoke(about, { name: member, isField: true }, []));
    },
  });
  stubs.set(stub, about);
  return stub;
}

export class DurableObjectNamespace {
  #type;

  constructor(type) {
    this.#type = type;
  }

  idFromName(name) {
    return new DurableObjectId(this.#type, host.idOfName(this.#type, String(name).toWellFormed()), String(name));
  }

  idFromString(text) {
    const hex = String(text);
    if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError('Invalid Durable Object ID: must be 64 hex digits');
    if (!host.idIsOf(this.#type, hex)) throw new TypeError('Durable Object ID is not valid for this namespace.');
    return new DurableObjectId(this.#type, hex);
  }

  newUniqueId(options) {
    if (options?.jurisdiction) missing('a jurisdiction', 'choose the region of the bucket');
    return new DurableObjectId(this.#type, host.idUnique(this.#type));
  }

  get(id) {
    if (!(id instanceof DurableObjectId)) throw new TypeError('expected a DurableObjectId; idFromName makes one');
    if (!host.idIsOf(this.#type, id.toString())) throw new TypeError('Durable Object ID is not valid for this namespace.');
    return stubOf(this.#type, id);
  }

  getByName(name) {
    return stubOf(this.#type, this.idFromName(name));
  }

  jurisdiction() {
    return missing('a jurisdiction', 'choose the region of the bucket');
  }

  get [Symbol.toStringTag]() {
    return 'DurableObjectNamespace';
  }
}

/** The files in front of the worker. */
class Assets {
  async fetch(input, init) {
    const { url, method, headers, redirect } = new Request(input, init);
    const ask = (url) => answerOf((id) => host.asset(id, JSON.stringify({ url, method, headers: pairsOf(headers) })));
    const response = await ask(url);
    // A page has one other path at most.
    return response.status === 307 && redirect === 'follow' ? ask(new URL(response.headers.get('location'), url).href) : response;
  }

  get [Symbol.toStringTag]() {
    return 'Fetcher';
  }
}

/** What `exports` has: the namespaces of the classes that the bundle exports and its entrypoints, by their names. */
export const exported = {};

/** Entrypoints of the bundle, which are made when somebody asks for them. */
export function expose(names) {
  for (const name of names) {
    Object.defineProperty(exported, name, {
      get() {
        const value = entrypoints().exposed(name);
        Object.defineProperty(exported, name, { value, enumerable: true });
        return value;
      },
      enumerable: true,
      configurable: true,
    });
  }
}

let bound = null;

/** What bindings and their objects are configured with. */
export let settings = {};

/** What the worker exports, once it is loaded. */
export const bundle = { exports: undefined };

/** Fills `env` from the configuration. */
export function configure({ vars, classes, assets, services, bindings: others }) {
  Object.assign(env, vars);
  for (const [name, service] of Object.entries(services)) env[name] = entrypoints().service(service);
  if (assets) env[assets] = new Assets();
  bound = classes;
  if (others) {
    settings = others;
    bindings().bind(env, settings);
  }
  for (const [name, type] of Object.entries(classes ?? {})) env[name] = new DurableObjectNamespace(type);
}

/** Without a configuration every class has a binding: that of ChatRoom is CHAT_ROOM. */
export function bind(types) {
  for (const type of types) exported[type] = new DurableObjectNamespace(type);
  if (bound) return;
  for (const type of types) {
    env[type.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '_').toUpperCase()] = new DurableObjectNamespace(type);
  }
}
