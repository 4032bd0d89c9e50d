import { getServerByName, routePartykitRequest, Server, type Connection, type ConnectionContext, type WSMessage } from 'partyserver';

type Seat = { name: string; said: number };

export class ChatRoom extends Server<Env> {
  static options = { hibernate: true };
  starts = 0;

  async onStart() {
    this.starts = ((await this.ctx.storage.get<number>('starts')) ?? 0) + 1;
    this.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS said (n INTEGER PRIMARY KEY, who TEXT, what TEXT)');
    await this.ctx.storage.put('starts', this.starts);
  }

  getConnectionTags(_: Connection, { request }: ConnectionContext) {
    return [new URL(request.url).searchParams.get('role') ?? 'guest'];
  }

  onConnect(connection: Connection<Seat>, { request }: ConnectionContext) {
    const name = new URL(request.url).searchParams.get('name') ?? 'nobody';
    if (name === 'troll') return connection.close(4403, 'no trolls');
    connection.setState({ name, said: 0 });
    connection.send(JSON.stringify({ welcome: name, room: this.name, id: connection.id, tags: connection.tags }));
    this.broadcast(JSON.stringify({ joined: name }), [connection.id]);
  }

  onMessage(connection: Connection<Seat>, message: WSMessage) {
    if (typeof message !== 'string') return connection.send(new Uint8Array(message as ArrayBuffer).reverse());
    const seat = connection.setState(({ name, said }: Seat) => ({ name, said: said + 1 }))!;
    this.ctx.storage.sql.exec('INSERT INTO said (who, what) VALUES (?, ?)', seat.name, message);
    if (message === 'fail') throw new Error('of the room');
    if (message === 'who') {
      const of = (tag?: string) => [...this.getConnections<Seat>(tag)].map(({ state }) => state!.name).sort();
      return connection.send(JSON.stringify({ all: of(), moderators: of('moderator'), mine: this.getConnection(connection.id) === undefined }));
    }
    this.broadcast(JSON.stringify({ ...seat, message, in: this.ctx.id.name }));
  }

  onClose(connection: Connection<Seat>, code: number, reason: string, wasClean: boolean) {
    if (connection.state) this.broadcast(JSON.stringify({ left: connection.state.name, code, reason, wasClean }), [connection.id]);
  }

  onError(_: Connection, error: unknown) {
    console.log('a connection failed', error);
  }

  async onRequest(request: Request) {
    if (request.method === 'POST') {
      await this.ctx.storage.setAlarm(Date.now() + 50);
      return Response.json({ room: this.name, will: 'ring' });
    }
    return Response.json({ said: this.ctx.storage.sql.exec('SELECT who, what FROM said ORDER BY n').raw().toArray(), rung: (await this.ctx.storage.get('rung')) ?? [] });
  }

  async onAlarm() {
    await this.ctx.storage.put('rung', [...((await this.ctx.storage.get<string[]>('rung')) ?? []), this.name]);
    this.broadcast(JSON.stringify({ ringing: this.name, in: this.ctx.id.name }));
  }

  async keys() {
    return [[...(await this.ctx.storage.list()).keys()], [...(await this.ctx.storage.list({ limit: 1, reverse: true })).keys()]];
  }

  count() {
    return [...this.getConnections()].length;
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/count/')) {
      const room = await getServerByName<Env, ChatRoom>(env.ChatRoom, url.pathname.slice(7));
      return Response.json(await room.count());
    }
    if (url.pathname.startsWith('/keys/')) return Response.json(await env.ChatRoom.getByName(url.pathname.slice(6)).keys());
    const answer = await routePartykitRequest(request, env, {
      onBeforeConnect: (asked) => (new URL(asked.url).searchParams.get('name') === 'stranger' ? new Response('no strangers', { status: 401 }) : undefined),
      onBeforeRequest: (asked) => new Request(asked, { headers: { 'x-before': 'yes' } }),
    });
    return answer ?? new Response('Not Found', { status: 404 });
  },
} satisfies ExportedHandler<Env>;
