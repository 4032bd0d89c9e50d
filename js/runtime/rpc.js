// What goes by reference between objects: functions, and objects of `RpcTarget`. Whoever gets one has a
// stub, whose calls are calls of the object that has given it out.
import { binary, bytesOf, host } from 'dotdo:host';
import { decodeWith, encodeWith } from 'dotdo:clone';
import { aboutStub, call, current, stubTo } from 'dotdo:environment';
import { isStream, streams } from 'dotdo:lazy';
import { Headers, Request, Response } from 'dotdo:web';
import { pairsOf } from 'dotdo:web/headers';
import { Conversation, Given, newToken } from 'dotdo:callbacks';
import { nextOperation } from 'dotdo:operations';
import { RpcPromise, RpcStub, RpcTarget } from 'dotdo:targets';

/** How long an object stays in memory for what it has given out last. */
const KEEP_MS = 60_000;

/** Which object each stub stands for, and by which token it knows what is meant. */
const stubs = new WeakMap();

/** What an instance has given out. It is there as long as the instance is. */
export class References {
  #about;
  #targets = new Map();
  #tokens = new Map();
  #kept;
  #conversations = new Map();

  /** `about`: the object, for calls to it. */
  constructor(about) {
    this.#about = about;
  }

  give(target) {
    let token = this.#tokens.get(target);
    if (token === undefined) {
      token = newToken();
      this.#tokens.set(target, token);
      this.#targets.set(token, target);
    }
    if (this.#kept !== undefined) host.cancel(this.#kept);
    this.#kept = nextOperation();
    host.timer(this.#kept, KEEP_MS);
    return { ...this.#about, of: token };
  }

  find(token) {
    const target = this.#targets.get(token);
    if (target === undefined) throw new Error('the stub is of an object that was made anew since; ask it for another stub');
    return target;
  }

  /** The response of a method that may call back what the worker has given to it. */
  converse(work) {
    const conversation = new Conversation();
    this.#conversations.set(conversation.token, conversation);
    return conversation.response(() => work(conversation), encodeRpc, () => this.#conversations.delete(conversation.token));
  }

  /** The answer to what was called back. */
  answer({ conversation, ...answer }) {
    this.#conversations.get(conversation)?.answer(answer, decodeRpc);
  }
}

/** Values with bodies that `reference` has met, and what stands for those whose bodies were read. */
let withBodies;
let bodiesRead;

/** What the worker gives to the call whose arguments are encoded. */
let given;

/** What the worker has given to the call whose arguments are decoded. */
let conversation;

/** What stands for a value that goes by reference, or has a body. */
function reference(value) {
  if (value instanceof Headers) return { $: 'headers', v: [...value] };
  if (value instanceof Response || value instanceof Request || isStream(value)) {
    withBodies.add(value);
    return bodiesRead?.get(value) ?? { $: 'undefined' };
  }
  const known = stubs.get(value);
  if (known) return { $: 'stub', v: known };
  const object = aboutStub(value);
  if (object) return { $: 'durable', v: object };
  if (typeof value !== 'function' && !(value instanceof RpcTarget)) return undefined;
  if (given) return given.give(value);
  if (!current.object) throw new DOMException('The worker can pass functions and RpcTargets as arguments of calls only.', 'DataCloneError');
  return { $: 'stub', v: current.object.references.give(value) };
}

function dereference({ $: kind, v: about }) {
  switch (kind) {
    case 'durable':
      return stubTo(about);
    case 'callback':
      return callbackOf(conversation, about);
    case 'headers':
      return new Headers(about);
    case 'stream':
      return streams().streamOf(bytesOf(atob(about)));
    case 'request':
    case 'response': {
      const { url, body, ...init } = about;
      const bytes = body === null ? {} : { body: bytesOf(atob(body)) };
      return kind === 'request' ? new Request(url, { ...init, ...bytes }) : new Response(bytes.body ?? null, init);
    }
  }
  return stubOf((member, values) => invoke(about, member, values), about);
}

/** What stands for a value with a body, which is read for it. */
async function read(value) {
  const bytes = isStream(value) ? await streams().readAll(value) : value._isEmpty ? null : await value.bytes();
  const body = bytes && btoa(binary(bytes));
  if (isStream(value)) return { $: 'stream', v: body };
  const { headers, status, statusText, url, method, redirect } = value;
  if (value instanceof Request) return { $: 'request', v: { url, method, redirect, headers: pairsOf(headers), body } };
  if (value.webSocket) throw new DOMException('A response with a WebSocket goes by fetch() only.', 'DataCloneError');
  return { $: 'response', v: { status, statusText, headers: pairsOf(headers), body } };
}

/** Values of a call, or its result, as text; a promise of it if there are bodies to be read. `by` takes what the worker gives. */
export function encodeRpc(value, by) {
  const encodeNow = (read) => {
    [withBodies, bodiesRead, given] = [new Set(), read, by];
    try {
      return encodeWith(reference, value);
    } finally {
      bodiesRead = given = undefined;
    }
  };
  const text = encodeNow();
  if (!withBodies.size) return text;
  return Promise.all([...withBodies].map(async (one) => [one, await read(one)])).then((pairs) => encodeNow(new Map(pairs)));
}

/** The values of such a text. `by` calls back what the worker has given. */
export function decodeRpc(text, by) {
  conversation = by;
  try {
    return decodeWith(dereference, text);
  } finally {
    conversation = undefined;
  }
}

/** Goes on with a text that is there, or will be. */
const withText = (text, work) => (typeof text === 'string' ? work(text) : text.then(work));

/** What the worker has given to a method. */
function callbackOf(conversation, of) {
  const invokeIt = ({ name, isField = false }, values) =>
    pipelined(withText(encodeRpc(values), (text) => conversation.call(of, { name, is_field: isField }, text)));
  return stubOf(invokeIt);
}

/** A member of an object, or of what it has given out. */
export function invoke(about, { name, isField = false }, values) {
  const { of, ...object } = about;
  const rpc = { name, of, is_field: isField };
  const given = current.object ? undefined : new Given();
  return pipelined(withText(encodeRpc(values, given), (text) => {
    if (!given || given.isEmpty) return call({ ...object, rpc, values: text }, null);
    const answer = (values) => call({ ...object, rpc: { name: '', answers: true }, values }, null);
    const response = call({ ...object, rpc: { ...rpc, calls_back: true }, values: text }, null);
    return response.then((response) => given.finish(response, answer, { decode: decodeRpc, encode: encodeRpc }));
  }));
}

const NOT_MEMBERS = ['then', 'catch', 'finally'];

/** Members of what a promise will be, which are asked for when it is there. */
export function pipelined(promise) {
  return new Proxy(promise, {
    get(target, member) {
      if (typeof member === 'symbol' || NOT_MEMBERS.includes(member)) {
        const value = target[member];
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return memberOf(
        (values) => pipelined(target.then((value) => value[member](...values))),
        () => target.then((value) => value[member]),
      );
    },
    getPrototypeOf: () => RpcPromise.prototype,
  });
}

/** A member: a method to call, the promise of a field, and what has members itself. */
export function memberOf(called, read) {
  const method = (...values) => {
    try {
      return called(values);
    } catch (error) {
      return Promise.reject(error);
    }
  };
  const field = async () => read();
  return new Proxy(method, {
    get(_, member) {
      if (member === 'then') return (resolve, reject) => field().then(resolve, reject);
      return typeof member === 'symbol' ? undefined : pipelined(field())[member];
    },
  });
}

/** A stub, whose members `invokeIt` calls and reads. `about`: how other objects find what it stands for. */
export function stubOf(invokeIt, about) {
  const nothing = () => {};
  const stub = new Proxy(nothing, {
    apply: (_, __, values) => invokeIt({ name: '' }, values),
    get(_, member) {
      if (member === Symbol.dispose || member === Symbol.asyncDispose) return nothing;
      if (member === 'dup') return () => stub;
      // A stub is no promise.
      if (typeof member === 'symbol' || member === 'then') return undefined;
      return memberOf((values) => invokeIt({ name: member }, values), () => invokeIt({ name: member, isField: true }, []));
    },
    getPrototypeOf: () => RpcStub.prototype,
  });
  if (about) stubs.set(stub, about);
  return stub;
}
