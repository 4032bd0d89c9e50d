// A chat: rooms with names or secret ids, whose clients say who they are in their first message; what was
// said last is told to who comes, and who says too much has to wait.
import HTML from './chat.html';

async function handleErrors(request, func) {
  try {
    return await func();
  } catch (error) {
    if (request.headers.get('Upgrade') !== 'websocket') return new Response(String(error), { status: 500 });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.send(JSON.stringify({ error: String(error) }));
    server.close(1011, 'Uncaught exception during session setup');
    return new Response(null, { status: 101, webSocket: client });
  }
}

export default {
  async fetch(request, env) {
    return handleErrors(request, async () => {
      const [first, ...path] = new URL(request.url).pathname.slice(1).split('/');
      switch (first) {
        case '': return new Response(HTML, { headers: { 'Content-Type': 'text/html;charset=UTF-8' } });
        case 'api': return handleApiRequest(path, request, env);
        default: return new Response('Not found', { status: 404 });
      }
    });
  },
};

async function handleApiRequest([first, name, ...path], request, env) {
  if (first !== 'room') return new Response('Not found', { status: 404 });
  if (!name) {
    if (request.method !== 'POST') return new Response('Method not allowed', { status: 405 });
    return new Response(env.rooms.newUniqueId().toString(), { headers: { 'Access-Control-Allow-Origin': '*' } });
  }
  let id;
  if (name.match(/^[0-9a-f]{64}$/)) id = env.rooms.idFromString(name);
  else if (name.length <= 32) id = env.rooms.idFromName(name);
  else return new Response('Name too long', { status: 404 });
  const url = new URL(request.url);
  url.pathname = `/${path.join('/')}`;
  return env.rooms.get(id).fetch(url, request);
}

export class ChatRoom {
  constructor(state, env) {
    this.state = state;
    this.storage = state.storage;
    this.env = env;
    this.sessions = new Map();
    for (const webSocket of this.state.getWebSockets()) {
      const meta = webSocket.deserializeAttachment();
      const limiterId = this.env.limiters.idFromString(meta.limiterId);
      const limiter = new RateLimiterClient(() => this.env.limiters.get(limiterId), (error) => webSocket.close(1011, error.stack));
      this.sessions.set(webSocket, { ...meta, limiter, blockedMessages: [] });
    }
    this.lastTimestamp = 0;
  }

  async fetch(request) {
    return handleErrors(request, async () => {
      if (new URL(request.url).pathname !== '/websocket') return new Response('Not found', { status: 404 });
      if (request.headers.get('Upgrade') !== 'websocket') return new Response('expected websocket', { status: 400 });
      const [client, server] = Object.values(new WebSocketPair());
      await this.handleSession(server, request.headers.get('CF-Connecting-IP') ?? 'local');
      return new Response(null, { status: 101, webSocket: client });
    });
  }

  async handleSession(webSocket, ip) {
    this.state.acceptWebSocket(webSocket);
    const limiterId = this.env.limiters.idFromName(ip);
    const limiter = new RateLimiterClient(() => this.env.limiters.get(limiterId), (error) => webSocket.close(1011, error.stack));
    const session = { limiterId, limiter, blockedMessages: [] };
    webSocket.serializeAttachment({ ...webSocket.deserializeAttachment(), limiterId: limiterId.toString() });
    this.sessions.set(webSocket, session);
    for (const other of this.sessions.values()) if (other.name) session.blockedMessages.push(JSON.stringify({ joined: other.name }));
    const backlog = [...(await this.storage.list({ reverse: true, limit: 5 })).values()];
    session.blockedMessages.push(...backlog.reverse());
  }

  async webSocketMessage(webSocket, text) {
    try {
      const session = this.sessions.get(webSocket);
      if (session.quit) return webSocket.close(1011, 'WebSocket broken.');
      if (!session.limiter.checkLimit()) return webSocket.send(JSON.stringify({ error: 'Your IP is being rate-limited, please try again later.' }));
      let data = JSON.parse(text);
      if (!session.name) {
        session.name = String(data.name || 'anonymous');
        webSocket.serializeAttachment({ ...webSocket.deserializeAttachment(), name: session.name });
        if (session.name.length > 32) {
          webSocket.send(JSON.stringify({ error: 'Name too long.' }));
          return webSocket.close(1009, 'Name too long.');
        }
        for (const queued of session.blockedMessages) webSocket.send(queued);
        delete session.blockedMessages;
        this.broadcast({ joined: session.name });
        return webSocket.send(JSON.stringify({ ready: true }));
      }
      data = { name: session.name, message: String(data.message) };
      if (data.message.length > 256) return webSocket.send(JSON.stringify({ error: 'Message too long.' }));
      data.timestamp = Math.max(Date.now(), this.lastTimestamp + 1);
      this.lastTimestamp = data.timestamp;
      const told = JSON.stringify(data);
      this.broadcast(told);
      await this.storage.put(new Date(data.timestamp).toISOString(), told);
    } catch (error) {
      webSocket.send(JSON.stringify({ error: String(error.name) }));
    }
  }

  async closeOrErrorHandler(webSocket) {
    const session = this.sessions.get(webSocket) ?? {};
    session.quit = true;
    this.sessions.delete(webSocket);
    if (session.name) this.broadcast({ quit: session.name });
  }

  async webSocketClose(webSocket) {
    await this.closeOrErrorHandler(webSocket);
  }

  async webSocketError(webSocket) {
    await this.closeOrErrorHandler(webSocket);
  }

  broadcast(message) {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    const quitters = [];
    this.sessions.forEach((session, webSocket) => {
      if (!session.name) return session.blockedMessages.push(text);
      try {
        webSocket.send(text);
      } catch {
        session.quit = true;
        quitters.push(session);
        this.sessions.delete(webSocket);
      }
    });
    for (const { name } of quitters) if (name) this.broadcast({ quit: name });
  }
}

export class RateLimiter {
  constructor() {
    this.nextAllowedTime = 0;
  }

  async fetch(request) {
    return handleErrors(request, async () => {
      const now = Date.now() / 1000;
      this.nextAllowedTime = Math.max(now, this.nextAllowedTime);
      if (request.method === 'POST') this.nextAllowedTime += 5;
      // Thirty seconds of grace.
      return new Response(Math.max(0, this.nextAllowedTime - now - 30));
    });
  }
}

class RateLimiterClient {
  constructor(getLimiterStub, reportError) {
    this.getLimiterStub = getLimiterStub;
    this.reportError = reportError;
    this.limiter = getLimiterStub();
    this.inCooldown = false;
  }

  checkLimit() {
    if (this.inCooldown) return false;
    this.inCooldown = true;
    this.callLimiter();
    return true;
  }

  async callLimiter() {
    try {
      let response;
      try {
        response = await this.limiter.fetch('https://dummy-url', { method: 'POST' });
      } catch {
        this.limiter = this.getLimiterStub();
        response = await this.limiter.fetch('https://dummy-url', { method: 'POST' });
      }
      const cooldown = Number(await response.text());
      await new Promise((resolve) => setTimeout(resolve, cooldown * 1000));
      this.inCooldown = false;
    } catch (error) {
      this.reportError(error);
    }
  }
}
