// Entrypoints of the worker itself: what services of `env` and `ctx.exports` call. Their code runs in the
// event of who calls them; values cross as they do between objects.
import { host, missing } from 'dotdo:host';
import { decodeWith, encodeWith } from 'dotdo:clone';
import { aboutStub, bundle, current, env, exported } from 'dotdo:environment';
import { described, errorOf } from 'dotdo:errors';
import { isStream } from 'dotdo:lazy';
import { use } from 'dotdo:members';
import { memberOf, pipelined, stubOf } from 'dotdo:rpc';
import { RpcTarget } from 'dotdo:targets';
import { Headers, Request, Response } from 'dotdo:web';
import { WorkerEntrypoint } from 'dotdo:workers';

/** A value as the other side gets it: a copy, in which functions and targets are stubs. */
function crossed(value) {
  const kept = [];
  const isOurs = (one) => one instanceof Headers || one instanceof Request || one instanceof Response || isStream(one) || aboutStub(one) || stubs.has(one);
  const keep = (one) => {
    if (isOurs(one)) return { $: 'stub', v: kept.push(one) - 1 };
    if (typeof one !== 'function' && !(one instanceof RpcTarget)) return undefined;
    return { $: 'stub', v: kept.push(localStub(one)) - 1 };
  };
  const text = encodeWith(keep, value);
  return decodeWith(({ v }) => kept[v], text);
}

const stubs = new WeakSet();

/** Calls or reads a member of `target` for the other side. */
function invoked(target, { name, isField = false }, values) {
  const work = async () => {
    const given = crossed(values);
    try {
      return crossed(await use(await target, { name, is_field: isField }, given));
    } catch (error) {
      throw errorOf(described(error));
    }
  };
  return pipelined(work());
}

function localStub(target) {
  const stub = stubOf((member, values) => invoked(target, member, values));
  stubs.add(stub);
  return stub;
}

/** What an entrypoint is told of its call. */
const contextOf = (props) => {
  const { waitUntil } = current;
  return {
    props,
    exports: exported,
    waitUntil: (work) => (waitUntil ? waitUntil(work) : Promise.resolve(work).catch((error) => host.log('error', `work of waitUntil failed: ${error?.stack ?? error}`))),
    passThroughOnException() {},
  };
};

const isClass = (entry) => typeof entry === 'function' && entry.prototype instanceof WorkerEntrypoint;

async function fetched(name, props, input, init) {
  const entry = bundle.exports[name];
  const request = new Request(input, init);
  let response;
  try {
    if (isClass(entry)) {
      const called = new entry(contextOf(props), env);
      if (typeof called.fetch !== 'function') throw new Error('Handler does not export a fetch() function.');
      response = await called.fetch(request);
    } else {
      if (typeof entry?.fetch !== 'function') throw new Error('Handler does not export a fetch() function.');
      response = await entry.fetch(request, env, contextOf(props));
    }
  } catch (error) {
    throw errorOf(described(error));
  }
  if (!(response instanceof Response)) throw new TypeError(`expected a Response from the entrypoint ${name}, got ${response === null ? 'null' : typeof response}`);
  return response;
}

/** The methods that an entrypoint has for others, of which each call makes an instance. */
function targetOf(name, props) {
  const entry = bundle.exports[name];
  if (isClass(entry)) return new entry(contextOf(props), env);
  return new RpcTarget();
}

/** A stub of an entrypoint, as `env` has it. `make` makes another one of it, with other props. */
function serviceOf(name, props, make) {
  const own = {
    fetch: (input, init) => fetched(name, props, input, init),
    connect: () => missing('connect of a service'),
    constructor() {
      throw new TypeError('Illegal constructor');
    },
    [Symbol.toStringTag]: 'Fetcher',
  };
  const invokeIt = (member, values) => {
    try {
      return invoked(targetOf(name, props), member, values);
    } catch (error) {
      return pipelined(Promise.reject(errorOf(described(error))));
    }
  };
  const stub = new Proxy(make ?? own, {
    get(_, member) {
      if (Object.hasOwn(own, member)) return own[member];
      // A stub is no promise.
      if (typeof member === 'symbol' || member === 'then') return undefined;
      return memberOf((values) => invokeIt({ name: member }, values), () => invokeIt({ name: member, isField: true }, []));
    },
  });
  stubs.add(stub);
  return stub;
}

/** What a service of the configuration is. */
export const service = ({ entrypoint = 'default', props = {} }) => serviceOf(entrypoint, structuredClone(props));

/** What `ctx.exports` has of an entrypoint: a stub, and a function that makes one with props. */
export const exposed = (name) => serviceOf(name, {}, (options) => serviceOf(name, structuredClone(options?.props ?? {})));
