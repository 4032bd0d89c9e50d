// Entrypoints of a worker, called by the worker and an object through services and `ctx.exports`, case by
// case.
import { DurableObject, exports, RpcTarget, WorkerEntrypoint } from 'cloudflare:workers';

class Tally extends RpcTarget {
  #sum = 0;
  add(by) { return (this.#sum += by); }
}

export class Named extends WorkerEntrypoint {
  count = 0;
  add(a, b) { return a + b; }
  next() { return ++this.count; }
  get kind() { return 'a getter'; }
  fail() { throw new RangeError('on purpose'); }
  async failLater() { throw Object.assign(new Error('later'), { more: 1 }); }
  props() { return this.ctx.props; }
  names() { return [this.env.GREETING, typeof this.env.CASES, typeof this.ctx.waitUntil]; }
  values(value) { return [value instanceof Date, value]; }
  adder(by) { return (value) => value + by; }
  tally() { return new Tally(); }
  async call(back) { return `called ${await back('me')}`; }
  same(value) { value.changed = true; return value; }
  read(request) { return request.text(); }
  answer(text) { return new Response(text, { status: 201, headers: { 'x-by': 'named' } }); }
  async fetch(request) {
    if (request.headers.get('upgrade') === 'websocket') {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener('message', ({ data }) => server.send(`named: ${data}`));
      return new Response(null, { status: 101, webSocket: client });
    }
    if (request.url.endsWith('/throw')) throw new TypeError('in fetch');
    return Response.json([request.method, new URL(request.url).pathname, await request.text(), this.ctx.props], { status: 202 });
  }
}

export class WithoutFetch extends WorkerEntrypoint {
  hello() { return 'hello'; }
}

export const Plain = {
  fetch(request, env, ctx) { return Response.json(['plain', new URL(request.url).pathname, env.GREETING, typeof ctx.waitUntil, ctx.props ?? null]); },
};

const attempt = async (work) => {
  try {
    return (await work()) ?? 'nothing';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

/** What the worker does, and an object. */
const works = {
  adds: (env) => env.NAMED.add(1, 2),
  reads: (env) => env.NAMED.kind,
  isNewEachTime: async (env) => [await env.NAMED.next(), await env.NAMED.next()],
  readsItsOwn: (env) => attempt(() => env.NAMED.count),
  fails: (env) => attempt(() => env.NAMED.fail()),
  failsLater: (env) => attempt(() => env.NAMED.failLater()),
  hasNot: (env) => attempt(() => env.NAMED.nothing()),
  hasNoConstructor: (env) => attempt(() => env.NAMED.constructor()),
  props: (env) => env.NAMED.props(),
  noProps: (env) => env.WITHOUT_FETCH.hello(),
  names: (env) => env.NAMED.names(),
  values: async (env) => {
    const [isDate, value] = await env.NAMED.values(new Date(86_400_000));
    return [isDate, value.toISOString()];
  },
  refuses: (env) => attempt(() => env.NAMED.values(Symbol('x'))),
  copies: async (env) => {
    const value = { a: 1 };
    const other = await env.NAMED.same(value);
    return [value, other, other === value];
  },
  functions: async (env) => (await env.NAMED.adder(3))(4),
  pipelines: (env) => env.NAMED.tally().add(2),
  targets: async (env) => {
    const tally = await env.NAMED.tally();
    return [await tally.add(1), await tally.add(2)];
  },
  callsBack: (env) => env.NAMED.call((who) => `back by ${who}`),
  requests: (env) => env.NAMED.read(new Request('https://example.com/', { method: 'POST', body: 'a body' })),
  responses: async (env) => {
    const response = await env.NAMED.answer('created');
    return [response instanceof Response, response.status, response.headers.get('x-by'), await response.text()];
  },
  fetches: async (env) => {
    const response = await env.NAMED.fetch('https://example.com/path', { method: 'PUT', body: 'sent' });
    return [response.status, await response.json()];
  },
  fetchFails: (env) => attempt(() => env.NAMED.fetch('https://example.com/throw')),
  fetchesItself: async (env) => (await env.SELF.fetch('https://example.com/itself')).text(),
  fetchesAnObject: async (env) => (await env.PLAIN.fetch('https://example.com/x')).json(),
  fetchesNothing: (env) => attempt(() => env.WITHOUT_FETCH.fetch('https://example.com/x')),
  opensASocket: async (env) => {
    const { status, webSocket } = await env.NAMED.fetch('https://example.com/', { headers: { upgrade: 'websocket' } });
    const heard = new Promise((resolve) => webSocket.addEventListener('message', ({ data }) => resolve(data)));
    webSocket.accept();
    webSocket.send('hello');
    return [status, await heard];
  },
  exported: async (_, ctx) => [Object.keys(ctx.exports).sort(), await ctx.exports.Named.add(3, 4), Object.keys(exports).sort()],
  exportedWithProps: async (_, ctx) => [await ctx.exports.Named.props(), await ctx.exports.Named({ props: { a: [1] } }).props()],
  exportedFetch: async (_, ctx) => (await ctx.exports.Named({ props: { b: 2 } }).fetch('https://example.com/e')).json(),
  exportedDefault: async (_, ctx) => (await ctx.exports.default.fetch('https://example.com/itself')).text(),
  exportedClass: async (_, ctx) => ctx.exports.Cases.getByName('exported').hello(),
};

export class Cases extends DurableObject {
  hello() { return 'hello'; }
  run(name) { return works[name](this.env, this.ctx); }
}

const cases = {};
for (const [name, work] of Object.entries(works)) {
  cases[`worker_${name}`] = (env, ctx) => work(env, ctx);
  cases[`object_${name}`] = (env) => env.CASES.getByName('object').run(name);
}

export default {
  async fetch(request, env, ctx) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === 'itself') return new Response('it is me');
    if (name === 'names') return Response.json(Object.keys(cases));
    if (!cases[name]) return new Response(`no case: ${name}`, { status: 404 });
    try {
      return Response.json({ value: await cases[name](env, ctx) });
    } catch (error) {
      return Response.json({ error: error.name, message: error.message });
    }
  },
};
