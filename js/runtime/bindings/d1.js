// `env.DB`: D1.
import { binary, missing, view } from 'dotdo:host';
import { ask } from 'dotdo:bindings/ask';

/** There is one copy of a database, and whoever asks it sees what was written before: all bookmarks are the same. */
const BOOKMARK = '00000000-00000000-00000000-00000000000000000000000000000000';

function failed(kind, why) {
  return new Error(`${kind}: ${why}`, { cause: new Error(why) });
}

function parameter(value) {
  if (value === null || ['number', 'string'].includes(typeof value)) return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  const bytes = Array.isArray(value) ? Uint8Array.from(value) : view(value);
  if (bytes) return { b: btoa(binary(bytes)) };
  throw failed('D1_TYPE_ERROR', `Type '${typeof value}' not supported for value '${value}'`);
}

/** Statements that change nothing, whatever they name. */
const isRead = ({ sql }) => /^\s*(select|values|explain)\b/i.test(sql) && !/;\s*\S/.test(sql);

async function send(database, statements, kind = 'D1_ERROR') {
  const { values } = await ask(database, 'run', { statements }, { reads: statements.every(isRead) });
  if (values.failed) throw failed(kind, kind === 'D1_EXEC_ERROR' ? `Error in line ${values.at + 1}: ${statements[values.at].sql}: ${values.failed}` : values.failed);
  return values.results;
}

const named = ({ columns, rows }) => rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));

const result = (answer) => ({ success: true, meta: answer.meta, results: named(answer) });

/** What each statement is, for those that are sent together. */
const statements = new WeakMap();

class D1PreparedStatement {
  #sql;
  #parameters;
  #send;

  constructor(send, sql, parameters = []) {
    this.#send = send;
    this.#sql = sql;
    this.#parameters = parameters;
    statements.set(this, { sql, parameters });
  }

  bind(...values) {
    return new D1PreparedStatement(this.#send, this.#sql, values.map(parameter));
  }

  async #run() {
    const [answer] = await this.#send([statements.get(this)]);
    return answer;
  }

  async first(column) {
    const [row] = named(await this.#run());
    if (row === undefined) return null;
    if (column === undefined) return row;
    if (!Object.hasOwn(row, column)) throw new Error(`D1_COLUMN_NOTFOUND: Column not found (${column})`, { cause: new Error('Column not found') });
    return row[column];
  }

  async all() {
    return result(await this.#run());
  }

  run() {
    return this.all();
  }

  async raw(options) {
    const { columns, rows } = await this.#run();
    return options?.columnNames ? [columns, ...rows] : rows;
  }
}

async function batchOf(send, given) {
  const list = given.map((statement) => statements.get(statement));
  if (list.includes(undefined)) throw failed('D1_ERROR', 'expected statements that prepare() has made');
  return (await send(list)).map(result);
}

class D1DatabaseSession {
  #send;
  #bookmark = null;

  constructor(send, constraint) {
    if (constraint && !constraint.startsWith('first-')) this.#bookmark = constraint;
    this.#send = async (list) => {
      const results = await send(list);
      this.#bookmark = BOOKMARK;
      return results;
    };
  }

  prepare(sql) {
    return new D1PreparedStatement(this.#send, String(sql));
  }

  batch(given) {
    return batchOf(this.#send, given);
  }

  getBookmark() {
    return this.#bookmark;
  }
}

export class D1Database {
  #send;

  constructor(name) {
    this.#send = (list, kind) => send({ class: 'dotdo_d1', object: name }, list, kind);
  }

  prepare(sql) {
    return new D1PreparedStatement(this.#send, String(sql));
  }

  batch(given) {
    return batchOf(this.#send, given);
  }

  async exec(text) {
    const lines = String(text).trim().split('\n').filter((line) => line.trim());
    await this.#send(lines.map((sql) => ({ sql, parameters: [] })), 'D1_EXEC_ERROR');
    return { count: lines.length, duration: 0 };
  }

  withSession(constraint) {
    return new D1DatabaseSession(this.#send, constraint ? String(constraint) : undefined);
  }

  dump() {
    return missing('D1Database.dump', 'export the database by `dotdo snapshot export`');
  }
}
