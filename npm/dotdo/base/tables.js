// Rows of the tables. All names in statements come from the lists of fields, and all values are bound.
import { columnOf } from './fields.js';

/** The tables of dotdo's built-in class. A thing's row is one version of it, whose number is its rowid. */
const TABLES = `
CREATE TABLE things (
  "id" TEXT NOT NULL, "type" TEXT NOT NULL, "branch" TEXT NOT NULL, "name" TEXT, "data" TEXT,
  "deleted" INTEGER NOT NULL, "visibility" TEXT
);
CREATE INDEX things_by_id ON things ("id", "branch");
CREATE INDEX things_by_type ON things ("type", "id", "branch");
CREATE INDEX things_by_branch ON things ("branch", "id");
CREATE TABLE relationships (
  "id" TEXT NOT NULL UNIQUE, "verb" TEXT NOT NULL, "from" TEXT NOT NULL, "to" TEXT NOT NULL, "data" TEXT,
  "created_at" TEXT NOT NULL, UNIQUE ("verb", "from", "to")
);
CREATE INDEX relationships_by_from ON relationships ("from", "verb");
CREATE INDEX relationships_by_to ON relationships ("to", "verb");
CREATE TABLE actions (
  "id" TEXT NOT NULL UNIQUE, "verb" TEXT NOT NULL, "actor" TEXT, "target" TEXT, "input" INTEGER, "output" INTEGER,
  "options" TEXT, "durability" TEXT NOT NULL, "status" TEXT NOT NULL, "error" TEXT, "request_id" TEXT, "session_id" TEXT,
  "workflow_id" TEXT, "started_at" TEXT, "completed_at" TEXT, "duration" INTEGER, "created_at" TEXT NOT NULL
);
CREATE INDEX actions_by_target ON actions ("target");
CREATE INDEX actions_by_status ON actions ("status");
CREATE INDEX actions_by_output ON actions ("output");
CREATE TABLE events (
  "id" TEXT NOT NULL UNIQUE, "verb" TEXT NOT NULL, "source" TEXT, "data" TEXT, "action_id" TEXT,
  "sequence" INTEGER PRIMARY KEY, "streamed" INTEGER NOT NULL, "streamed_at" TEXT, "created_at" TEXT NOT NULL
);
CREATE INDEX events_by_source ON events ("source");
CREATE INDEX events_by_action ON events ("action_id");
CREATE INDEX events_to_stream ON events ("sequence") WHERE "streamed" = 0;
`;

function cell({ kind }, value) {
  if (value === null || value === undefined) return null;
  if (kind === 'json') return JSON.stringify(value);
  return typeof value === 'boolean' ? Number(value) : value;
}

function valueOf({ kind }, value) {
  if (value === null) return null;
  if (kind === 'json') return JSON.parse(value);
  return kind === 'flag' ? value !== 0 : value;
}

/** The tables of one object, which are made by its first write: an object that is only read stays none. */
export class Tables {
  #storage;
  #areThere = false;

  constructor(storage) {
    this.#storage = storage;
  }

  #areMade() {
    this.#areThere ||= this.exec("SELECT count(*) AS count FROM sqlite_master WHERE type = 'table' AND name = 'events'").one().count > 0;
    return this.#areThere;
  }

  exec(query, ...values) {
    return this.#storage.sql.exec(query, ...values);
  }

  /** Does `work`, which writes, as a whole or not at all. */
  write(work) {
    const made = this.#areThere;
    try {
      return this.#storage.transactionSync(() => {
        if (!this.#areMade()) this.exec(TABLES);
        this.#areThere = true;
        return work();
      });
    } catch (error) {
      this.#areThere = made;
      throw error;
    }
  }

  /** The rows, called `t`, for which `filter` holds: an item and the number of its row each. */
  select({ name, fields }, filter, values) {
    if (!this.#areMade()) return [];
    const columns = fields.map((field) => `t.${columnOf(field)}`).join(', ');
    const rows = this.exec(`SELECT ${columns}, t.rowid FROM ${name} AS t WHERE ${filter}`, ...values).raw().toArray();
    return rows.map((row) => ({
      rowid: row[fields.length],
      item: Object.fromEntries(fields.map((field, at) => [field.name, valueOf(field, row[at])])),
    }));
  }

  first(collection, filter, values) {
    return this.select(collection, `${filter} LIMIT 1`, values)[0]?.item;
  }

  /** Adds a row, and gives its number. */
  insert({ name, fields }, item) {
    const columns = fields.map(columnOf).join(', ');
    const places = fields.map(() => '?').join(', ');
    const values = fields.map((field) => cell(field, item[field.name]));
    return this.exec(`INSERT INTO ${name} (${columns}) VALUES (${places}) RETURNING rowid AS number`, ...values).one().number;
  }

  update({ name, fields }, item) {
    const set = fields.map((field) => `${columnOf(field)} = ?`).join(', ');
    this.exec(`UPDATE ${name} SET ${set} WHERE "id" = ?`, ...fields.map((field) => cell(field, item[field.name])), item.id);
  }

  remove({ name }, id) {
    this.exec(`DELETE FROM ${name} WHERE "id" = ?`, id);
  }
}

/** A unique id; later ones are greater (UUID version 7). */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let ms = Date.now();
  for (let at = 5; at >= 0; at--) {
    bytes[at] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
}

export const now = () => new Date(Date.now()).toISOString();
