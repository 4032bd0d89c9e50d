import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

export default async function (world, tell) {
  const join = async () => {
    const client = new Client({ name: 'test', version: '1.0.0' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.url}/mcp`)));
    return client;
  };
  const call = (client, name, args) => client.callTool({ name, arguments: args }).catch((error) => ({ name: error.name, message: error.message }));
  tell('elsewhere', await world.ask('/'));
  tell('not for browsers', await world.ask('/mcp'));
  const headers = { accept: 'application/json, text/event-stream' };
  tell('raw', await world.ask('/mcp', { headers, json: { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '0' } } } }));
  tell('no JSON', await world.ask('/mcp', { method: 'POST', body: '{', headers: { ...headers, 'content-type': 'application/json' } }));
  const client = await join();
  tell('server', [client.getServerVersion(), client.getServerCapabilities()]);
  tell('tools', await client.listTools());
  tell('added', await call(client, 'addNote', { whose: 'ada', note: 'tea' }));
  tell('added again', await call(client, 'addNote', { whose: 'ada', note: 'cake' }));
  tell('notes', await call(client, 'notes', { whose: 'ada' }));
  tell('wrong', await call(client, 'addNote', { whose: '' }));
  tell('failed', await call(client, 'fails', {}));
  tell('absent', await call(client, 'absent', {}));
  tell('prompts', [await client.listPrompts(), await client.getPrompt({ name: 'summarize', arguments: { words: '5' } })]);
  tell('resources', [await client.listResources(), await client.readResource({ uri: 'notes://about' })]);
  await world.restart();
  const again = await join();
  tell('notes after a kill', await call(again, 'notes', { whose: 'ada' }));
  await Promise.all([client, again].map((one) => one.close()));
}
