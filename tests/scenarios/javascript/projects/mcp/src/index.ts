import { env } from 'cloudflare:workers';
import { McpServer } from '@modelcontextprotocol/server';
import { Agent, getAgentByName } from 'agents';
import { createMcpHandler } from 'agents/mcp/server';
import { z } from 'zod';

export class Notes extends Agent<Env, { notes: string[] }> {
  initialState = { notes: [] };

  add(note: string) {
    this.setState({ notes: [...this.state.notes, note] });
    return this.state.notes.length;
  }

  all() {
    return this.state.notes;
  }
}

function createServer() {
  const server = new McpServer({ name: 'Notes', version: '1.0.0' });
  const text = (what: unknown) => ({ content: [{ type: 'text' as const, text: typeof what === 'string' ? what : JSON.stringify(what) }] });
  server.registerTool(
    'addNote',
    { title: 'Add a note', description: 'Adds a note to somebody\'s', inputSchema: z.object({ whose: z.string().min(1), note: z.string().max(100) }) },
    async ({ whose, note }) => {
      const notes = await getAgentByName<Env, Notes>(env.Notes, whose);
      return text(`${whose} has ${await notes.add(note)} notes`);
    },
  );
  server.registerTool(
    'notes',
    { description: 'All notes', inputSchema: z.object({ whose: z.string() }), outputSchema: z.object({ notes: z.array(z.string()) }) },
    async ({ whose }) => {
      const notes = await (await getAgentByName<Env, Notes>(env.Notes, whose)).all();
      return { ...text(notes), structuredContent: { notes } };
    },
  );
  server.registerTool('fails', { description: 'Fails', inputSchema: z.object({}) }, async () => {
    throw new RangeError('no notes today');
  });
  server.registerPrompt('summarize', { description: 'A summary', argsSchema: z.object({ words: z.string() }) }, ({ words }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Summarize in ${words} words.` } }],
  }));
  server.registerResource('about', 'notes://about', { mimeType: 'text/plain' }, async ({ href }) => ({ contents: [{ uri: href, text: 'Notes of everybody.' }] }));
  return server;
}

const handler = createMcpHandler(createServer);

export default {
  fetch(request, _, ctx) {
    return handler(request, env, ctx);
  },
} satisfies ExportedHandler<Env>;
