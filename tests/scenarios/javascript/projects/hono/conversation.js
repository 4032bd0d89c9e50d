const order = { id: 'a-1', customer: { name: 'Ada', email: 'ada@example.com' }, lines: [{ sku: 'tea', count: 2, price: 4.5 }], at: '2026-11-01T10:00:00Z' };

export default async function (world, tell) {
  const headers = async (path, names, init) => {
    const answer = await fetch(world.url + path, init);
    return [answer.status, await answer.text(), ...names.map((name) => answer.headers.get(name))];
  };
  tell('text', await world.ask('/'));
  tell('json', await world.ask('/echo/caf%C3%A9?a=1&b=x%20y&tag=one&tag=two'));
  tell('nothing there', await world.ask('/nowhere'));
  tell('no order yet', await world.ask('/shops/s/last'));
  tell('an order', await world.ask('/shops/s/orders', { json: order }));
  tell('the same order, changed', await world.ask('/shops/s/orders', { json: { ...order, lines: [...order.lines, { sku: 'cup', count: 1, price: 12 }] } }));
  const wrong = { empty: {}, id: { ...order, id: 'A 1' }, email: { ...order, customer: { name: '', email: 'ada' } }, lines: { ...order, lines: [] }, count: { ...order, lines: [{ sku: 1, count: 1.5, price: -1 }] }, at: { ...order, at: 'today' }, list: [1] };
  for (const [name, json] of Object.entries(wrong)) tell(`refused: ${name}`, await world.ask('/shops/s/orders', { json }));
  tell('no JSON', await world.ask('/shops/s/orders', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }));
  tell('not even said to be', await world.ask('/shops/s/orders', { method: 'POST', body: 'x=1' }));
  tell('read', await world.ask('/shops/s/orders/a-1'));
  tell('absent', await world.ask('/shops/s/orders/b-1'));
  const [status, , tag] = await headers('/shops/s/orders/a-1', ['etag']);
  tell('tag', [status, tag]);
  tell('not changed', await headers('/shops/s/orders/a-1', ['etag', 'x-currency'], { headers: { 'if-none-match': tag } }));
  tell('filled', await world.ask('/shops/s/fill/300', { method: 'POST' }));
  tell('listed', await world.ask('/shops/s/orders?limit=7'));
  tell('sums', await world.ask('/shops/s/sums'));
  tell('an error of the object', await world.ask('/shops/s/fail'));
  tell('events', await world.ask('/shops/s/stream'));
  tell('lines', await world.ask('/lines'));
  // Preflights are dotdo's own.
  tell('preflight', await headers('/shops/s/orders', ['access-control-allow-origin'], { method: 'OPTIONS', headers: { origin: 'https://example.com', 'access-control-request-method': 'POST' } }));
  tell('from another site', await headers('/shops/s/last', ['access-control-allow-origin', 'x-currency'], { headers: { origin: 'https://example.com' } }));
  tell('stranger', await headers('/admin/secrets', ['www-authenticate']));
  tell('admin', await headers('/admin/secrets', ['content-type', 'x-frame-options', 'strict-transport-security', 'referrer-policy'], { headers: { authorization: `Basic ${btoa('ada:lovelace')}` } }));
  tell('cookie', await headers('/visits', ['set-cookie'], { headers: { cookie: 'visits=41; other=x' } }));
  const { body: token } = await world.ask('/token/ada');
  tell('token', token);
  tell('verified', await world.ask(`/whose?token=${token}`));
  tell('forged', await world.ask(`/whose?token=${token}x`));
  const form = new FormData();
  form.append('name', 'Ada');
  form.append('tag', 'one');
  form.append('tag', 'two');
  form.append('file', new Blob(['hello'], { type: 'text/plain' }), 'hello.txt');
  tell('form', await world.ask('/form', { method: 'POST', body: form }));
  tell('moved', await headers('/moved', ['location'], { redirect: 'manual' }));
  tell('head', await headers('/', ['content-type'], { method: 'HEAD' }));
  await world.restart();
  tell('after a kill', await world.ask('/shops/s/orders/a-1'));
  tell('last after a kill', await world.ask('/shops/s/last'));
  tell('another shop', await world.ask('/shops/other/orders'));
}
