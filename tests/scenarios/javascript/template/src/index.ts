import { DurableObject } from 'cloudflare:workers';

/** Greets, and remembers whom. */
export class MyDurableObject extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS greeted (n INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)');
  }

  async sayHello(name: string): Promise<string> {
    this.ctx.storage.sql.exec('INSERT INTO greeted (name) VALUES (?)', name);
    return `Hello, ${name}!`;
  }

  async greeted(): Promise<string[]> {
    return this.ctx.storage.sql.exec<{ name: string }>('SELECT name FROM greeted ORDER BY n').toArray().map(({ name }) => name);
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const stub = env.MY_DURABLE_OBJECT.getByName(pathname);
    const name = searchParams.get('name');
    return name === null ? Response.json(await stub.greeted()) : new Response(await stub.sayHello(name));
  },
} satisfies ExportedHandler<Env>;
