import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpAgent } from 'agents/mcp';
import { z } from 'zod';

/** A till: each client's session is an object, which has what it was told. */
export class Till extends McpAgent<Env, { cents: number }> {
  server = new McpServer({ name: 'Till', version: '1.0.0' });
  initialState = { cents: 0 };

  async init() {
    const inputSchema = { cents: z.number().int().positive() };
    this.server.registerTool('pay', { description: 'Puts money in', inputSchema }, async ({ cents }) => {
      this.setState({ cents: this.state.cents + cents });
      return { content: [{ type: 'text', text: `there are ${this.state.cents}` }] };
    });
    this.server.registerTool('jam', { description: 'Fails', inputSchema: {} }, async () => {
      throw new RangeError('the drawer is stuck');
    });
    this.server.registerResource('cents', 'till://cents', { mimeType: 'text/plain' }, async ({ href }) => ({
      contents: [{ uri: href, text: String(this.state.cents) }],
    }));
  }
}

export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith('/sse')) return Till.serveSSE('/sse', { binding: 'Till' }).fetch(request, env, ctx);
    if (pathname === '/mcp') return Till.serve('/mcp', { binding: 'Till' }).fetch(request, env, ctx);
    return new Response('nothing is here', { status: 404 });
  },
} satisfies ExportedHandler<Env>;
