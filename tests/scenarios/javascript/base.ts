// What `DOBase` does, case by case, bundled with its package. workerd's answers are in base.json
// (`record` writes it), and are compared with those of dotdo.
import { DOBase } from 'dotdo';
import bytes from './base.bin';
import words from './base.sql';

interface Env {
  CASES: DurableObjectNamespace<Cases>;
}

const CHANGING = /^(created_at|started_at|completed_at|streamed_at|duration)$/;

/** A value without times, which differ, and with ids of ours as a word. */
function shown(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null, (name, item) => {
    if (CHANGING.test(name) && item !== null) return 'set';
    return typeof item === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(item) ? 'an id' : item;
  }));
}

async function outcome(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: shown(await work()) };
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    return { error: name, code, message };
  }
}

const cases: Record<string, (object: Cases) => Promise<unknown>> = {
  'a thing is created with defaults': (object) => object.things.create({ id: 't' }),
  'a thing without an id gets one': (object) => object.things.create({ name: 'n', data: { a: [1, null, 'x'] } }),
  'things are read': async (object) => {
    await object.things.create({ id: 't', type: 'Car', data: { color: 'red' } });
    return [await object.things.get('t'), await object.things.get('other'), await object.things.get('t', { branch: 'b' })];
  },
  'an update merges and makes a version': async (object) => {
    await object.things.create({ id: 't', data: { color: 'red', doors: 2 } });
    return [await object.things.update('t', { name: 'T', data: { color: 'blue', doors: null } }), await object.things.versions('t')];
  },
  'an update that changes nothing makes no version': async (object) => {
    const thing = await object.things.create({ id: 't', data: { a: 1 } });
    return [await object.things.update('t', { ...thing }), (await object.things.versions('t')).length];
  },
  'a deleted thing is gone and its versions stay': async (object) => {
    await object.things.create({ id: 't' });
    await object.things.delete('t', { actor: 'ada' });
    return [await object.things.get('t'), await object.things.get('t', { version: 1 }), await object.things.versions('t'), await object.things.list()];
  },
  'a deleted thing can be created again': async (object) => {
    await object.things.create({ id: 't' });
    await object.things.delete('t');
    return object.things.create({ id: 't', name: 'again' });
  },
  'branches are apart': async (object) => {
    await object.things.create({ id: 't', name: 'one' });
    await object.things.create({ id: 't', name: 'two' }, { branch: 'b' });
    await object.things.update('t', { name: 'three' }, { branch: 'b' });
    return [await object.things.get('t'), await object.things.get('t', { branch: 'b' }), await object.things.list({ branch: 'b' })];
  },
  'a thing at a time': async (object) => {
    await object.things.create({ id: 't' });
    return [await object.things.get('t', { at: '2099-01-01T00:00:00Z' }), await object.things.get('t', { at: 0 })];
  },
  'changes are recorded with their author': async (object) => {
    await object.things.create({ id: 't', type: 'Car' }, { actor: 'ada', session_id: 's' });
    await object.things.update('t', { name: 'x' }, { actor: 'bob' });
    return [await object.actions.list({ where: { target: 't' } }), await object.events.list()];
  },
  'pages follow each other': async (object) => {
    for (const id of ['a', 'b', 'c']) await object.things.create({ id });
    const first = await object.things.list({ limit: 2 });
    const second = await object.things.list({ limit: 2, after: first.next });
    const events = await object.events.list({ limit: 1, after: (await object.events.list({ limit: 1 })).next });
    return [first, second, events];
  },
  'conditions': async (object) => {
    await object.things.create({ id: 'a', type: 'Car', data: { color: 'red', n: 10, ok: true } });
    await object.things.create({ id: 'b', type: 'Car', data: { color: 'white', deep: { er: 'x' } } });
    await object.things.create({ id: 'c', type: 'Van' });
    const ids = async (options: Parameters<typeof object.things.list>[0]) => (await object.things.list(options)).items.map(({ id }) => id);
    return [
      await ids({ type: 'Car' }), await ids({ where: { 'data.color': 'red' } }), await ids({ where: { 'data.n': 10 } }), await ids({ where: { 'data.n': '10' } }),
      await ids({ where: { 'data.ok': true } }), await ids({ where: { 'data.deep.er': 'x' } }), await ids({ where: { name: null } }), await ids({ where: { 'data.color': null } }),
      await ids({ where: { version: 2 } }), await ids({ where: { deleted: false }, type: 'Van' }),
    ];
  },
  'relationships': async (object) => {
    const made = await object.relationships.create({ id: 'r', verb: 'owns', from: 'ada', to: 'van', data: { since: 1967 } });
    const updated = await object.relationships.update('r', { data: { since: 1968 } });
    const found = await object.relationships.list({ where: { to: 'van' } });
    await object.relationships.delete('r');
    return [made, updated, found, await object.relationships.get('r')];
  },
  'a relationship is unique': async (object) => {
    await object.relationships.create({ id: 'r', verb: 'owns', from: 'ada', to: 'van' });
    return object.relationships.create({ verb: 'owns', from: 'ada', to: 'van' });
  },
  'actions have times by their status': async (object) => {
    const made = await object.actions.create({ id: 'a', verb: 'wash', durability: 'try' });
    const running = await object.actions.update('a', { status: 'running' });
    const failed = await object.actions.update('a', { status: 'failed', error: { reason: 'no water' } });
    const again = await object.actions.update('a', { status: 'retrying' });
    return [made, running, failed, again];
  },
  'events are counted': async (object) => {
    await object.things.create({ id: 't' });
    const event = await object.events.create({ id: 'e', verb: 'honked', source: 't' });
    return [event, await object.events.update('e', { streamed: true })];
  },
  'error: a thing that exists': async (object) => {
    await object.things.create({ id: 't' });
    return object.things.create({ id: 't' });
  },
  'error: a thing that does not exist': (object) => object.things.update('t', { name: 'x' }),
  'error: an unknown field': (object) => object.things.create({ title: 'x' } as object),
  'error: another type': (object) => object.things.create({ name: 5 } as object),
  'error: another version': async (object) => {
    await object.things.create({ id: 't' });
    return object.things.update('t', { version: 7 });
  },
  'error: a status': (object) => object.actions.create({ verb: 'x', status: 'sleeping' as 'running' }),
  'error: no verb': (object) => object.events.create({} as { verb: string }),
  'error: an action with an output is kept': async (object) => {
    await object.things.create({ id: 't' });
    const [action] = (await object.actions.list()).items;
    return object.actions.delete(action?.id ?? '').catch((error: Error) => error.message.replace(/"[^"]*"/, '"…"'));
  },
  'error: a version that is none': (object) => object.actions.create({ verb: 'x', output: 9 }),
  'error: a condition': (object) => object.things.list({ where: { 'name.x': 1 } }),
  'error: a path': (object) => object.things.list({ where: { 'data."': 1 } }),
  'error: a limit': (object) => object.things.list({ limit: 0 }),
  'error: a cursor': (object) => object.things.list({ after: 'x' }),
  'what fails changes nothing': async (object) => {
    await object.things.create({ id: 't' });
    await object.relationships.create({ id: 't', verb: 'v', from: 'a', to: 'b' });
    const failed = await outcome(() => object.relationships.create({ verb: 'v', from: 'a', to: 'b' }));
    return [failed, (await object.relationships.list()).items.length, (await object.events.list()).items.length];
  },
  'an object that is read only has no tables': async (object) => {
    const read = [await object.things.list(), await object.events.get('e'), await object.things.get('t')];
    return [read, object.tables()];
  },
  'the founding example': async (object) => {
    object.configureIceberg({ autoCheckpoint: true, checkpointIntervalMs: 60_000, minChangesBeforeCheckpoint: 10 });
    await object.loadFromIceberg();
    const token = await object.acquireFencingToken();
    const second = await outcome(() => object.acquireFencingToken());
    await object.things.create({ id: '1', type: 'Widget' });
    await object.saveToIceberg();
    await object.releaseFencingToken(token);
    const late = await outcome(() => object.releaseFencingToken(token));
    await object.acquireFencingToken({ holdMs: -1 });
    return [object.icebergOptions, second, late, typeof (await object.acquireFencingToken())];
  },
  'files are texts and data': async () => [words, [...new Uint8Array(bytes)], bytes instanceof ArrayBuffer],
  'error: an option of Iceberg': async (object) => object.configureIceberg({ checkpointIntervalMs: 0.5 }),
};

export class Cases extends DOBase<Env> {
  tables(): unknown[] {
    return this.ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('things', 'events')").toArray();
  }

  async fetch(request: Request): Promise<Response> {
    const work = cases[decodeURIComponent(new URL(request.url).pathname.slice(1))];
    return Response.json(await outcome(async () => work?.(this)));
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (name === 'names') return Response.json(Object.keys(cases));
    if (!(name in cases)) return new Response(`no case: ${name}`, { status: 404 });
    return env.CASES.getByName(name).fetch(request);
  },
} satisfies ExportedHandler<Env>;
