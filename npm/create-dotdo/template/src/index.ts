import { DurableObject } from 'cloudflare:workers';

export interface Env {
  COUNTER: DurableObjectNamespace<Counter>;
}

/** Counts; there is one for each name. Its state is in its own SQLite database. */
export class Counter extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)');
  }

  async visit(): Promise<number> {
    this.ctx.storage.sql.exec('INSERT INTO visits (at) VALUES (?)', Date.now());
    return this.count();
  }

  async count(): Promise<number> {
    return this.ctx.storage.sql.exec<{ count: number }>('SELECT count(*) AS count FROM visits').one().count;
  }
}

/** What clients reach: a POST visits the counter of the path, a GET reads it. */
export default {
  async fetch(request, env): Promise<Response> {
    const name = new URL(request.url).pathname;
    const counter = env.COUNTER.getByName(name);
    const count = request.method === 'POST' ? await counter.visit() : await counter.count();
    return Response.json({ name, count });
  },
} satisfies ExportedHandler<Env>;
