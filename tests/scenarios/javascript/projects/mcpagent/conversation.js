import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

export default async function (world, tell) {
  const ways = { http: [StreamableHTTPClientTransport, '/mcp'], events: [SSEClientTransport, '/sse'] };
  const join = async ([Transport, path]) => {
    const client = new Client({ name: 'test', version: '1.0.0' });
    await client.connect(new Transport(new URL(world.url + path)));
    return client;
  };
  const call = (client, name, args) => client.callTool({ name, arguments: args }).catch((error) => ({ name: error.name, message: error.message }));
  const cents = (client) => client.readResource({ uri: 'till://cents' });
  tell('elsewhere', await world.ask('/'));
  tell('without a session', await world.ask('/mcp', { headers: { accept: 'application/json, text/event-stream' }, json: { jsonrpc: '2.0', id: 1, method: 'tools/list' } }));
  const clients = {};
  for (const [name, way] of Object.entries(ways)) {
    const client = await join(way);
    clients[name] = client;
    tell(`${name}: server`, [client.getServerVersion(), client.getServerCapabilities()]);
    tell(`${name}: tools`, await client.listTools());
    tell(`${name}: paid`, await call(client, 'pay', { cents: 5 }));
    tell(`${name}: paid again`, await call(client, 'pay', { cents: 7 }));
    tell(`${name}: wrong`, await call(client, 'pay', { cents: -1 }));
    tell(`${name}: failed`, await call(client, 'jam', {}));
    tell(`${name}: absent`, await call(client, 'absent', {}));
    tell(`${name}: resources`, [await client.listResources(), await cents(client)]);
  }
  const other = await join(ways.http);
  tell('another session', await cents(other));
  await world.restart();
  tell('after a kill', [await call(clients.http, 'pay', { cents: 30 }), await cents(clients.http)]);
  await Promise.all([...Object.values(clients), other].map((one) => one.close()));
}
