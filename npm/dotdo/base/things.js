// Things: every change is a new row, which is written with its action and its event. A thing is
// identified by its id and its branch; its newest row is its current version.
import { ACTIONS, EVENTS, THINGS, complete, isSame, keepFixed, merge, settable, shown, timeOf, withoutFixed } from './fields.js';
import { absent, conflict, invalid } from './errors.js';
import { page } from './list.js';
import { newId, now } from './tables.js';

/** The time of the version in row `t`: that of the action that made it. */
const MADE_AT = '(SELECT a."created_at" FROM actions AS a WHERE a."output" = t.rowid ORDER BY a.rowid LIMIT 1)';
const PAST = { create: 'created', update: 'updated', delete: 'deleted' };
const ORIGIN = ['actor', 'session_id', 'workflow_id', 'request_id'];

const isThere = (thing) => thing !== undefined && !thing.deleted;

/** Who changes a thing, for the action that records it. */
function originOf({ branch, ...given }) {
  for (const [name, value] of Object.entries(given)) {
    if (!ORIGIN.includes(name)) throw invalid(`expected the options branch, ${ORIGIN.join(', ')}, got ${name}`);
    if (value !== undefined && value !== null && typeof value !== 'string') throw invalid(`\`${name}\`: expected a text, got ${shown(value)}`);
  }
  return given;
}

export class Things {
  #tables;

  constructor(tables) {
    this.#tables = tables;
  }

  /** A new thing, or a deleted one again. */
  async create(given, options = {}) {
    const origin = originOf(options);
    const thing = complete(THINGS, { ...given, branch: given?.branch ?? options.branch });
    thing.id ??= newId();
    return this.#tables.write(() => {
      const before = this.#newest(thing.id, thing.branch);
      if (isThere(before)) throw conflict(`a thing ${JSON.stringify(thing.id)} already exists on the branch ${JSON.stringify(thing.branch)}; update it`);
      return this.#append('create', before, thing, origin);
    });
  }

  /** The thing, or null: the current version, or that of a number or a time. */
  async get(id, { branch = 'main', version, at } = {}) {
    if (version !== undefined) return this.#tables.first(THINGS, 't.rowid = ? AND t."id" = ?', [version, id]) ?? null;
    const thing = at === undefined ? this.#newest(id, branch) : this.#newest(id, branch, timeOf('at', at));
    return isThere(thing) ? thing : null;
  }

  /** A page of things that are there, in the order of their ids. */
  async list(options) {
    return page(this.#tables, THINGS, options);
  }

  /** All versions of a thing, oldest first. */
  async versions(id, { branch = 'main' } = {}) {
    return this.#tables.select(THINGS, 't."id" = ? AND t."branch" = ? ORDER BY t.rowid', [id, branch]).map(({ item }) => item);
  }

  /** The thing with `changes` merged into it (RFC 7396). What changes nothing makes no version. */
  async update(id, changes, options = {}) {
    const origin = originOf(options);
    return this.#tables.write(() => {
      const before = this.#expect(id, changes?.branch ?? options.branch);
      const merged = merge(settable(THINGS, before), withoutFixed(THINGS, before, changes));
      const after = keepFixed(THINGS, before, complete(THINGS, merged));
      return isSame(before, after) ? before : this.#append('update', before, after, origin);
    });
  }

  /** Adds a version that marks the thing as deleted. */
  async delete(id, options = {}) {
    const origin = originOf(options);
    this.#tables.write(() => {
      const before = this.#expect(id, options.branch);
      this.#append('delete', before, before, origin);
    });
  }

  #newest(id, branch, at) {
    const then = at === undefined ? '' : ` AND ${MADE_AT} <= ?`;
    return this.#tables.first(THINGS, `t."id" = ? AND t."branch" = ?${then} ORDER BY t.rowid DESC`, [id, branch, ...(at === undefined ? [] : [at])]);
  }

  #expect(id, branch = 'main') {
    const thing = this.#newest(id, branch);
    if (!isThere(thing)) throw absent(`there is no thing ${JSON.stringify(id)} on the branch ${JSON.stringify(branch)}`);
    return thing;
  }

  #append(verb, before, thing, origin) {
    const number = this.#tables.insert(THINGS, { ...thing, deleted: verb === 'delete', version: null });
    const after = { ...thing, deleted: verb === 'delete', version: number };
    const [time, action] = [now(), newId()];
    this.#tables.insert(ACTIONS, {
      id: action, verb, target: thing.id, input: before?.version, output: number, durability: 'do', status: 'completed', ...origin,
      started_at: time, completed_at: time, duration: 0, created_at: time,
    });
    this.#tables.insert(EVENTS, {
      id: newId(), verb: PAST[verb], source: thing.id, data: { type: thing.type, branch: thing.branch, version: number },
      action_id: action, streamed: false, created_at: time,
    });
    return after;
  }
}
