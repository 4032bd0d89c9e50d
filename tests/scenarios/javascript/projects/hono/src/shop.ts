import { DurableObject } from 'cloudflare:workers';
import { z } from 'zod';

export const Order = z.object({
  id: z.string().regex(/^[a-z0-9-]{1,40}$/),
  customer: z.object({ name: z.string().min(1), email: z.email().optional() }),
  lines: z.array(z.object({ sku: z.string(), count: z.int().positive(), price: z.number().nonnegative() })).min(1),
  at: z.iso.datetime().optional(),
  note: z.string().trim().max(200).default(''),
});
export type Order = z.infer<typeof Order>;

type Row = { id: string; customer: string; total: number; body: string };

export class Shop extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      ctx.storage.sql.exec(`
        CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, total REAL NOT NULL, body TEXT NOT NULL);
        CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer);
      `);
    });
  }

  async place(order: Order) {
    const total = order.lines.reduce((sum, { count, price }) => sum + count * price, 0);
    const { rowsWritten } = this.ctx.storage.sql.exec(
      'INSERT INTO orders VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, total = excluded.total, body = excluded.body',
      order.id, order.customer.name, total, JSON.stringify(order),
    );
    await this.ctx.storage.put('last', { id: order.id, total });
    return { id: order.id, total, isWritten: rowsWritten > 0 };
  }

  last() {
    return this.ctx.storage.get<{ id: string; total: number }>('last');
  }

  list(limit: number) {
    return this.ctx.storage.sql.exec<Row>('SELECT id, customer, total FROM orders ORDER BY id LIMIT ?', limit).toArray();
  }

  get(id: string): Order | undefined {
    const [row] = this.ctx.storage.sql.exec<Row>('SELECT body FROM orders WHERE id = ?', id).toArray();
    return row && JSON.parse(row.body);
  }

  fill(count: number) {
    this.ctx.storage.transactionSync(() => {
      for (let n = 0; n < count; n++) this.ctx.storage.sql.exec('INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)', `bulk-${String(n).padStart(5, '0')}`, `c${n % 7}`, n / 4, '{}');
    });
    return this.ctx.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM orders').one().n;
  }

  /** What each customer has ordered, summed up here. */
  sums() {
    const sums = new Map<string, { orders: number; total: number; max: number }>();
    for (const { customer, total } of this.ctx.storage.sql.exec<Row>('SELECT * FROM orders')) {
      const sum = sums.get(customer) ?? { orders: 0, total: 0, max: 0 };
      sums.set(customer, { orders: sum.orders + 1, total: sum.total + total, max: Math.max(sum.max, total) });
    }
    return Object.fromEntries([...sums].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  fail(): never {
    throw new RangeError('sold out');
  }
}
