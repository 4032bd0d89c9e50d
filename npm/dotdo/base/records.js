// Relationships, actions and events: one row for an item, changed in place.
import { ACTIONS, EVENTS, RELATIONSHIPS, THINGS, complete, isSame, keepFixed, merge, settable, withoutFixed } from './fields.js';
import { absent, conflict, invalid } from './errors.js';
import { page } from './list.js';
import { newId, now } from './tables.js';

const ENDED = ['completed', 'failed', 'undone'];

/** Sets the times of an action from its status. */
function stamp(before, after) {
  if (before?.status === after.status) return after;
  const time = now();
  const started = after.status === 'pending' ? after.started_at : after.started_at ?? time;
  if (!ENDED.includes(after.status)) return { ...after, started_at: started, completed_at: null, duration: null };
  const duration = Math.max(0, Date.parse(time) - Date.parse(started ?? time));
  return { ...after, started_at: started, completed_at: time, duration };
}

/** The items of one collection. */
export class Records {
  #tables;
  #collection;

  constructor(tables, collection) {
    this.#tables = tables;
    this.#collection = collection;
  }

  #find(id) {
    return this.#tables.first(this.#collection, 't."id" = ?', [String(id)]);
  }

  #expect(id) {
    const found = this.#find(id);
    if (!found) throw absent(`there is no ${this.#collection.item.split(' ')[1]} ${JSON.stringify(id)}`);
    return found;
  }

  /** A new item. */
  async create(given) {
    return this.#tables.write(() => {
      const item = { ...complete(this.#collection, given) };
      item.id ??= newId();
      if (this.#find(item.id)) throw conflict(`${this.#collection.item} ${JSON.stringify(item.id)} already exists; update it`);
      if ('created_at' in item) item.created_at = now();
      const checked = this.#checked(undefined, item);
      const number = this.#tables.insert(this.#collection, checked);
      return this.#collection === EVENTS ? { ...checked, sequence: number } : checked;
    });
  }

  /** The item, or null. */
  async get(id) {
    return this.#find(id) ?? null;
  }

  /** A page of items, in the order in which they were created. */
  async list(options) {
    return page(this.#tables, this.#collection, options);
  }

  /** The item with `changes` merged into it (RFC 7396). */
  async update(id, changes) {
    return this.#tables.write(() => {
      const collection = this.#collection;
      const before = this.#expect(id);
      const merged = merge(settable(collection, before), withoutFixed(collection, before, changes));
      const after = this.#checked(before, keepFixed(collection, before, complete(collection, merged)));
      if (!isSame(before, after)) this.#tables.update(collection, after);
      return after;
    });
  }

  /** Removes the item. */
  async delete(id) {
    if (this.#collection === EVENTS) throw invalid('events are numbered without gaps, so they can be changed but not deleted');
    return this.#tables.write(() => {
      const before = this.#expect(id);
      if (this.#collection === ACTIONS && before.output !== null) throw conflict(`the action ${JSON.stringify(id)} records when version ${before.output} of a thing was made and can't be deleted`);
      this.#tables.remove(this.#collection, before.id);
    });
  }

  #checked(before, after) {
    switch (this.#collection) {
      case RELATIONSHIPS:
        this.#checkUnique(after);
        return after;
      case ACTIONS:
        for (const name of ['input', 'output']) this.#checkVersion(name, before, after);
        return stamp(before, after);
      default:
        return after.streamed && after.streamed_at === null ? { ...after, streamed_at: now() } : after;
    }
  }

  #checkUnique({ id, verb, from, to }) {
    const twin = this.#tables.first(RELATIONSHIPS, 't."verb" = ? AND t."from" = ? AND t."to" = ? AND t."id" <> ?', [verb, from, to, id]);
    if (twin) throw conflict(`${JSON.stringify(from)} ${JSON.stringify(verb)} ${JSON.stringify(to)} already exists as the relationship ${JSON.stringify(twin.id)}`);
  }

  /** Versions can't be changed once set: the time of a version is found through them. */
  #checkVersion(name, before, after) {
    const was = before?.[name] ?? null;
    if (after[name] === was) return;
    if (was !== null) throw conflict(`\`${name}\`: expected version ${was}, which a caller can't change`);
    if (!this.#tables.first(THINGS, 't.rowid = ?', [after[name]])) throw invalid(`\`${name}\`: expected the version of a thing, but there is no version ${after[name]}`);
  }
}
