// What Cloudflare's durable objects do, case by case. The same file runs on workerd, whose answers are
// in cases.json (`record` writes it), and here. Further bundles of the kind are in the folder cases.
import { DurableObject, RpcTarget } from 'cloudflare:workers';

const shown = (value) =>
  JSON.parse(JSON.stringify(value, (_, item) => {
    if (item === undefined) return 'undefined';
    if (typeof item === 'bigint') return `${item}n`;
    if (typeof item === 'number' && !Number.isFinite(item)) return String(item);
    if (item instanceof Map) return ['Map', ...item];
    if (item instanceof Set) return ['Set', ...item];
    if (item instanceof ArrayBuffer) return ['ArrayBuffer', ...new Uint8Array(item)];
    if (ArrayBuffer.isView(item)) return [item.constructor.name, ...item];
    return item;
  }) ?? '"undefined"');

async function outcome(work) {
  try {
    return { value: shown(await work()) };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
}

/** Cases whose message differs by engine say only which error it is. */
const nameOf = async (work) => {
  try {
    await work();
    return 'nothing thrown';
  } catch (error) {
    return error.name;
  }
};

const table = (sql) => sql.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c BLOB)');
const three = (sql) => {
  table(sql);
  sql.exec("INSERT INTO t (a, b) VALUES ('x', 1.5), ('y', NULL), ('z', 3)");
};

/** What objects do between and beside events: calls, timers, and who waits for whom. */
const betweenCases = {
  async calls_another(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    return [await other.increment(2), await other.increment(3)];
  },
  async calls_itself({ storage }, name, { env }) {
    await storage.put('count', 40);
    return [await env.CASES.getByName(name).increment(2), await storage.get('count')];
  },
  async calls_back({ storage }, name, { env }) {
    await storage.put('count', 10);
    return [await env.CASES.getByName(`${name} other`).incrementOf(name, 5), await storage.get('count')];
  },
  async calls_by_fetch(_, name, { env }) {
    const response = await env.CASES.getByName(`${name} other`).fetch('https://example.com/mirror', { method: 'PUT', body: 'body', headers: { 'x-a': 'b' } });
    return [response.status, response.headers.get('x-seen'), await response.json()];
  },
  async calls_many(_, name, { env }) {
    return Promise.all([1, 2, 3, 4].map((by) => env.CASES.getByName(`${name} other`).increment(by)));
  },
  async call_error(_, name, { env }) {
    try {
      await env.CASES.getByName(`${name} other`).fail();
    } catch (error) {
      return [error instanceof RangeError, error.name, error.message, error.remote];
    }
  },
  async call_to_one_that_ends(_, name, { env }) {
    return nameOf(() => env.CASES.getByName(`${name} other`).end());
  },
  async storage_is_not_interleaved(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    await Promise.all(Array.from({ length: 5 }, () => other.increment(1)));
    return other.increment(0);
  },
  async timers_are_interleaved(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    return Promise.all([other.slowIncrement(50), other.slowIncrement(100)]);
  },
  async an_event_runs_while_another_waits(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    const slow = other.noteAround('slow', 1500);
    await scheduler.wait(30);
    await other.noteAround('quick', 0);
    await slow;
    return other.notesOf();
  },
  async blocked_events_wait(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    const block = other.block(100);
    await scheduler.wait(30);
    await other.noteAround('after', 0);
    await block;
    return other.notesOf();
  },
  async a_failed_block_ends_the_object(_, name, { env }) {
    const first = await nameOf(() => env.CASES.getByName(`${name} other`).failInBlock());
    return [first, await env.CASES.getByName(`${name} other`).countOf()];
  },
  async an_abort_ends_others_that_wait(_, name, { env }) {
    const slow = nameOf(() => env.CASES.getByName(`${name} other`).noteAround('slow', 10_000));
    await scheduler.wait(30);
    const ended = await nameOf(() => env.CASES.getByName(`${name} other`).end());
    return [ended, await slow];
  },
  async timers_in_order() {
    const order = [];
    setTimeout(() => order.push('c'), 20);
    setTimeout(() => order.push('a'), 0);
    setTimeout((one, two) => order.push(one + two), 1, 'b', '!');
    clearTimeout(setTimeout(() => order.push('never'), 5));
    queueMicrotask(() => order.push('microtask'));
    await scheduler.wait(60);
    return order;
  },
  async an_interval() {
    let count = 0;
    await new Promise((resolve) => {
      const id = setInterval(() => {
        if (++count === 3) {
          clearInterval(id);
          resolve();
        }
      }, 5);
    });
    await scheduler.wait(30);
    return count;
  },
  what_timers_are() {
    const ids = [setTimeout(() => {}, 0), setInterval(() => {}, 1000)];
    clearInterval(ids[1]);
    clearTimeout(undefined);
    clearTimeout(123456789);
    return ids.map((id) => [typeof id, typeof +id]);
  },
  timer_without_function: () => nameOf(() => setTimeout('1 + 1', 0)),
  async a_timer_that_throws_harms_nobody() {
    const seen = [];
    setTimeout(() => {
      throw new Error('in a timer');
    }, 1);
    setTimeout(() => seen.push('next'), 2);
    await scheduler.wait(30);
    return seen;
  },
  async work_after_the_response(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    await other.incrementLater(7);
    for (let tries = 0; tries < 100; tries++) {
      const count = await other.increment(0);
      if (count > 0) return count;
      await scheduler.wait(50);
    }
  },
  async time_goes_on_between_slices() {
    const before = Date.now();
    await scheduler.wait(20);
    return Date.now() - before >= 15;
  },
  async a_constructor_that_waits(_, name, { env }) {
    return env.CASES.getByName('begins slowly').begunOf();
  },
  async an_alarm_that_waits(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    await other.ringFor(`${name} helper`);
    for (let tries = 0; tries < 100; tries++) {
      const rung = await other.rungOf();
      if (rung) return rung;
      await scheduler.wait(50);
    }
  },
  async passes_a_function(_, name, { env }) {
    let sum = 0;
    const told = await env.CASES.getByName(`${name} other`).callBack((value) => {
      sum += value;
      return `got ${value}`;
    }, 4);
    return [told, sum];
  },
  async passes_a_target(_, name, { env }) {
    return env.CASES.getByName(`${name} other`).callTarget(new Tally(10));
  },
  async passes_a_stub(_, name, { env }) {
    const third = env.CASES.getByName(`${name} third`);
    return [await env.CASES.getByName(`${name} other`).callObject(third), await third.increment(0)];
  },
  async gets_a_target(_, name, { env }) {
    const tally = await env.CASES.getByName(`${name} other`).tally(40);
    return [await tally.add(1), await tally.add(1), await tally.count];
  },
  async a_race_with_a_timer(_, name, { env }) {
    const other = env.CASES.getByName(`${name} other`);
    const late = new Promise((resolve) => setTimeout(() => resolve('late'), 20));
    return Promise.race([other.noteAround('slow', 10_000).then(() => 'slow'), late]);
  },
};

const objectCases = {
  kv_absent: ({ storage }) => storage.get('nothing'),
  async kv_values({ storage }) {
    const values = { text: 'ä\u{1f600}', number: 1.25, zero: 0, yes: true, nothing: null, list: [1, [2, { three: 3 }]], object: { a: { b: [] } } };
    for (const [key, value] of Object.entries(values)) await storage.put(key, value);
    return storage.get(Object.keys(values));
  },
  async kv_clones({ storage }) {
    await storage.put({ date: new Date(86400000), map: new Map([['k', new Set([1, 2])]]), bytes: new Uint8Array([1, 255]), big: 12345678901234567890n, missing: { u: undefined } });
    const date = await storage.get('date');
    return [date instanceof Date, date.toISOString(), await storage.get('map'), await storage.get('bytes'), await storage.get('big'), 'u' in (await storage.get('missing'))];
  },
  async kv_is_a_copy({ storage }) {
    const value = { list: [1] };
    await storage.put('v', value);
    value.list.push(2);
    const one = await storage.get('v');
    one.list.push(3);
    return [one, await storage.get('v')];
  },
  async kv_cycle({ storage }) {
    const value = { name: 'loop' };
    value.self = value;
    await storage.put('v', value);
    const back = await storage.get('v');
    return back.self === back;
  },
  async kv_shared({ storage }) {
    const part = { p: 1 };
    await storage.put('v', [part, part]);
    const back = await storage.get('v');
    return back[0] === back[1];
  },
  async kv_class_becomes_plain({ storage }) {
    class Point {
      constructor() {
        this.x = 1;
      }
      norm() {
        return 1;
      }
    }
    await storage.put('v', new Point());
    const back = await storage.get('v');
    return [back, back instanceof Point, typeof back.norm];
  },
  kv_function: ({ storage }) => nameOf(() => storage.put('v', () => 1)),
  kv_symbol: ({ storage }) => nameOf(() => storage.put('v', Symbol('s'))),
  kv_undefined: ({ storage }) => nameOf(() => storage.put('v', undefined)),
  async kv_delete({ storage }) {
    await storage.put('a', 1);
    return [await storage.delete('a'), await storage.delete('a'), await storage.get('a')];
  },
  async kv_delete_many({ storage }) {
    await storage.put({ a: 1, b: 2, c: 3 });
    return [await storage.delete(['a', 'c', 'x']), await storage.list()];
  },
  async kv_get_many_order({ storage }) {
    await storage.put({ b: 1, a: 2 });
    return storage.get(['b', 'nothing', 'a']);
  },
  kv_too_many: ({ storage }) => nameOf(() => storage.get(Array.from({ length: 129 }, (_, n) => `k${n}`))),
  async kv_list({ storage }) {
    await storage.put({ a1: 1, a2: 2, b1: 3, 'ä': 4, A: 5 });
    return [
      await storage.list(), await storage.list({ prefix: 'a' }), await storage.list({ start: 'a2' }), await storage.list({ startAfter: 'a2' }), await storage.list({ end: 'b1' }),
      await storage.list({ limit: 2 }), await storage.list({ reverse: true, limit: 2 }), await storage.list({ prefix: 'a', start: 'a2', end: 'b', reverse: true }),
    ];
  },
  kv_list_limit_0: ({ storage }) => nameOf(() => storage.list({ limit: 0 })),
  kv_list_two_starts: ({ storage }) => nameOf(() => storage.list({ start: 'a', startAfter: 'a' })),
  async kv_options({ storage }) {
    await storage.put('a', 1, { allowUnconfirmed: true, noCache: true, allowConcurrency: true });
    return storage.get('a', { noCache: true });
  },
  async kv_delete_all({ storage }) {
    await storage.put('a', 1);
    table(storage.sql);
    await storage.deleteAll();
    return [await storage.list(), storage.sql.exec("SELECT count(*) AS n FROM sqlite_master WHERE name = 't'").one()];
  },
  kv_sync({ storage }) {
    storage.kv.put('a', { n: 1 });
    storage.kv.put('b', 2);
    return [storage.kv.get('a'), storage.kv.get('x'), [...storage.kv.list({ prefix: 'a' })], storage.kv.delete('a'), storage.kv.delete('a')];
  },
  async sync_is_awaited({ storage }) {
    return storage.sync();
  },
  sql_array({ storage: { sql } }) {
    three(sql);
    return sql.exec('SELECT * FROM t ORDER BY id').toArray();
  },
  sql_columns({ storage: { sql } }) {
    three(sql);
    return sql.exec('SELECT id, a AS name, b + 1 FROM t').columnNames;
  },
  sql_columns_of_nothing: ({ storage: { sql } }) => sql.exec('SELECT 1 AS one WHERE 0').columnNames,
  sql_raw({ storage: { sql } }) {
    three(sql);
    return [...sql.exec('SELECT id, a FROM t ORDER BY id').raw()];
  },
  sql_raw_array: ({ storage: { sql } }) => sql.exec('VALUES (1, 2), (3, 4)').raw().toArray(),
  sql_iterate({ storage: { sql } }) {
    three(sql);
    const names = [];
    for (const { a } of sql.exec('SELECT a FROM t ORDER BY a DESC')) names.push(a);
    return names;
  },
  sql_next({ storage: { sql } }) {
    const cursor = sql.exec('SELECT 1 AS one');
    return [cursor.next(), cursor.next(), cursor.next().done];
  },
  sql_mixed_iteration({ storage: { sql } }) {
    const cursor = sql.exec("VALUES ('a'), ('b'), ('c')");
    return [cursor.next().value, cursor.toArray()];
  },
  sql_one: ({ storage: { sql } }) => sql.exec("SELECT 'x' AS x, 2 AS n").one(),
  sql_one_of_none: ({ storage: { sql } }) => sql.exec('SELECT 1 WHERE 0').one(),
  sql_one_of_two: ({ storage: { sql } }) => sql.exec('VALUES (1), (2)').one(),
  sql_types: ({ storage: { sql } }) => sql.exec("SELECT 1 AS i, 1.5 AS r, 'ä' AS t, x'00ff' AS b, NULL AS n, 9007199254740991 AS big").one(),
  sql_bound_types: ({ storage: { sql } }) => sql.exec('SELECT typeof(?) AS a, typeof(?) AS b, typeof(?) AS c, typeof(?) AS d', 1, 1.5, 'x', null).one(),
  sql_bound_bytes: ({ storage: { sql } }) => sql.exec('SELECT typeof(?) AS a, hex(?) AS b', new Uint8Array([1]).buffer, new Uint8Array([0, 255])).one(),
  sql_bound_boolean: ({ storage: { sql } }) => sql.exec('SELECT ? AS yes, typeof(?) AS type', true, false).one(),
  sql_bound_limit({ storage: { sql } }) {
    three(sql);
    return sql.exec('SELECT id FROM t ORDER BY id LIMIT ? OFFSET ?', 1, 1).toArray();
  },
  sql_integer_column({ storage: { sql } }) {
    table(sql);
    sql.exec('INSERT INTO t (id, b) VALUES (?, ?)', 7, 8);
    return sql.exec('SELECT id, typeof(id) AS i, b, typeof(b) AS r FROM t').one();
  },
  sql_numbered: ({ storage: { sql } }) => sql.exec('SELECT ?2 AS b, ?1 AS a', 'one', 'two').one(),
  sql_too_few: ({ storage: { sql } }) => nameOf(() => sql.exec('SELECT ?, ?', 1)),
  sql_too_many: ({ storage: { sql } }) => nameOf(() => sql.exec('SELECT ?', 1, 2)),
  sql_syntax: ({ storage: { sql } }) => nameOf(() => sql.exec('SELEC 1')),
  sql_no_table: ({ storage: { sql } }) => nameOf(() => sql.exec('SELECT * FROM nowhere')),
  sql_unique({ storage: { sql } }) {
    sql.exec('CREATE TABLE u (k TEXT UNIQUE)');
    sql.exec("INSERT INTO u VALUES ('a')");
    return nameOf(() => sql.exec("INSERT INTO u VALUES ('a')"));
  },
  sql_constraints({ storage: { sql } }) {
    sql.exec('CREATE TABLE one (id TEXT PRIMARY KEY, n INTEGER NOT NULL CHECK (n > 0), u TEXT UNIQUE) STRICT');
    sql.exec("CREATE TABLE two (one TEXT REFERENCES one (id)); CREATE TRIGGER refusing BEFORE DELETE ON one BEGIN SELECT RAISE(ABORT, 'never'); END");
    sql.exec("INSERT INTO one VALUES ('a', 1, 'x')");
    const messageOf = (statement) => {
      try {
        sql.exec(statement);
        return 'nothing thrown';
      } catch (error) {
        return error.message;
      }
    };
    const statements = [
      "INSERT INTO one VALUES ('a', 1, 'y')", "INSERT INTO one VALUES ('b', 1, 'x')", "INSERT INTO one VALUES ('b', 0, 'y')", "INSERT INTO one (id) VALUES ('b')",
      "INSERT INTO one VALUES ('b', 'text', 'y')", "INSERT INTO two VALUES ('b')", 'DELETE FROM one', 'INSERT INTO three VALUES (1)', 'CREATE TABLE one (id TEXT)',
    ];
    return statements.map(messageOf).map((message) => message.replace(/ at offset \d+/, ''));
  },
  sql_returning({ storage: { sql } }) {
    table(sql);
    return sql.exec("INSERT INTO t (a) VALUES ('x'), ('y') RETURNING id, a").toArray();
  },
  sql_many_statements({ storage: { sql } }) {
    const cursor = sql.exec('CREATE TABLE m (n); INSERT INTO m VALUES (1); SELECT n FROM m');
    return cursor.toArray();
  },
  sql_upsert({ storage: { sql } }) {
    sql.exec('CREATE TABLE c (k TEXT PRIMARY KEY, n INTEGER)');
    for (let n = 0; n < 3; n++) sql.exec("INSERT INTO c VALUES ('k', 1) ON CONFLICT (k) DO UPDATE SET n = n + 1");
    return sql.exec('SELECT * FROM c').one();
  },
  sql_json: ({ storage: { sql } }) => sql.exec(`SELECT json_extract('{"a":[1,2]}', '$.a[1]') AS n, json_object('k', 'v') AS o`).one(),
  sql_window({ storage: { sql } }) {
    three(sql);
    return sql.exec('SELECT a, row_number() OVER (ORDER BY a DESC) AS n FROM t ORDER BY a').toArray();
  },
  sql_begin: ({ storage: { sql } }) => nameOf(() => sql.exec('BEGIN')),
  sql_commit: ({ storage: { sql } }) => nameOf(() => sql.exec('COMMIT')),
  sql_savepoint: ({ storage: { sql } }) => nameOf(() => sql.exec('SAVEPOINT s')),
  sql_attach: ({ storage: { sql } }) => nameOf(() => sql.exec("ATTACH ':memory:' AS other")),
  sql_written_rows({ storage: { sql } }) {
    sql.exec('CREATE TABLE w (n)');
    return sql.exec('INSERT INTO w VALUES (1), (2), (3)').rowsWritten;
  },
  sql_size({ storage: { sql } }) {
    table(sql);
    return sql.databaseSize > 0;
  },
  transaction_sync({ storage }) {
    table(storage.sql);
    const result = storage.transactionSync(() => {
      storage.sql.exec("INSERT INTO t (a) VALUES ('kept')");
      return 'result';
    });
    return [result, storage.sql.exec('SELECT a FROM t').toArray()];
  },
  transaction_sync_rolled_back({ storage }) {
    table(storage.sql);
    let caught;
    try {
      storage.transactionSync(() => {
        storage.sql.exec("INSERT INTO t (a) VALUES ('undone')");
        throw new RangeError('no');
      });
    } catch (error) {
      caught = [error.name, error.message];
    }
    return [caught, storage.sql.exec('SELECT a FROM t').toArray()];
  },
  transaction_sync_nested({ storage }) {
    table(storage.sql);
    storage.transactionSync(() => {
      storage.sql.exec("INSERT INTO t (a) VALUES ('outer')");
      try {
        storage.transactionSync(() => {
          storage.sql.exec("INSERT INTO t (a) VALUES ('inner')");
          throw new Error('inner');
        });
      } catch {}
    });
    return storage.sql.exec('SELECT a FROM t').toArray();
  },
  async alarm_set({ storage }) {
    const before = await storage.getAlarm();
    await storage.setAlarm(4102444800000);
    const set = await storage.getAlarm();
    await storage.setAlarm(new Date(4102444800001));
    const moved = await storage.getAlarm();
    await storage.deleteAlarm();
    return [before, set, moved, await storage.getAlarm()];
  },
  id_of_object: ({ id }, name) => [id.name, /^[0-9a-f]{64}$/.test(id.toString()), id.equals(id), name],
  block_concurrency: (ctx) => ctx.blockConcurrencyWhile(async () => 'result'),
  async block_concurrency_begins_later(ctx) {
    const seen = [];
    const blocks = [
      ctx.blockConcurrencyWhile(async () => {
        seen.push('first');
        await ctx.storage.get('key');
        seen.push('first ends');
      }),
      ctx.blockConcurrencyWhile(() => seen.push('second')),
    ];
    queueMicrotask(() => seen.push('microtask'));
    seen.push('has begun');
    await Promise.all(blocks);
    return seen;
  },
  async block_concurrency_after_microtasks(ctx) {
    const seen = [];
    const block = ctx.blockConcurrencyWhile(() => seen.push('block'));
    for (let n = 0; n < 5; n++) {
      await null;
      seen.push(n);
    }
    await block;
    return seen;
  },
  async block_concurrency_in_another(ctx) {
    const seen = [];
    await ctx.blockConcurrencyWhile(async () => {
      seen.push('outer');
      await ctx.blockConcurrencyWhile(async () => seen.push('inner'));
      seen.push('outer ends');
    });
    return seen;
  },
  constructor_blocks_until_fields_are_there: (ctx, name, object) => object.fieldsInBlock,
  wait_until: (ctx) => ctx.waitUntil(Promise.resolve(1)),
};

/** Forms, streams, events and signals. */
const flowCases = {
  async blob() {
    const blob = new Blob(['aä', new Uint8Array([1, 2]), new Blob(['x'])], { type: 'Text/Plain' });
    return [blob.size, blob.type, await blob.slice(1, 4).text(), await blob.slice(-2).arrayBuffer(), String(blob)];
  },
  async file() {
    const file = new File(['content'], 'name.txt', { type: 'text/plain', lastModified: 5 });
    return [file.name, file.size, file.type, file.lastModified, file instanceof Blob, await file.text(), String(file)];
  },
  form_data() {
    const form = new FormData();
    form.append('a', '1');
    form.append('a', 2);
    form.set('b', new File(['x'], 'f.bin'));
    form.append('c', 'gone');
    form.delete('c');
    return [[...form.keys()], form.getAll('a'), form.get('b').name, form.get('nothing'), form.has('c'), String(form)];
  },
  async form_data_goes_and_comes() {
    const form = new FormData();
    form.append('text', 'ä\u{1f600}');
    form.append('file', new File([new Uint8Array([0, 255, 13, 10])], 'a b.bin', { type: 'application/x' }));
    const request = new Request('https://example.com/', { method: 'POST', body: form });
    const type = request.headers.get('content-type').replace(/boundary=.*/, '');
    const back = await request.formData();
    const file = back.get('file');
    return [type, back.get('text'), file.name, file.type, await file.arrayBuffer()];
  },
  async form_data_urlencoded() {
    const request = new Request('https://example.com/', { method: 'POST', body: new URLSearchParams({ a: '1 2', b: 'ä' }) });
    return [...(await request.formData())];
  },
  form_data_of_json: () => nameOf(() => new Request('https://example.com/', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }).formData()),
  async response_blob() {
    const blob = await new Response('text', { headers: { 'content-type': 'text/x' } }).blob();
    return [blob.type, await blob.text()];
  },
  async response_of_blob() {
    const response = new Response(new Blob(['b'], { type: 'text/y' }));
    return [response.headers.get('content-type'), await response.text()];
  },
  async stream_reader() {
    const reader = new Response('abc').body.getReader();
    const first = await reader.read();
    return [new TextDecoder().decode(first.value), first.done, (await reader.read()).done];
  },
  async stream_made() {
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('one '));
        controller.enqueue(new TextEncoder().encode('two'));
        controller.close();
      },
    });
    return new Response(stream).text();
  },
  async stream_pulled() {
    let count = 0;
    const stream = new ReadableStream({
      pull(controller) {
        if (++count > 3) controller.close();
        else controller.enqueue(count);
      },
    });
    const seen = [];
    for await (const chunk of stream) seen.push(chunk);
    return seen;
  },
  async stream_tee() {
    const [one, other] = new Response('both').body.tee();
    return [await new Response(one).text(), await new Response(other).text()];
  },
  async stream_transform() {
    const upper = new TransformStream({
      transform(chunk, controller) {
        controller.enqueue(chunk.toUpperCase());
      },
    });
    const text = new Response('shout').body.pipeThrough(new TextDecoderStream()).pipeThrough(upper).pipeThrough(new TextEncoderStream());
    return new Response(text).text();
  },
  async stream_identity() {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    writer.write(new TextEncoder().encode('written'));
    writer.close();
    return new Response(readable).text();
  },
  async stream_error() {
    const stream = new ReadableStream({
      start(controller) {
        controller.error(new RangeError('broken'));
      },
    });
    return nameOf(() => stream.getReader().read());
  },
  stream_locked() {
    const stream = new ReadableStream();
    stream.getReader();
    return nameOf(async () => stream.getReader());
  },
  async stream_cancel() {
    let reason;
    const stream = new ReadableStream({
      cancel(why) {
        reason = why;
      },
    });
    await stream.cancel('enough');
    return reason;
  },
  async body_used() {
    const response = new Response('once');
    const before = response.bodyUsed;
    await response.text();
    return [before, response.bodyUsed, await nameOf(() => response.text())];
  },
  async body_cloned_as_stream() {
    const response = new Response(new Response('cloned').body);
    const copy = response.clone();
    return [await response.text(), await copy.text()];
  },
  async streamed_response(_, name, { env }) {
    const response = await env.CASES.getByName(`${name} other`).fetch('https://example.com/streamed');
    return [response.status, await response.text()];
  },
  event_target() {
    const target = new EventTarget();
    const seen = [];
    const twice = (event) => seen.push(`twice ${event.type}`);
    target.addEventListener('x', twice);
    target.addEventListener('x', twice);
    target.addEventListener('x', () => seen.push('once'), { once: true });
    target.addEventListener('x', { handleEvent: (event) => seen.push(event.target === target) });
    target.dispatchEvent(new Event('x'));
    target.removeEventListener('x', twice);
    target.dispatchEvent(new CustomEvent('x', { detail: 1 }));
    return seen;
  },
  event_prevented() {
    const target = new EventTarget();
    target.addEventListener('x', (event) => event.preventDefault());
    return [target.dispatchEvent(new Event('x')), target.dispatchEvent(new Event('x', { cancelable: true }))];
  },
  abort_controller() {
    const controller = new AbortController();
    const seen = [controller.signal.aborted];
    controller.signal.addEventListener('abort', () => seen.push('told'));
    controller.abort();
    controller.abort();
    return [...seen, controller.signal.aborted, controller.signal.reason.name];
  },
  abort_reason() {
    const signal = AbortSignal.abort(new RangeError('why'));
    return nameOf(async () => signal.throwIfAborted());
  },
  async abort_timeout() {
    const signal = AbortSignal.timeout(5);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return signal.reason.name;
  },
  abort_any() {
    const controller = new AbortController();
    const any = AbortSignal.any([new AbortController().signal, controller.signal]);
    controller.abort('because');
    return [any.aborted, any.reason];
  },
  async transaction_rolled_back({ storage }) {
    await storage.put('a', 1);
    const outcome = await nameOf(() => storage.transaction(async (txn) => {
      await txn.put('a', 2);
      throw new RangeError('no');
    }));
    return [outcome, await storage.get('a')];
  },
  async transaction_committed({ storage }) {
    const result = await storage.transaction(async (txn) => {
      await txn.put('a', ((await txn.get('a')) ?? 0) + 1);
      return [...(await txn.list()).keys()];
    });
    return [result, await storage.get('a')];
  },
  async transaction_asked_to_roll_back({ storage }) {
    await storage.put('a', 1);
    await storage.transaction(async (txn) => {
      await txn.put('a', 2);
      await txn.delete('b');
      txn.rollback();
    });
    return storage.get('a');
  },
  async stream_identity_of_text() {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    writer.write('text');
    writer.close();
    return new Response(readable).text();
  },
  async stream_pipe_to() {
    const seen = [];
    await new Response('piped').body.pipeTo(new WritableStream({ write: (chunk) => seen.push(new TextDecoder().decode(chunk)), close: () => seen.push('closed') }));
    return seen;
  },
  async stream_by_bytes() {
    const reader = new Response('abcdef').body.getReader({ mode: 'byob' });
    const { value, done } = await reader.read(new Uint8Array(4));
    return [new TextDecoder().decode(value), done];
  },
  async digests() {
    const bytes = new TextEncoder().encode('text');
    const all = await Promise.all(['SHA-1', 'SHA-256', 'SHA-384', { name: 'SHA-512' }].map((name) => crypto.subtle.digest(name, bytes)));
    return all.map((digest) => new Uint8Array(digest).slice(0, 8));
  },
  digest_unknown: () => nameOf(() => crypto.subtle.digest('SHA-999', new Uint8Array())),
  async hmac() {
    const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('secret'), { name: 'HMAC', hash: 'SHA-256' }, true, ['sign', 'verify']);
    const data = new TextEncoder().encode('data');
    const signature = await crypto.subtle.sign('HMAC', key, data);
    const other = new Uint8Array(signature);
    const good = await crypto.subtle.verify('HMAC', key, signature, data);
    other[0] ^= 1;
    const { kty, k, alg } = await crypto.subtle.exportKey('jwk', key);
    return [[...new Uint8Array(signature).slice(0, 8)], good, await crypto.subtle.verify('HMAC', key, other, data), kty, k, alg, key.type, key.algorithm.name, key.algorithm.hash.name, key.usages, key.extractable];
  },
  async hmac_not_for_that() {
    const key = await crypto.subtle.importKey('raw', new Uint8Array(8), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
    return [await nameOf(() => crypto.subtle.sign('HMAC', key, new Uint8Array())), await nameOf(() => crypto.subtle.exportKey('raw', key))];
  },
  async aes_gcm() {
    const key = await crypto.subtle.importKey('raw', new Uint8Array(32).fill(7), 'AES-GCM', false, ['encrypt', 'decrypt']);
    const parameters = { name: 'AES-GCM', iv: new Uint8Array(12).fill(1), additionalData: new Uint8Array([9]) };
    const sealed = await crypto.subtle.encrypt(parameters, key, new TextEncoder().encode('plain'));
    const plain = await crypto.subtle.decrypt(parameters, key, sealed);
    const changed = new Uint8Array(sealed);
    changed[0] ^= 1;
    return [sealed, new TextDecoder().decode(plain), await nameOf(() => crypto.subtle.decrypt(parameters, key, changed))];
  },
  async generated_keys() {
    const hmac = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-512' }, true, ['sign']);
    const aes = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
    return [hmac.algorithm.length, aes.algorithm.length, (await crypto.subtle.exportKey('raw', aes)).byteLength];
  },
  async derived_keys() {
    const password = new TextEncoder().encode('password');
    const salt = new TextEncoder().encode('salt');
    const slow = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits', 'deriveKey']);
    const quick = await crypto.subtle.importKey('raw', password, 'HKDF', false, ['deriveBits']);
    const key = await crypto.subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: 10 }, slow, { name: 'AES-GCM', length: 128 }, true, ['encrypt']);
    return [
      await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: 100 }, slow, 128),
      await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-512', salt, info: new Uint8Array([1]) }, quick, 64),
      await crypto.subtle.exportKey('raw', key),
    ];
  },
  timing_safe_equal: () => [crypto.subtle.timingSafeEqual(new Uint8Array([1, 2]), new Uint8Array([1, 2])), crypto.subtle.timingSafeEqual(new Uint8Array([1, 2]), new Uint8Array([1, 3]))],
  encode_into() {
    const bytes = new Uint8Array(4);
    return [new TextEncoder().encodeInto('aä\u{1f600}', bytes), bytes];
  },
  decode_in_parts() {
    const decoder = new TextDecoder();
    const bytes = new TextEncoder().encode('aä\u{1f600}b');
    return [...bytes].map((byte) => decoder.decode(new Uint8Array([byte]), { stream: true })).concat(decoder.decode());
  },
};

const webCases = {
  url_parts() {
    const url = new URL('https://user:pass@example.com:8080/a/../b%20c/ü?q=1&q=ä#part');
    return [url.href, url.origin, url.protocol, url.username, url.password, url.host, url.hostname, url.port, url.pathname, url.search, url.hash];
  },
  url_relative: () => new URL('../x?y', 'http://h/a/b/c').href,
  url_invalid: () => nameOf(() => new URL('nowhere')),
  url_set() {
    const url = new URL('http://h/p?q#f');
    url.pathname = '/a b';
    url.search = '?x=1';
    url.searchParams.append('y', 'ä&');
    url.hash = '';
    url.port = '81';
    url.protocol = 'https';
    return [url.href, [...url.searchParams]];
  },
  url_can_parse: () => [URL.canParse('http://a'), URL.canParse('a'), URL.canParse('a', 'http://b')],
  params() {
    const params = new URLSearchParams('a=1&b=2&a=3&c');
    params.set('a', '4');
    params.delete('b');
    params.append('d', 'ä +&');
    params.sort();
    return [String(params), params.get('a'), params.getAll('c'), params.has('b'), params.get('x'), params.size];
  },
  params_of_object: () => [String(new URLSearchParams({ a: 1, b: 'x y' })), String(new URLSearchParams([['a', 'b'], ['a', 'c']]))],
  headers() {
    const headers = new Headers({ 'X-B': ' 1 ', 'x-a': '2' });
    headers.append('X-B', '3');
    headers.append('Set-Cookie', 'a=1');
    headers.append('Set-Cookie', 'b=2');
    return [[...headers], headers.get('x-b'), headers.has('X-A'), headers.get('none'), headers.getSetCookie()];
  },
  headers_bad_name: () => nameOf(() => new Headers({ 'a b': 'c' })),
  headers_bad_value: () => nameOf(() => new Headers({ a: 'b\nc' })),
  async response_json() {
    const response = Response.json({ a: [1] }, { status: 201, headers: { x: 'y' } });
    return [response.status, response.ok, response.headers.get('content-type'), response.headers.get('x'), await response.text()];
  },
  async response_text() {
    const response = new Response('ä');
    return [response.status, response.headers.get('content-type'), await response.arrayBuffer(), response.bodyUsed];
  },
  response_twice: async () => {
    const response = new Response('x');
    await response.text();
    return nameOf(() => response.text());
  },
  response_null_body: () => nameOf(() => new Response('x', { status: 204 })),
  response_status: () => nameOf(() => new Response('x', { status: 99 })),
  response_redirect() {
    const response = Response.redirect('https://example.com/a b', 301);
    return [response.status, response.headers.get('location')];
  },
  async response_clone() {
    const response = new Response('x', { headers: { a: 'b' } });
    const copy = response.clone();
    return [await response.text(), await copy.text(), copy.headers.get('a')];
  },
  async response_body_passed_on() {
    const response = new Response('x', { headers: { a: 'b' } });
    const other = new Response(response.body, response);
    return [await other.text(), other.headers.get('a'), response.bodyUsed];
  },
  async request_fields() {
    const request = new Request('http://h/p?q', { method: 'post', body: '{"a":1}', headers: { 'content-type': 'application/json' } });
    return [request.method, request.url, request.headers.get('content-type'), await request.json()];
  },
  request_get_with_body: () => nameOf(() => new Request('http://h', { body: 'x' })),
  async request_of_request() {
    const first = new Request('http://h/', { method: 'PUT', body: 'x', headers: { a: 'b' } });
    const second = new Request(first, { headers: { c: 'd' } });
    return [second.method, await second.text(), second.headers.get('a'), second.headers.get('c')];
  },
  async body_params() {
    const request = new Request('http://h/', { method: 'POST', body: new URLSearchParams({ a: 'b c' }) });
    return [request.headers.get('content-type'), await request.text()];
  },
  response_not_json: () => nameOf(() => new Response('{').json()),
  text_encoder: () => [new TextEncoder().encode('ä\u{1f600}'), new TextEncoder().encoding],
  text_decoder: () => [new TextDecoder().decode(new Uint8Array([239, 187, 191, 195, 164, 255])), new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([239, 187, 191, 97])).length],
  text_decoder_fatal: () => nameOf(() => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))),
  base64: () => [btoa('hello'), atob('aGVsbG8=')],
  structured_clone() {
    const value = { d: new Date(0), m: new Map([[1, new Set(['x'])]]), r: /a/g, e: new TypeError('t'), n: [undefined, null] };
    const copy = structuredClone(value);
    return [copy.d instanceof Date, copy.m, String(copy.r), copy.e instanceof TypeError, copy.e.message, copy.n];
  },
  structured_clone_function: () => nameOf(() => structuredClone({ f() {} })),
  crypto_uuid: () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
  crypto_random() {
    const bytes = new Uint8Array(32);
    return [crypto.getRandomValues(bytes) === bytes, bytes.some((byte) => byte !== 0)];
  },
  crypto_random_too_many: () => nameOf(() => crypto.getRandomValues(new Uint8Array(65537))),
  eval_refused: () => nameOf(() => (0, eval)('1')),
  function_refused: () => nameOf(() => new Function('return 1')),
  queue_microtask: () => new Promise((resolve) => queueMicrotask(() => resolve('ran'))),
};

const frontCases = {
  ids(env) {
    const id = env.CASES.idFromName('a');
    const same = env.CASES.idFromString(id.toString());
    return [id.equals(env.CASES.idFromName('a')), id.equals(env.CASES.idFromName('b')), id.equals(same), id.name, same.name, id.toString().length];
  },
  id_of_nonsense: (env) => nameOf(() => env.CASES.idFromString('abc')),
  id_of_nobody: (env) => nameOf(() => env.CASES.idFromString('0'.repeat(64))),
  name_of_an_object_without: (env) => env.CASES.get(env.CASES.newUniqueId()).nameOfId(),
  unique_ids: (env) => [env.CASES.newUniqueId().equals(env.CASES.newUniqueId()), env.CASES.newUniqueId().name],
  stub: (env) => {
    const stub = env.CASES.get(env.CASES.idFromName('a'));
    return [stub.name, stub.id.equals(env.CASES.idFromName('a')), env.CASES.getByName('b').name];
  },
  rpc_values: (env) => env.CASES.getByName('rpc').echo([1, 'ä', null], { d: new Map([['a', new Uint8Array([1])]]), u: undefined }),
  rpc_date: async (env) => (await env.CASES.getByName('rpc').echo(new Date(5))) [0] instanceof Date,
  rpc_state: async (env) => {
    const stub = env.CASES.getByName('rpc_state');
    await stub.increment(2);
    return stub.increment(3);
  },
  rpc_error: (env) => env.CASES.getByName('rpc').fail(),
  rpc_no_method: (env) => nameOf(() => env.CASES.getByName('rpc').nothing()),
  rpc_of_field: (env) => nameOf(() => env.CASES.getByName('rpc').field()),
  rpc_private: (env) => nameOf(() => env.CASES.getByName('rpc').constructor()),
  rpc_of_object: (env) => nameOf(() => env.CASES.getByName('rpc').hasOwnProperty('a')),
  rpc_target: async (env) => {
    const tally = await env.CASES.getByName('rpc').tally(40);
    return [typeof tally, await tally.add(1), await tally.add(1), await tally.count];
  },
  rpc_target_pipelined: (env) => env.CASES.getByName('rpc').tally(1).add(2),
  rpc_target_field_pipelined: async (env) => [await env.CASES.getByName('rpc').tally(7).count],
  rpc_target_error: async (env) => {
    const tally = await env.CASES.getByName('rpc').tally(1);
    try {
      await tally.fail();
    } catch (error) {
      return [error.name, error.message];
    }
  },
  rpc_target_own_field: async (env) => {
    const tally = await env.CASES.getByName('rpc').tally(1);
    return [await nameOf(() => tally.own), await nameOf(() => tally.nothing())];
  },
  rpc_function: async (env) => {
    const add = await env.CASES.getByName('rpc').adder(2);
    return [typeof add, await add(3), await add(4)];
  },
  rpc_nested: async (env) => {
    const nested = await env.CASES.getByName('rpc').nested();
    return [nested.name, await nested.tally.add(1), await nested.list[0]()];
  },
  rpc_plain_pipelined: async (env) => [await env.CASES.getByName('rpc').nested().name, await env.CASES.getByName('rpc').nested().tally.add(3)],
  rpc_getter: async (env) => [await env.CASES.getByName('rpc_getter').computed],
  rpc_field_of_instance: async (env) => nameOf(async () => { await env.CASES.getByName('rpc').notes; }),
  rpc_symbol: (env) => nameOf(() => env.CASES.getByName('rpc').echo(Symbol('x'))),
  rpc_many: (env) => Promise.all([1, 2, 3].map((n) => env.CASES.getByName(`many-${n}`).increment(n))),
  stub_fetch: async (env) => {
    const response = await env.CASES.getByName('fetch').fetch('https://example.com/mirror?a=b', { method: 'PUT', headers: { 'X-A': 'b' }, body: 'body' });
    return [response.status, response.headers.get('x-seen'), await response.json()];
  },
  stub_fetch_throws: (env) => env.CASES.getByName('fetch').fetch('https://example.com/throw'),
  stub_fetch_empty: async (env) => {
    const response = await env.CASES.getByName('fetch').fetch('https://example.com/empty');
    return [response.status, await response.text()];
  },
  writes_before_a_throw: async (env) => {
    const stub = env.CASES.getByName('throws');
    await nameOf(() => stub.writeAndThrow());
    return stub.read();
  },
  fields_after_a_throw: async (env) => {
    const stub = env.CASES.getByName('fields');
    await stub.increment(1);
    await nameOf(() => stub.countAndThrow());
    return stub.countOf();
  },
  new_after_abort: async (env) => {
    const name = 'abort';
    await nameOf(() => env.CASES.getByName(name).countAndThrow());
    await nameOf(() => env.CASES.getByName(name).end());
    return env.CASES.getByName(name).countOf();
  },
};

class Tally extends RpcTarget {
  #count = 0;
  own = 'a field of its own';

  constructor(start) {
    super();
    this.#count = start;
  }

  add(by) {
    this.#count += by;
    return this.#count;
  }

  get count() {
    return this.#count;
  }

  fail() {
    throw new RangeError('in a target');
  }
}

/** Bases of packages begin in their constructor what uses fields of the class itself. */
class Base extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.fieldsInBlock = [this.field?.(), this.count];
    });
  }
}

export class Cases extends Base {
  field = () => 'a field';
  count = 0;

  constructor(ctx, env) {
    super(ctx, env);
    if (ctx.id.name !== 'begins slowly') return;
    ctx.blockConcurrencyWhile(async () => {
      const told = await env.CASES.getByName('a helper of the constructor').echo('told');
      await scheduler.wait(20);
      this.begun = told;
    });
  }

  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === '/mirror') {
      const seen = { method: request.method, url: request.url, header: request.headers.get('x-a'), body: await request.text() };
      return Response.json(seen, { status: 202, headers: { 'x-seen': 'yes' } });
    }
    if (url.pathname === '/streamed') {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      const write = async () => {
        for (const part of ['one ', 'two ', 'three']) {
          await scheduler.wait(1);
          await writer.write(new TextEncoder().encode(part));
        }
        await writer.close();
      };
      this.ctx.waitUntil(write());
      return new Response(readable, { status: 203 });
    }
    if (url.pathname === '/throw') throw new RangeError('thrown in fetch');
    if (url.pathname === '/empty') return new Response(null, { status: 204 });
    const name = url.pathname.slice(1);
    return Response.json(await outcome(() => (objectCases[name] ?? betweenCases[name] ?? flowCases[name] ?? webCases[name])(this.ctx, name, this)));
  }

  echo(...values) {
    return values;
  }

  async increment(by) {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + by;
    await this.ctx.storage.put('count', count);
    return count;
  }

  fail() {
    throw new RangeError('far too far');
  }

  writeAndThrow() {
    this.ctx.storage.kv.put('written', 1);
    throw new Error('after');
  }

  read() {
    return this.ctx.storage.kv.get('written');
  }

  countAndThrow() {
    this.count++;
    throw new Error('counted');
  }

  notes = [];

  incrementOf(name, by) {
    return this.env.CASES.getByName(name).increment(by);
  }

  async slowIncrement(ms) {
    const count = (await this.ctx.storage.get('count')) ?? 0;
    await scheduler.wait(ms);
    await this.ctx.storage.put('count', count + 1);
    return count + 1;
  }

  incrementLater(by) {
    this.ctx.waitUntil(scheduler.wait(20).then(() => this.increment(by)));
  }

  async noteAround(name, ms) {
    this.notes.push(`${name} begins`);
    await scheduler.wait(ms);
    this.notes.push(`${name} ends`);
  }

  nameOfId() {
    return ['name' in this.ctx.id, this.ctx.id.name];
  }

  notesOf() {
    return this.notes;
  }

  block(ms) {
    return this.ctx.blockConcurrencyWhile(() => this.noteAround('block', ms));
  }

  async failInBlock() {
    this.count = 5;
    await this.ctx.blockConcurrencyWhile(async () => {
      await scheduler.wait(5);
      throw new RangeError('in a block');
    });
  }

  tally(start) {
    return new Tally(start);
  }

  adder(first) {
    return (second) => first + second;
  }

  nested() {
    return { name: 'nested', tally: new Tally(100), list: [() => 'in a list'] };
  }

  get computed() {
    return `computed ${this.count}`;
  }

  async callBack(work, value) {
    return [await work(value), await work(value + 1)];
  }

  async callTarget(target) {
    await target.add(5);
    return target.count;
  }

  async callObject(stub) {
    return stub.increment(3);
  }

  begunOf() {
    return this.begun;
  }

  countOf() {
    return this.count;
  }

  end() {
    this.ctx.abort('the end');
  }

  async alarm(info) {
    const helper = await this.ctx.storage.get('helper');
    if (!helper) return;
    const told = await this.env.CASES.getByName(helper).increment(4);
    await scheduler.wait(10);
    await this.ctx.storage.put('rung', [told, info.isRetry, info.retryCount, await this.ctx.storage.getAlarm()]);
  }

  async ringFor(helper) {
    await this.ctx.storage.put('helper', helper);
    await this.ctx.storage.setAlarm(Date.now() + 20);
  }

  rungOf() {
    return this.ctx.storage.get('rung');
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const [, kind, name] = pathname.split('/');
    if (kind === 'names') {
      return Response.json([...Object.keys(objectCases), ...Object.keys(betweenCases), ...Object.keys(flowCases), ...Object.keys(webCases)].map((one) => `object/${one}`).concat(Object.keys(frontCases).map((one) => `front/${one}`)));
    }
    if (kind === 'front') return Response.json(await outcome(() => frontCases[name](env)));
    if (kind === 'object') return env.CASES.getByName(name).fetch(`https://example.com/${name}`);
    return new Response(`no case: ${pathname}`, { status: 404 });
  },
};
