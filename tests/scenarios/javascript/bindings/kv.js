import { all, bytes, text } from './shown.js';

const streamOf = (...parts) => new ReadableStream({
  start(controller) {
    for (const part of parts) controller.enqueue(part);
    controller.close();
  },
});

const filled = async (kv, prefix, count) => {
  for (let n = 0; n < count; n++) await kv.put(`${prefix}${String(n).padStart(3, '0')}`, `value ${n}`);
};

const later = () => Math.floor(Date.now() / 1000) + 3600;

export const kvCases = {
  kind: ({ KV }) => [Object.prototype.toString.call(KV), KV.constructor.name, typeof KV.get, Object.keys(KV)],
  async text({ KV }) {
    return [await KV.put('text', 'hello ä😀'), await KV.get('text'), await KV.get('text', 'text'), await KV.get('text', { type: 'text' })];
  },
  nothing: async ({ KV }) => [await KV.get('nothing'), await KV.get('nothing', 'json'), await KV.get('nothing', 'arrayBuffer'), await KV.get('nothing', 'stream'), await KV.getWithMetadata('nothing')],
  async empty_value({ KV }) {
    await KV.put('empty', '');
    return [await KV.get('empty'), await KV.get('empty', 'arrayBuffer')];
  },
  async json({ KV }) {
    await KV.put('json', JSON.stringify({ a: [1, 'b', null] }));
    return [await KV.get('json', 'json'), await KV.get('json', { type: 'json' })];
  },
  async not_json({ KV }) {
    await KV.put('not json', '{');
    try {
      await KV.get('not json', 'json');
      return 'parsed';
    } catch (error) {
      return error.name;
    }
  },
  async buffers({ KV }) {
    await KV.put('buffer', bytes(0, 255, 7).buffer);
    await KV.put('view', bytes(9, 1, 2, 9).subarray(1, 3));
    return [await KV.get('buffer', 'arrayBuffer'), await KV.get('view', 'arrayBuffer'), await KV.get('view')];
  },
  async streams({ KV }) {
    await KV.put('stream', streamOf(bytes(1, 2), bytes(3)));
    const stream = await KV.get('stream', 'stream');
    return [stream, await new Response(stream).arrayBuffer()];
  },
  async stream_of_text({ KV }) {
    await KV.put('stream of text', new Response('from a response').body);
    return KV.get('stream of text');
  },
  async large({ KV }) {
    await KV.put('large', text(3_000_000));
    const first = (await KV.get('large')).length;
    await KV.put('large', text(100_000));
    const second = (await KV.get('large')).length;
    await KV.put('large', 'small');
    return [first, second, await KV.get('large')];
  },
  async large_and_gone({ KV }) {
    await KV.put('large gone', text(50_000));
    await KV.delete('large gone');
    const gone = await KV.get('large gone');
    await KV.put('large gone', text(60_000), { metadata: 'again' });
    const { value, metadata } = await KV.getWithMetadata('large gone');
    return [gone, value.length, metadata];
  },
  async metadata({ KV }) {
    await KV.put('meta', 'v', { metadata: { a: 1, b: ['c'] } });
    const { value, metadata, cacheStatus } = await KV.getWithMetadata('meta');
    await KV.put('meta', 'w');
    return [value, metadata, cacheStatus, await KV.getWithMetadata('meta', 'text')];
  },
  async metadata_kinds({ KV }) {
    const put = async (name, metadata) => {
      await KV.put(name, 'v', { metadata });
      return (await KV.getWithMetadata(name)).metadata;
    };
    return all([() => put('m1', 'text'), () => put('m2', 7), () => put('m3', null), () => put('m4', [1]), () => put('m5', undefined), () => put('m6', '')]);
  },
  async get_with_metadata_types({ KV }) {
    await KV.put('typed', '[1]', { metadata: 'm' });
    return [await KV.getWithMetadata('typed', 'json'), await KV.getWithMetadata('typed', { type: 'arrayBuffer' }), (await KV.getWithMetadata('typed', 'stream')).value];
  },
  async overwritten({ KV }) {
    for (const value of ['a', 'b', 'c']) await KV.put('over', value);
    return KV.get('over');
  },
  async deleted({ KV }) {
    await KV.put('deleted', 'v');
    return [await KV.delete('deleted'), await KV.get('deleted'), await KV.delete('deleted'), await KV.delete('never there')];
  },
  async namespaces_are_apart({ KV, OTHER }) {
    await KV.put('apart', 'one');
    return [await OTHER.get('apart'), await OTHER.put('apart', 'two'), await KV.get('apart')];
  },
  async many({ KV }) {
    await KV.put('many a', '1');
    await KV.put('many b', '"2"', { metadata: 'm' });
    return [
      await KV.get(['many a', 'many b', 'many c']),
      await KV.get(['many b', 'many a', 'many a'], 'json'),
      await KV.get(['many a'], { type: 'text' }),
      await KV.getWithMetadata(['many b', 'many c'], 'json'),
    ];
  },
  many_errors: ({ KV }) => all([
    () => KV.get(Array.from({ length: 101 }, (_, n) => `k${n}`)),
    () => KV.get([]),
    () => KV.get(['a'], 'arrayBuffer'),
    () => KV.get(['a'], 'stream'),
    () => KV.get(['']),
    () => KV.get(['a', text(513)]),
  ]),
  keys: ({ KV }) => all([
    () => KV.get(''),
    () => KV.get('.'),
    () => KV.get('..'),
    () => KV.put('', 'v'),
    () => KV.put('.', 'v'),
    () => KV.delete('..'),
    () => KV.get(text(513)),
    () => KV.put(text(513), 'v'),
    () => KV.delete(text(513)),
    () => KV.put('ä'.repeat(257), 'v'),
    () => KV.put(text(512), 'v'),
    () => KV.get(text(512)),
    () => KV.getWithMetadata(''),
  ]),
  async strange_keys({ KV }) {
    const names = ['a/b', 'a b', 'ä😀', '...', '%2e', 'a#1', ' ', '\n', '7', 'a\0b'];
    for (const name of names) await KV.put(`strange ${name}`, name);
    const { keys } = await KV.list({ prefix: 'strange ' });
    const found = [];
    for (const name of names) found.push(await KV.get(`strange ${name}`));
    return [found, keys.map(({ name }) => name)];
  },
  async key_that_is_no_text({ KV }) {
    await KV.put(7, 'seven');
    return [await KV.get('7'), await KV.get(7)];
  },
  values_that_are_none: ({ KV }) => all([
    () => KV.put('none', { a: 1 }),
    () => KV.put('none', 7),
    () => KV.put('none', null),
    () => KV.put('none', undefined),
    () => KV.put('none', true),
    () => KV.put('none', new Date(0)),
    () => KV.put('none'),
    () => KV.put(),
    () => KV.get(),
  ]),
  types_that_are_none: async ({ KV }) => {
    await KV.put('t', 'v');
    return all([() => KV.get('t', 'xml'), () => KV.get('t', { type: 'xml' }), () => KV.get('t', {}), () => KV.get('t', null), () => KV.get('t', undefined)]);
  },
  cache_ttl: async ({ KV }) => {
    await KV.put('cached', 'v');
    return all([() => KV.get('cached', { cacheTtl: 60 }), () => KV.get('cached', { cacheTtl: 10 }), () => KV.get('cached', { cacheTtl: 'x' })]);
  },
  expirations: ({ KV }) => all([
    () => KV.put('e', 'v', { expirationTtl: 59 }),
    () => KV.put('e', 'v', { expirationTtl: 0 }),
    () => KV.put('e', 'v', { expirationTtl: -1 }),
    () => KV.put('e', 'v', { expirationTtl: 'x' }),
    () => KV.put('e', 'v', { expirationTtl: 60 }),
    () => KV.put('e', 'v', { expirationTtl: '120' }),
    () => KV.put('e', 'v', { expiration: 1 }),
    () => KV.put('e', 'v', { expiration: 'x' }),
    () => KV.put('e', 'v', { expiration: later() }),
    () => KV.put('e', 'v', { expiration: null }),
  ]),
  async expiration_too_soon({ KV }) {
    const soon = Math.floor(Date.now() / 1000) + 30;
    try {
      await KV.put('soon', 'v', { expiration: soon });
      return 'put';
    } catch (error) {
      return error.message.replace(soon, 'soon');
    }
  },
  async expirations_are_listed({ KV }) {
    const expiration = later();
    await KV.put('expires a', 'v', { expiration });
    await KV.put('expires b', 'v', { expirationTtl: 600, metadata: { b: 1 } });
    await KV.put('expires c', 'v', { expiration });
    await KV.put('expires c', 'v');
    const { keys } = await KV.list({ prefix: 'expires ' });
    const inTenMinutes = keys[1].expiration - Date.now() / 1000;
    return [keys[0].expiration === expiration, inTenMinutes > 590 && inTenMinutes <= 601, keys[1].metadata, keys[2], await KV.get('expires a')];
  },
  metadata_too_large: ({ KV }) => all([
    () => KV.put('m', 'v', { metadata: text(1022) }),
    () => KV.put('m', 'v', { metadata: text(1023) }),
    () => KV.put('m', 'v', { metadata: { a: text(2000) } }),
  ]),
  async value_too_large({ KV }) {
    const large = new Uint8Array(25 * 1024 * 1024 + 1);
    return all([() => KV.put('too large', large)]);
  },
  async list_all({ OTHER }) {
    await OTHER.put('apart', '1');
    return OTHER.list();
  },
  async list_prefix({ KV }) {
    for (const name of ['list/b', 'list/a', 'list/c/d', 'lisu', 'list']) await KV.put(name, 'v');
    return [await KV.list({ prefix: 'list/' }), await KV.list({ prefix: 'nothing/' }), (await KV.list({ prefix: 'lis' })).keys.map(({ name }) => name)];
  },
  async list_pages({ KV }) {
    await filled(KV, 'page/', 25);
    const pages = [];
    let cursor;
    do {
      const page = await KV.list({ prefix: 'page/', limit: 10, cursor });
      pages.push([page.keys.length, page.keys[0].name, page.list_complete, typeof page.cursor, page.cacheStatus]);
      ({ cursor } = page);
    } while (cursor);
    return pages;
  },
  async list_exact_page({ KV }) {
    await filled(KV, 'exact/', 4);
    const page = await KV.list({ prefix: 'exact/', limit: 4 });
    return [page.keys.length, page.list_complete, 'cursor' in page];
  },
  async list_metadata({ KV }) {
    await KV.put('listed/a', 'v', { metadata: { n: 1 } });
    await KV.put('listed/b', 'v');
    return KV.list({ prefix: 'listed/' });
  },
  async list_after_deletion({ KV }) {
    await filled(KV, 'gone/', 3);
    await KV.delete('gone/001');
    return (await KV.list({ prefix: 'gone/' })).keys;
  },
  async list_order({ KV }) {
    for (const name of ['Z', 'a', 'B', 'ä', '1', '10', '2', '\u{1F600}', '\uFFFD']) await KV.put(`order/${name}`, 'v');
    return (await KV.list({ prefix: 'order/' })).keys.map(({ name }) => name);
  },
  list_errors: ({ KV }) => all([
    () => KV.list({ prefix: 'nothing/', limit: 0 }).then(({ keys }) => keys),
    () => KV.list({ limit: 1001 }),
    () => KV.list({ prefix: 'nothing/', limit: -1 }).then(({ keys }) => keys),
    () => KV.list({ prefix: text(513) }),
    async () => (await KV.list({ prefix: 'nothing/', cursor: null })).keys,
    async () => (await KV.list({ prefix: 'nothing/', cursor: '' })).keys,
  ]),
  async put_options_that_are_none({ KV }) {
    return all([() => KV.put('o', 'v', null), () => KV.put('o', 'v', {}), () => KV.put('o', 'v', undefined), () => KV.get('o')]);
  },
  async at_once({ KV }) {
    await Promise.all(Array.from({ length: 30 }, (_, n) => KV.put(`at once/${n}`, String(n))));
    const values = await Promise.all(Array.from({ length: 30 }, (_, n) => KV.get(`at once/${n}`)));
    return values.every((value, n) => value === String(n));
  },
};
