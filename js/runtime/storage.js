// `ctx.storage`: keys and values, SQL, and the alarm of the object whose event runs.
import { binary, host, missing, view } from 'dotdo:host';
import { clones } from 'dotdo:lazy';

function keyOf(key) {
  if (typeof key !== 'string') throw new TypeError(`expected a key as a string, got ${typeof key}`);
  return key.toWellFormed();
}

const keysOf = (keys) => keys.map(keyOf);

function listed(options = {}) {
  const { start, startAfter, end, prefix, reverse, limit } = options ?? {};
  if (limit !== undefined && !(Number(limit) > 0)) throw new TypeError('List limit must be positive.');
  if (start !== undefined && startAfter !== undefined) throw new TypeError('list() cannot be called with both start and startAfter values.');
  return JSON.stringify({ start, startAfter, end, prefix, reverse: Boolean(reverse), limit: limit === undefined ? undefined : Math.min(Number(limit), 0xffffffff) });
}

class Values {
  constructor(token) {
    this.token = token;
  }

  get(key) {
    if (Array.isArray(key)) {
      const found = new Map();
      for (const one of [...new Set(keysOf(key))].sort()) {
        const text = host.kvGet(this.token, one);
        if (text !== undefined) found.set(one, clones().decode(text));
      }
      return found;
    }
    const text = host.kvGet(this.token, keyOf(key));
    return text === undefined ? undefined : clones().decode(text);
  }

  put(key, value) {
    if (typeof key === 'object' && key !== null) {
      const entries = Object.entries(key).filter(([, item]) => item !== undefined);
      const texts = entries.map(([one, item]) => [keyOf(one), clones().encode(item)]);
      for (const [one, text] of texts) host.kvPut(this.token, one, text);
      return;
    }
    if (value === undefined) throw new TypeError('put() called with undefined value.');
    host.kvPut(this.token, keyOf(key), clones().encode(value));
  }

  delete(key) {
    if (Array.isArray(key)) return keysOf(key).filter((one) => host.kvDelete(this.token, one)).length;
    return host.kvDelete(this.token, keyOf(key));
  }

  list(options) {
    const flat = host.kvList(this.token, listed(options));
    const found = new Map();
    for (let at = 0; at < flat.length; at += 2) found.set(flat[at], clones().decode(flat[at + 1]));
    return found;
  }
}

/** The synchronous keys and values: `ctx.storage.kv`. */
class SyncKvStorage {
  #values;

  constructor(values) {
    this.#values = values;
  }

  get(key) {
    return this.#values.get(keyOf(key));
  }

  put(key, value) {
    this.#values.put(keyOf(key), value);
  }

  delete(key) {
    return this.#values.delete(keyOf(key));
  }

  list(options) {
    return this.#values.list(options).entries();
  }
}

class SqlStorageCursor {
  #columns;
  #rows;
  #read;
  #written;
  #at = 0;

  constructor({ columns, rows, read, written }) {
    this.#columns = columns;
    this.#rows = rows;
    this.#read = read;
    this.#written = written;
  }

  get columnNames() {
    return [...this.#columns];
  }

  get rowsRead() {
    return this.#read;
  }

  get rowsWritten() {
    return this.#written;
  }

  #take() {
    return this.#at < this.#rows.length ? this.#rows[this.#at++] : undefined;
  }

  #named(row) {
    const object = {};
    this.#columns.forEach((name, at) => {
      // An assignment to it would not make a field.
      if (name === '__proto__') Object.defineProperty(object, name, { value: row[at], writable: true, enumerable: true, configurable: true });
      else object[name] = row[at];
    });
    return object;
  }

  next() {
    const row = this.#take();
    return row ? { done: false, value: this.#named(row) } : { done: true, value: undefined };
  }

  toArray() {
    return [...this];
  }

  one() {
    const row = this.#take();
    if (!row) throw new Error('Expected exactly one result from SQL query, but got no results.');
    if (this.#take()) throw new Error('Expected exactly one result from SQL query, but got multiple results.');
    return this.#named(row);
  }

  *#raw() {
    for (let row = this.#take(); row; row = this.#take()) yield row;
  }

  raw() {
    const rows = this.#raw();
    rows.toArray = () => [...rows];
    return rows;
  }

  [Symbol.iterator]() {
    return this;
  }
}

/** A parameter as Rust takes it: bytes are a list of their binary text. */
function parameter(value) {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'string':
      return value.toWellFormed();
    case 'number':
      return value;
    case 'boolean':
      return String(value);
    case 'object': {
      const bytes = view(value);
      if (bytes) return [binary(bytes)];
    }
  }
  throw new TypeError(`expected a string, a number, a boolean, null or bytes as a parameter, got ${typeof value}`);
}

class SqlStorage {
  #token;

  constructor(token) {
    this.#token = token;
  }

  exec(query, ...parameters) {
    if (/^\s*(begin|commit|end|savepoint|release|rollback)\b/i.test(query)) {
      throw new Error('expected no statement that begins or ends a transaction: use ctx.storage.transactionSync()');
    }
    return new SqlStorageCursor(host.sql(this.#token, String(query).toWellFormed(), parameters.map(parameter)));
  }

  get databaseSize() {
    return host.databaseSize(this.#token);
  }
}

SqlStorage.prototype.Cursor = SqlStorageCursor;

function timeOf(when) {
  const at = when instanceof Date ? when.getTime() : Number(when);
  if (!Number.isFinite(at)) throw new TypeError('setAlarm() cannot be called with an invalid time');
  return Math.floor(at);
}

const settled = async (work) => work();

/** Transactions that are open in this slice, the innermost last. */
const transactions = new Set();

/** A slice has ended, and with it what is open. */
export function endTransactions() {
  if (!transactions.size) return;
  for (const { release } of [...transactions].reverse()) release();
  transactions.clear();
}

/** The storage within a transaction. */
class Transaction {
  #storage;
  #open;

  constructor(storage, open) {
    this.#storage = storage;
    this.#open = open;
  }

  rollback() {
    this.#open.isUndone = true;
  }

  static {
    for (const name of ['get', 'put', 'delete', 'list', 'getAlarm', 'setAlarm', 'deleteAlarm']) {
      this.prototype[name] = function (...values) {
        return this.#storage[name](...values);
      };
    }
  }
}

export class DurableObjectStorage {
  #token;
  #values;
  #hasAlarm;
  #depth = 0;
  #named;
  #instance;

  /** `named`: what the object's id was made of. */
  constructor(instance, { hasAlarm, named }) {
    this.#instance = instance;
    this.#token = instance.number;
    this.#named = named;
    this.#values = new Values(this.#token);
    this.#hasAlarm = hasAlarm;
    this.kv = new SyncKvStorage(this.#values);
    this.sql = new SqlStorage(this.#token);
  }

  get(key) {
    return settled(() => this.#values.get(key));
  }

  put(key, value) {
    return settled(() => this.#values.put(key, value));
  }

  delete(key) {
    return settled(() => this.#values.delete(key));
  }

  list(options) {
    return settled(() => this.#values.list(options));
  }

  deleteAll() {
    return settled(() => {
      this.transactionSync(() => dropTables(this.#token));
      host.kvDeleteAll(this.#token);
      host.alarmDelete(this.#token);
      if (this.#named !== undefined && this.#instance.sockets.list().length) this._keepName();
    });
  }

  async sync() {}

  /** Events of alarms and of WebSockets do not say what the object's id was made of. */
  _keepName() {
    if (this.#named !== undefined) host.nameKeep(this.#token, this.#named);
  }

  /** What `work` writes is undone if it fails or asks for it, unless it awaits something outside before. */
  async transaction(work) {
    const open = { name: `dotdo_js_${this.#depth++}`, isUndone: false };
    const run = (statement) => host.sql(this.#token, statement, []);
    const end = (undo) => {
      if (!transactions.delete(open)) {
        if (undo) throw new Error('a transaction that has awaited something besides its storage is written, and can not be undone');
        return;
      }
      if (undo) run(`ROLLBACK TO ${open.name}`);
      run(`RELEASE ${open.name}`);
    };
    open.release = () => run(`RELEASE ${open.name}`);
    run(`SAVEPOINT ${open.name}`);
    transactions.add(open);
    try {
      const result = await work(new Transaction(this, open));
      end(open.isUndone);
      return result;
    } catch (error) {
      end(true);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  transactionSync(work) {
    const name = `dotdo_js_${this.#depth++}`;
    const run = (statement) => host.sql(this.#token, statement, []);
    try {
      run(`SAVEPOINT ${name}`);
      try {
        const result = work();
        run(`RELEASE ${name}`);
        return result;
      } catch (error) {
        run(`ROLLBACK TO ${name}`);
        run(`RELEASE ${name}`);
        throw error;
      }
    } finally {
      this.#depth--;
    }
  }

  getAlarm() {
    return settled(() => host.alarmGet(this.#token) ?? null);
  }

  setAlarm(when) {
    return settled(() => {
      if (!this.#hasAlarm) {
        throw new Error('Your Durable Object class must have an alarm() handler in order to call setAlarm()');
      }
      host.alarmSet(this.#token, timeOf(when));
      this._keepName();
    });
  }

  deleteAlarm() {
    return settled(() => host.alarmDelete(this.#token));
  }

  get [Symbol.toStringTag]() {
    return 'DurableObjectStorage';
  }
}

for (const name of ['getCurrentBookmark', 'getBookmarkForTime', 'onNextSessionRestoreBookmark', 'waitForBookmark', 'ensureReplicas']) {
  DurableObjectStorage.prototype[name] = () => missing(`storage.${name}`, 'restore a state by `dotdo snapshot restore`');
}

/** Drops what the class has made. One that others refer to goes after these, hence the rounds. */
function dropTables(token) {
  const query = `SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE '\\_dotdo\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type DESC, sql LIKE 'CREATE VIRTUAL%' DESC`;
  for (;;) {
    const { rows } = host.sql(token, query, []);
    if (!rows.length) return;
    let failure;
    const dropped = rows.filter(([type, name]) => {
      try {
        host.sql(token, `DROP ${type} IF EXISTS "${name.replaceAll('"', '""')}"`, []);
        return true;
      } catch (error) {
        failure = error;
        return false;
      }
    });
    if (!dropped.length) throw failure;
  }
}
