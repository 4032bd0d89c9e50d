// WebSockets that the worker and objects open, and pairs whose two ends code has, case by case. Below
// `/there` the worker is another server for itself.
import { DurableObject } from 'cloudflare:workers';

const UPGRADE = { headers: { upgrade: 'websocket' } };

const shown = (data) => (typeof data === 'string' ? data : `${data.constructor.name} ${[...new Uint8Array(data)]}`);

/** What comes on a socket, one after the other. */
class Heard {
  #came = [];
  #waiting = [];

  constructor(socket) {
    if (socket.binaryType !== undefined) socket.binaryType = 'arraybuffer';
    for (const type of ['open', 'message', 'close', 'error']) {
      socket.addEventListener(type, (event) => this.#take(type, event, socket));
    }
  }

  #take(type, event, socket) {
    const told = [type, socket.readyState];
    if (type === 'message') told.push(shown(event.data));
    if (type === 'close') told.push(event.code, event.reason, event.wasClean);
    const next = this.#waiting.shift();
    if (next) next(told);
    else this.#came.push(told);
  }

  next() {
    if (this.#came.length) return this.#came.shift();
    const came = new Promise((resolve) => this.#waiting.push(resolve));
    return Promise.race([came, scheduler.wait(1000).then(() => 'nothing')]);
  }

  async more(count) {
    const all = [];
    while (all.length < count) all.push(await this.next());
    return all;
  }

  /** What comes within a moment. */
  async rest() {
    await scheduler.wait(150);
    return this.#came;
  }
}

const attempt = async (work) => {
  try {
    return (await work()) ?? 'nothing';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

async function opened(target, path) {
  const response = await target.fetch(`https://example.com${path}`, UPGRADE);
  const socket = response.webSocket;
  const heard = new Heard(socket);
  return { response, socket, heard };
}

/** Waits until the object has something to tell. */
async function told(object, what) {
  for (let tries = 0; tries < 50; tries++) {
    const found = await object.told(what);
    if (found !== undefined) return found;
    await scheduler.wait(10);
  }
  return 'nothing';
}

/** What code does, in the worker and in an object, with the object `other` and another server at `there`. */
const works = {
  async opens(other) {
    const { response, socket, heard } = await opened(other, '/hibernate?opens');
    const before = [response.status, response.body, socket instanceof WebSocket, socket.readyState, socket.url, socket.protocol, socket.extensions];
    socket.accept();
    socket.send('hello');
    socket.send(new Uint8Array([1, 2, 255]));
    const came = await heard.more(3);
    socket.close(4001, 'bye');
    const closing = [socket.readyState, await attempt(() => socket.send('late')), await attempt(() => socket.close())];
    return [before, came, closing, await heard.next(), socket.readyState, await told(other, 'opens')];
  },
  async isClosedByTheObject(other) {
    const { socket, heard } = await opened(other, '/hibernate?isClosed');
    socket.accept();
    await heard.next();
    socket.send('close');
    const came = [await heard.next(), socket.readyState, await attempt(() => socket.send('late'))];
    return [came, await told(other, 'isClosed')];
  },
  async isClosedWithoutACode(other) {
    const { socket, heard } = await opened(other, '/hibernate?without');
    socket.accept();
    await heard.next();
    socket.close();
    return told(other, 'without');
  },
  async opensAListener(other) {
    const { socket, heard } = await opened(other, '/listen?listener');
    socket.accept();
    socket.send('a');
    socket.send(new Uint8Array([7]).buffer);
    const came = await heard.more(3);
    socket.close(4010, 'so long');
    return [came, await heard.next(), await told(other, 'listener')];
  },
  async aListenerCloses(other) {
    const { socket, heard } = await opened(other, '/listen?closes');
    socket.accept();
    await heard.next();
    socket.send('close');
    return [await heard.next(), await told(other, 'closes')];
  },
  async whatCameBeforeAccept(other) {
    const { socket, heard } = await opened(other, '/hibernate?before');
    await scheduler.wait(50);
    const early = await heard.rest();
    const count = early.length;
    socket.accept();
    const came = await heard.next();
    socket.close(1000);
    return [count, came];
  },
  async mistakes(other) {
    const { response, socket } = await opened(other, '/hibernate?mistakes');
    const answers = [
      await attempt(() => socket.send('too early')),
      await attempt(() => socket.close(1000)),
      await attempt(() => { socket.accept(); }),
      await attempt(() => { socket.accept(); }),
      await attempt(() => new Response(null, { status: 101, webSocket: socket }).status),
      await attempt(() => socket.close(1, 'x')),
      await attempt(() => socket.close(3000, 'x'.repeat(200))),
      await attempt(() => response.webSocket === socket),
    ];
    socket.close(1000, 'done');
    return answers;
  },
  async isRefused(other) {
    const response = await other.fetch('https://example.com/refuse', UPGRADE);
    return [response.status, response.webSocket, await response.text()];
  },
  async without(other) {
    const response = await other.fetch('https://example.com/refuse');
    return [response.status, response.webSocket];
  },
  async isPassedOn(other) {
    const { socket, heard } = await opened(other, '/pass?passed');
    socket.accept();
    socket.send('through');
    const came = await heard.more(2);
    socket.close(4020, 'end');
    return [came, await heard.next()];
  },
  async aPair() {
    const [one, two] = Object.values(new WebSocketPair());
    const [atOne, atTwo] = [new Heard(one), new Heard(two)];
    one.accept();
    one.send('early');
    const early = await atTwo.rest();
    const count = early.length;
    two.accept();
    const first = await atTwo.next();
    one.send('a');
    one.send(new Uint8Array([1, 2]));
    two.send('b');
    const came = [await atTwo.more(2), await atOne.next()];
    one.close(4001, 'enough');
    const states = [one.readyState, two.readyState, await attempt(() => one.send('late'))];
    const end = await atTwo.next();
    const after = [two.readyState, await attempt(() => two.send('late')), await attempt(() => two.close(4002, 'me too'))];
    return [count, first, came, states, end, after, await atOne.next(), one.readyState, two.readyState];
  },
  async anAnswerInAListener() {
    const [one, two] = Object.values(new WebSocketPair());
    two.accept();
    two.addEventListener('message', ({ data }) => {
      two.send(`heard ${data}`);
      if (data === 'throw') throw new Error('on purpose');
    });
    const heard = new Heard(one);
    one.accept();
    one.send('a');
    one.send('throw');
    one.send('b');
    return heard.rest();
  },
  async fetchesASocket(_, there) {
    const response = await fetch(`${there}/echo`, UPGRADE);
    const socket = response.webSocket;
    const before = [response.status, socket.readyState, response.headers.get('x-there'), response.headers.get('upgrade')];
    const heard = new Heard(socket);
    socket.accept();
    socket.send('hello');
    socket.send(new Uint8Array([3, 4]));
    const came = await heard.more(3);
    socket.close(4001, 'bye');
    return [before, came, await heard.next(), socket.readyState];
  },
  async isClosedByAServer(_, there) {
    const socket = (await fetch(`${there}/echo`, UPGRADE)).webSocket;
    const heard = new Heard(socket);
    socket.accept();
    await heard.next();
    socket.send('close');
    return [await heard.next(), socket.readyState];
  },
  async fetchIsRefused(_, there) {
    const response = await fetch(`${there}/refuse`, UPGRADE);
    return [response.status, response.webSocket, await response.text()];
  },
  async constructs(_, there) {
    const socket = new WebSocket(`${there.replace('http', 'ws')}/echo`);
    const before = [socket.readyState, socket.url.replace(/:\d+/, ''), await attempt(() => socket.send('early'))];
    const heard = new Heard(socket);
    const came = await heard.more(2);
    socket.send('hello');
    came.push(await heard.next());
    socket.close(4001, 'bye');
    return [before, came, await heard.next(), socket.protocol];
  },
    async constructsWithAProtocol(_, there) {
    const socket = new WebSocket(`${there.replace('http', 'ws')}/protocol`, ['one', 'two']);
    const heard = new Heard(socket);
    const came = await heard.more(2);
    const protocol = socket.protocol;
    socket.close(1000);
    return [came, protocol, await heard.next()];
  },
  async constructsAndIsRefused(_, there) {
    const socket = new WebSocket(`${there.replace('http', 'ws')}/refuse`);
    const heard = new Heard(socket);
    return [await heard.rest(), socket.readyState];
  },
  async cannotConstruct() {
    return [
      await attempt(() => new WebSocket('no url').url),
      await attempt(() => new WebSocket('https://example.com/').url),
      await attempt(() => new WebSocket('ws://example.com/#part').url),
      await attempt(() => new WebSocket('ws://example.com/', ['a', 'a']).url),
      await attempt(() => new WebSocket('ws://example.com/', 'no token').url),
      await attempt(() => new WebSocket()),
      await attempt(async () => (await fetch('ws://example.com/', UPGRADE)).status),
    ];
  },
  async isPassedOnFromAServer(other, there) {
    const { socket, heard } = await opened(other, `/outside?${encodeURIComponent(there)}`);
    socket.accept();
    socket.send('through');
    const came = await heard.more(2);
    socket.close(4020, 'end');
    return [came, await heard.next()];
  },
};

/** A server of WebSockets. */
function there(path, request) {
  if (request.headers.get('upgrade') !== 'websocket' || path === 'refuse') return new Response('no socket here', { status: 426 });
  const [client, server] = Object.values(new WebSocketPair());
  server.binaryType = 'arraybuffer';
  server.accept();
  server.addEventListener('message', ({ data }) => {
    if (data === 'close') server.close(4002, 'enough');
    else server.send(data);
  });
  server.send('welcome');
  const headers = { 'x-there': 'yes' };
  if (path === 'protocol') headers['sec-websocket-protocol'] = request.headers.get('sec-websocket-protocol').split(', ')[1];
  return new Response(null, { status: 101, webSocket: client, headers });
}

export class Cases extends DurableObject {
  #told = new Map();

  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const name = search.slice(1);
    if (pathname === '/pass') return this.env.CASES.getByName('passed').fetch(request.url.replace('/pass', '/hibernate'), request);
    if (pathname === '/outside') return fetch(`${decodeURIComponent(name)}/echo`, request);
    if (pathname === '/refuse') return new Response('not today', { status: 403 });
    const [client, server] = Object.values(new WebSocketPair());
    if (pathname === '/hibernate') {
      this.ctx.acceptWebSocket(server, [name]);
    } else {
      server.binaryType = 'arraybuffer';
      server.accept();
      server.addEventListener('message', ({ data }) => (data === 'close' ? server.close(4012, 'enough') : server.send(data)));
      server.addEventListener('close', ({ code, reason, wasClean }) => this.#told.set(name, [code, reason, wasClean, server.readyState]));
    }
    server.send('welcome');
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, message) {
    if (message === 'close') socket.close(4002, 'enough');
    else socket.send(message);
  }

  webSocketClose(socket, code, reason, wasClean) {
    this.#told.set(this.ctx.getTags(socket)[0], [code, reason, wasClean, socket.readyState]);
    if (code !== 1005) socket.close(code, reason);
  }

  told(what) {
    return this.#told.get(what);
  }

  run(name, there) {
    return works[name](this.env.CASES.getByName(`of-${name}`), there);
  }

  async talkToItself() {
    const { socket, heard } = await opened(this.env.CASES.get(this.ctx.id), '/listen?itself');
    socket.accept();
    socket.send('a');
    return heard.more(2);
  }
}

const cases = {};
for (const [name, work] of Object.entries(works)) {
  cases[`worker_${name}`] = (env, there) => work(env.CASES.getByName(`worker-${name}`), there);
  cases[`object_${name}`] = (env, there) => env.CASES.getByName(`object-${name}`).run(name, there);
}
cases.object_talksToItself = (env) => env.CASES.getByName('itself').talkToItself();

export default {
  async fetch(request, env) {
    const { origin, pathname } = new URL(request.url);
    const [, first, second] = pathname.split('/');
    if (first === 'there') return there(second, request);
    if (first === 'names') return Response.json(Object.keys(cases));
    if (!cases[first]) return new Response(`no case: ${first}`, { status: 404 });
    try {
      const never = scheduler.wait(5000).then(() => 'it does not end');
      return Response.json({ value: await Promise.race([cases[first](env, `${origin}/there`), never]) });
    } catch (error) {
      return Response.json({ error: error.name, message: error.message });
    }
  },
};
