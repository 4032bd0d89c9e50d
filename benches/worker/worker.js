// The class of `src/app.rs`, as far as it is compared: `/{id}/create` (the first write) and
// `/{id}/value` (a read), through the worker.
import { DurableObject } from 'cloudflare:workers';

export class Measured extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)');
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, type TEXT NOT NULL, data TEXT NOT NULL)');
  }

  fetch(request) {
    const { sql } = this.ctx.storage;
    if (request.url.endsWith('/create')) {
      sql.exec('INSERT OR IGNORE INTO counter VALUES (1, 0)');
      return new Response('0');
    }
    return new Response(String(sql.exec('SELECT value FROM counter').one().value));
  }
}

export default {
  fetch(request, env) {
    const [, id] = new URL(request.url).pathname.split('/');
    return env.MEASURED.getByName(id).fetch(request);
  },
};
