import { Hono } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { getCookie, setCookie } from 'hono/cookie';
import { cors } from 'hono/cors';
import { etag } from 'hono/etag';
import { HTTPException } from 'hono/http-exception';
import { sign, verify } from 'hono/jwt';
import { logger } from 'hono/logger';
import { secureHeaders } from 'hono/secure-headers';
import { stream, streamSSE } from 'hono/streaming';
import { validator } from 'hono/validator';
import { z } from 'zod';
import { Order, Shop } from './shop';

export { Shop };

const app = new Hono<{ Bindings: Env; Variables: { shop: DurableObjectStub<Shop> } }>();

app.use('/shops/*', cors({ origin: 'https://example.com', allowMethods: ['GET', 'POST'] }));
app.use('/shops/:shop/*', async (c, next) => {
  c.set('shop', c.env.SHOP.get(c.env.SHOP.idFromName(c.req.param('shop'))));
  await next();
  c.header('x-currency', c.env.CURRENCY);
});

app.get('/', (c) => c.text('Hello Hono!'));
app.get('/echo/:word', (c) => c.json({ word: c.req.param('word'), query: c.req.query(), all: c.req.queries('tag') ?? [] }));

app.post(
  '/shops/:shop/orders',
  validator('json', (value, c) => {
    const parsed = Order.safeParse(value);
    return parsed.success ? parsed.data : c.json({ issues: parsed.error.issues, tree: z.treeifyError(parsed.error) }, 422);
  }),
  async (c) => c.json(await c.var.shop.place(c.req.valid('json')), 201),
);
app.get('/shops/:shop/orders', async (c) => c.json(await c.var.shop.list(Number(c.req.query('limit') ?? 50))));
app.get('/shops/:shop/orders/:id', etag(), async (c) => {
  const order = await c.var.shop.get(c.req.param('id'));
  if (!order) throw new HTTPException(404, { message: 'no such order' });
  return c.json(order);
});
app.get('/shops/:shop/last', async (c) => c.json((await c.var.shop.last()) ?? null));
app.post('/shops/:shop/fill/:count', async (c) => c.json(await c.var.shop.fill(Number(c.req.param('count')))));
app.get('/shops/:shop/sums', async (c) => c.json(await c.var.shop.sums()));
app.get('/shops/:shop/fail', async (c) => c.json(await c.var.shop.fail()));

app.get('/shops/:shop/stream', (c) => streamSSE(c, async (sse) => {
  for (const { id, total } of await c.var.shop.list(3)) await sse.writeSSE({ event: 'order', id, data: JSON.stringify({ total }) });
  await sse.writeSSE({ event: 'end', data: '' });
}));
app.get('/lines', (c) => stream(c, async (out) => {
  for (const line of ['one', 'two', 'three']) {
    await out.writeln(line);
    await out.sleep(1);
  }
}));

app.use('/admin/*', logger(), basicAuth({ username: 'ada', password: 'lovelace' }));
app.get('/admin/secrets', secureHeaders(), (c) => c.html('<p>none</p>'));
app.get('/visits', (c) => {
  const visits = Number(getCookie(c, 'visits') ?? 0) + 1;
  setCookie(c, 'visits', String(visits), { httpOnly: true, sameSite: 'Lax', path: '/' });
  return c.text(String(visits));
});
app.get('/token/:name', async (c) => c.text(await sign({ name: c.req.param('name') }, 'secret of tests', 'HS256')));
app.get('/whose', async (c) => c.json(await verify(c.req.query('token') ?? '', 'secret of tests', 'HS256')));
app.post('/form', async (c) => {
  const form = await c.req.parseBody({ all: true });
  return c.json(Object.fromEntries(Object.entries(form).map(([name, value]) => [name, value instanceof File ? { name: value.name, size: value.size, type: value.type } : value])));
});
app.get('/moved', (c) => c.redirect('/?from=moved', 301));

app.notFound((c) => c.json({ error: 'not found', path: c.req.path }, 404));
app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.json({ error: error.name, message: error.message }, 500)));

export default app;
