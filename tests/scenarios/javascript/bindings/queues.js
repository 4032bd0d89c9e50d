import { all, bytes } from './shown.js';

/** What the consumer of a case does is part of what it was sent. */
export async function heard(batch, env) {
  const told = [];
  for (const message of batch.messages) {
    const { body, attempts } = message;
    told.push([batch.queue, body instanceof ArrayBuffer || ArrayBuffer.isView(body) ? [body.constructor.name, ...new Uint8Array(body)] : body instanceof Map ? ['Map', ...body] : body, attempts, typeof message.id, message.timestamp instanceof Date]);
    const name = body?.of ?? (body instanceof Map ? body.get('of') : body instanceof ArrayBuffer || ArrayBuffer.isView(body) ? 'bytes' : 'text');
    const key = `queue/${name}`;
    await env.KV.put(key, JSON.stringify([...((await env.KV.get(key, 'json')) ?? []), told.at(-1)]));
    if (body?.then === 'retry' && attempts < 2) message.retry();
    if (body?.then === 'retry later' && attempts < 2) message.retry({ delaySeconds: 1 });
    if (body?.then === 'ack, retry') {
      message.ack();
      message.retry();
    }
    if (body?.then === 'size') await env.KV.put(`queue/${name} size`, String(batch.messages.length));
    if (body?.then === 'send' && attempts === 1) await env.QUEUE.send({ of: name, then: 'nothing', by: 'the consumer' });
  }
  const last = batch.messages.at(-1).body;
  if (last?.then === 'retryAll' && batch.messages.some(({ attempts }) => attempts === 1)) batch.retryAll();
  if (last?.then === 'ackAll, throw') batch.ackAll();
  if (last?.then?.includes?.('throw') && batch.queue !== 'dead') throw new Error('as asked');
}

/** Waits until the consumer has heard so many messages of a case, which have come in any order. */
async function hears({ KV }, name, count) {
  for (let tries = 0; tries < 200; tries++) {
    const told = (await KV.get(`queue/${name}`, 'json')) ?? [];
    if (told.length >= count) return told.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    await scheduler.wait(100);
  }
  return KV.get(`queue/${name}`, 'json');
}

export const queueCases = {
  kind: ({ QUEUE }) => [Object.prototype.toString.call(QUEUE), typeof QUEUE.send, typeof QUEUE.sendBatch],
  async json(env) {
    await env.QUEUE.send({ of: 'json', a: [1, null, 'ä'] });
    return hears(env, 'json', 1);
  },
  async text(env) {
    await env.QUEUE.send('plain text', { contentType: 'text' });
    return hears(env, 'text', 1);
  },
  async bytes(env) {
    await env.QUEUE.send(bytes(1, 2, 255), { contentType: 'bytes' });
    return hears(env, 'bytes', 1);
  },
  async v8(env) {
    await env.QUEUE.send(new Map([['of', 'v8'], ['n', 7]]), { contentType: 'v8' });
    return hears(env, 'v8', 1);
  },
  async batch(env) {
    await env.QUEUE.sendBatch([{ body: { of: 'batch', n: 1 } }, { body: { of: 'batch', n: 2 }, contentType: 'json' }, { body: { of: 'batch', n: 3 }, delaySeconds: 1 }]);
    return hears(env, 'batch', 3);
  },
  async full_batch(env) {
    await env.QUEUE.sendBatch([1, 2, 3].map((n) => ({ body: { of: 'full', n, then: 'size' } })));
    const told = await hears(env, 'full', 3);
    return [told, await env.KV.get('queue/full size')];
  },
  async iterable(env) {
    await env.QUEUE.sendBatch(new Set([{ body: { of: 'iterable' } }]));
    return hears(env, 'iterable', 1);
  },
  async retried(env) {
    await env.QUEUE.send({ of: 'retried', then: 'retry' });
    return hears(env, 'retried', 2);
  },
  async retried_later(env) {
    await env.QUEUE.send({ of: 'later', then: 'retry later' });
    return hears(env, 'later', 2);
  },
  async first_call_counts(env) {
    await env.QUEUE.send({ of: 'first call', then: 'ack, retry' });
    await hears(env, 'first call', 1);
    await scheduler.wait(1500);
    return hears(env, 'first call', 1);
  },
  async throws_and_dies(env) {
    await env.FAILING.send({ of: 'dead', then: 'throw' });
    return hears(env, 'dead', 3);
  },
  async acknowledged_before_it_throws(env) {
    await env.FAILING.send({ of: 'acknowledged', then: 'ackAll, throw' });
    await hears(env, 'acknowledged', 1);
    await scheduler.wait(1500);
    return hears(env, 'acknowledged', 1);
  },
  async all_again(env) {
    await env.SLOW.send({ of: 'all again', then: 'retryAll' });
    return hears(env, 'all again', 2);
  },
  async consumer_sends(env) {
    await env.QUEUE.send({ of: 'sends', then: 'send' });
    return hears(env, 'sends', 2);
  },
  async delayed(env) {
    const begun = Date.now();
    await env.SLOW.send({ of: 'delayed' });
    await hears(env, 'delayed', 1);
    return Date.now() - begun >= 900;
  },
  errors: ({ QUEUE }) => all([
    () => QUEUE.send(),
    () => QUEUE.send(undefined),
    () => QUEUE.send('x', { contentType: 'xml' }),
    () => QUEUE.send(7, { contentType: 'text' }),
    () => QUEUE.send('x', { contentType: 'bytes' }),
    () => QUEUE.sendBatch([]),
    () => QUEUE.sendBatch(7),
    () => QUEUE.send(new Map(), { contentType: 'bytes' }),
  ]),
  refused: async ({ QUEUE }) => (await all([
    () => QUEUE.send({ of: 'nobody' }, { delaySeconds: -1 }),
    () => QUEUE.send({ of: 'nobody' }, { delaySeconds: 100_000 }),
    () => QUEUE.send(() => 1, { contentType: 'json' }),
    () => QUEUE.send('x'.repeat(128_001), { contentType: 'text' }),
    () => QUEUE.sendBatch(Array.from({ length: 101 }, () => ({ body: { of: 'nobody' } }))),
    () => QUEUE.sendBatch([1, 2, 3].map(() => ({ body: { of: 'nobody', more: 'x'.repeat(100_000) } }))),
  ])).map(({ error }) => error),
};
