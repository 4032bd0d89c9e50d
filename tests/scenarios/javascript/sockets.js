// A room that tells what it sees of its WebSockets; `sockets.json` has what clients do with it.
import { DurableObject } from 'cloudflare:workers';

const attempt = (work) => {
  try {
    const value = work();
    return value === undefined ? 'undefined' : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

export class Room extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    if (request.headers.get('upgrade') === 'websocket' && url.pathname !== '/listen') {
      const pair = new WebSocketPair();
      if (url.searchParams.has('later')) await scheduler.wait(5);
      this.ctx.acceptWebSocket(pair[1], url.searchParams.getAll('tag'));
      if (url.searchParams.has('later')) {
        pair[1].serializeAttachment({ name: 'late' });
        pair[1].send(`there are ${this.ctx.getWebSockets('late').length} of us`);
        await scheduler.wait(5);
        pair[1].send(`and I am ${pair[1].deserializeAttachment().name} ${this.ctx.getTags(pair[1])}`);
      }
      if (url.searchParams.has('greet')) pair[1].send('greetings');
      return new Response(null, { status: 101, webSocket: pair[0] });
    }
    switch (url.pathname) {
      case '/listen': {
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        let heard = 0;
        server.addEventListener('message', async ({ data }) => {
          heard++;
          if (data === 'close') return server.close(4002, 'enough');
          await scheduler.wait(1);
          server.send(`${heard}: ${typeof data === 'string' ? data : `${data.constructor.name} ${data.byteLength ?? data.size}`}`);
        });
        server.addEventListener('close', ({ type, code, reason, wasClean }) => {
          this.closed = [type, code, reason, wasClean];
          server.close();
        });
        server.send('listening');
        return new Response(null, { status: 101, webSocket: client });
      }
      case '/closed': return Response.json(this.closed ?? null);
      case '/note':
        await this.ctx.storage.put('noted', JSON.parse(url.searchParams.get('what')));
        return new Response();
      case '/noted': return Response.json((await this.ctx.storage.get('noted')) ?? null);
      case '/left': return Response.json((await this.ctx.storage.get('left')) ?? []);
      case '/kept': return Response.json((await this.ctx.storage.get('kept')) ?? null);
      case '/count': return Response.json(this.ctx.getWebSockets().length);
      case '/auto':
        this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
        return Response.json([this.ctx.getWebSocketAutoResponse().request, this.ctx.getWebSocketAutoResponse().response]);
      case '/no-auto':
        this.ctx.setWebSocketAutoResponse();
        return Response.json(this.ctx.getWebSocketAutoResponse());
      case '/errors': return Response.json(this.errors());
    }
    return new Response('not found', { status: 404 });
  }

  errors() {
    const [client, server] = Object.values(new WebSocketPair());
    return {
      keys: Object.keys(new WebSocketPair()),
      names: [server.constructor.name, Object.prototype.toString.call(server), server instanceof WebSocket],
      constants: [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.READY_STATE_OPEN],
      fields: [server.url, server.protocol, server.extensions],
      status: attempt(() => new Response(null, { webSocket: client }).status),
      noSocket: attempt(() => new Response(null, { status: 101 }).status),
      send: attempt(() => new WebSocketPair()[1].send('x')),
      reason: attempt(() => server.close(undefined, 'why')),
      code: attempt(() => server.close(999)),
      reserved: attempt(() => server.close(1005)),
      noPair: attempt(() => this.ctx.acceptWebSocket('socket')).split(':')[0],
      none: this.ctx.getWebSocketAutoResponse(),
      response: new Response(null, { status: 101, webSocket: client }).webSocket === client,
    };
  }

  async webSocketMessage(socket, message) {
    if (typeof message !== 'string') {
      return socket.send(`${Object.prototype.toString.call(message)} ${[...new Uint8Array(message)]}`);
    }
    const [what, ...rest] = message.split(' ');
    switch (what) {
      case 'tags': return socket.send(JSON.stringify(this.ctx.getTags(socket)));
      case 'with': return socket.send(String(this.ctx.getWebSockets(rest[0]).length));
      case 'same': return socket.send(String(this.ctx.getWebSockets().includes(socket)));
      case 'state': return socket.send(String(socket.readyState));
      case 'attachment': return socket.send(JSON.stringify(socket.deserializeAttachment()));
      case 'attach': {
        const value = { text: rest[0], list: [1, 2] };
        socket.serializeAttachment(value);
        value.text = 'changed later';
        return socket.send(JSON.stringify(socket.deserializeAttachment()));
      }
      case 'fresh': return socket.send(String(socket.deserializeAttachment() !== socket.deserializeAttachment()));
      case 'date':
        socket.serializeAttachment(new Date(86_400_000));
        return socket.send(socket.deserializeAttachment().toISOString());
      case 'large': return socket.send(attempt(() => socket.serializeAttachment('x'.repeat(20_000))).split(':')[0]);
      case 'function': return socket.send(attempt(() => socket.serializeAttachment(() => {})).split(':')[0]);
      case 'bytes': return socket.send(new Uint8Array([104, 105]).buffer);
      case 'number': return socket.send(42);
      case 'all':
        for (const each of this.ctx.getWebSockets()) each.send(rest.join(' '));
        return;
      case 'close': {
        socket.close(4001, 'as asked');
        await this.ctx.storage.put('kept', [socket.readyState, attempt(() => socket.send('late')), attempt(() => socket.close(1000)), this.ctx.getWebSockets().includes(socket)]);
        return;
      }
      case 'throw':
        await this.ctx.storage.put('kept', 'before the exception');
        throw new Error('on purpose');
    }
    socket.send(`heard ${message}`);
  }

  async webSocketClose(socket, code, reason, wasClean) {
    const left = (await this.ctx.storage.get('left')) ?? [];
    left.push([code, reason, wasClean, socket.deserializeAttachment()]);
    await this.ctx.storage.put('left', left);
  }
}

const told = ({ data }) => (typeof data === 'string' ? data : new Uint8Array(data));

/** A socket that the worker accepts itself, at once or after its response. */
async function front(server, room, { isLate }) {
  if (isLate) await scheduler.wait(50);
  server.binaryType = 'arraybuffer';
  server.accept();
  server.send(isLate ? 'late' : 'welcome');
  server.addEventListener('message', (event) => {
    const what = told(event);
    if (what === 'close') server.close(4005, 'front');
    else if (what === 'state') server.send(String(server.readyState));
    else server.send(typeof what === 'string' ? `front: ${what}` : what);
  });
  server.addEventListener('close', async ({ code, reason, wasClean }) => {
    const what = JSON.stringify([code, reason, wasClean, server.readyState]);
    await room.fetch(`https://example.com/note?what=${encodeURIComponent(what)}`);
  });
}

/** The worker passes on between a client and an object. */
async function proxy(request, room) {
  const url = new URL(request.url);
  const { webSocket: upstream } = await room.fetch(`https://example.com/${url.search}`, { headers: { upgrade: 'websocket' } });
  const [client, server] = Object.values(new WebSocketPair());
  for (const [from, to] of [[server, upstream], [upstream, server]]) {
    from.binaryType = 'arraybuffer';
    from.accept();
    from.addEventListener('message', (event) => to.send(told(event)));
    from.addEventListener('close', ({ code, reason }) => to.close(code, reason));
  }
  return new Response(null, { status: 101, webSocket: client, headers: { 'x-by': 'proxy' } });
}

export default {
  fetch(request, env, ctx) {
    const room = env.ROOM.getByName('room');
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/proxy') return proxy(request, room);
    if (pathname !== '/front') return room.fetch(request);
    const [client, server] = Object.values(new WebSocketPair());
    ctx.waitUntil(front(server, room, { isLate: searchParams.has('late') }));
    return new Response(null, { status: 101, webSocket: client });
  },
};
