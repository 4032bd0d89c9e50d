import { DurableObject } from 'cloudflare:workers';
import { and, avg, count, desc, eq, gt, like, placeholder, sql } from 'drizzle-orm';
import { drizzle, type DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite';
import { migrate } from 'drizzle-orm/durable-sqlite/migrator';
import migrations from '../drizzle/migrations';
import * as schema from './schema';

const { authors, books, loans } = schema;
type NewBook = { id: string; author: string; title: string; tags?: string[]; price?: number };

export class Library extends DurableObject<Env> {
  db: DrizzleSqliteDODatabase<typeof schema>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.db = drizzle(ctx.storage, { schema, logger: false });
    ctx.blockConcurrencyWhile(async () => {
      await migrate(this.db, migrations);
    });
  }

  async add({ author, ...book }: NewBook) {
    return this.db.transaction((tx) => {
      const [{ id }] = tx.insert(authors).values({ name: author }).onConflictDoUpdate({ target: authors.name, set: { name: author } }).returning({ id: authors.id }).all();
      return tx.insert(books).values({ ...book, authorId: id, addedAt: new Date(1793318400000 + 1000 * String(book.title).length) }).returning().get();
    });
  }

  async list() {
    return this.db.select({ title: books.title, author: authors.name, tags: books.tags, price: books.price, addedAt: books.addedAt })
      .from(books).innerJoin(authors, eq(books.authorId, authors.id)).orderBy(desc(books.addedAt), books.id);
  }

  async expensive(than: number) {
    const query = this.db.select().from(books).where(and(gt(books.price, placeholder('than')), like(books.title, '%e%'))).prepare();
    return query.all({ than });
  }

  async nested() {
    return this.db.query.authors.findMany({ columns: { id: false }, orderBy: authors.name, with: { books: { columns: { title: true, isLent: true }, orderBy: books.title, with: { loans: { columns: { reader: true } } } } } });
  }

  async statistics() {
    return this.db.select({ author: authors.name, books: count(books.id), price: avg(books.price), titles: sql<string>`group_concat(${books.title}, '; ')` })
      .from(authors).leftJoin(books, eq(books.authorId, authors.id)).groupBy(authors.id).orderBy(authors.name);
  }

  async lend(id: string, reader: string) {
    return this.db.transaction((tx) => {
      const found = tx.update(books).set({ isLent: true }).where(and(eq(books.id, id), eq(books.isLent, false))).returning().all();
      tx.insert(loans).values({ bookId: id, reader, cover: Buffer.from([1, 2, 255]) }).run();
      if (!found.length) tx.rollback();
      return tx.select().from(loans).all().map(({ cover, ...loan }) => ({ ...loan, cover: [...cover!] }));
    });
  }

  async remove(author: string) {
    return this.db.delete(authors).where(eq(authors.name, author)).returning();
  }

  async migrated() {
    return this.db.all(sql`SELECT id, created_at FROM __drizzle_migrations ORDER BY created_at`);
  }

  async state() {
    return { count: await this.db.$count(books), raw: await this.db.values(sql`SELECT id, is_lent, shelf, typeof(price) FROM books ORDER BY id`) };
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, name, method] = url.pathname.split('/');
    const library = env.LIBRARY.getByName(name);
    const args = request.method === 'POST' ? ((await request.json()) as unknown[]) : [];
    try {
      return Response.json((await (library as any)[method](...args)) ?? null);
    } catch (error) {
      return Response.json({ error: (error as Error).name, message: (error as Error).message }, { status: 400 });
    }
  },
} satisfies ExportedHandler<Env>;
