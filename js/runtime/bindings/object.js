// The base of the objects that hold what bindings store.
import { host } from 'dotdo:host';
import { OwnObject } from 'dotdo:objects';
import { asked, framed } from 'dotdo:bindings/ask';

/** What the caller is told, and no failure of the object. */
export class Refused extends Error {
  constructor(message, more, name = 'Error') {
    super(message);
    this.told = { name, message, more };
  }
}

/** An object that does what `actions` of its class names, and has its tables from its first change on. */
export class BoundObject extends OwnObject {
  /** Methods that bindings may ask for, with values and bytes. */
  static actions = [];
  /** Statements that make the tables. */
  static tables = [];

  #hasTables;
  #instance;

  constructor(ctx, env, instance) {
    super();
    this.#instance = instance;
    this.ctx = ctx;
    this.env = env;
    this.name = ctx.id.toString();
    this.#hasTables = this.rows("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_dotdo%' ESCAPE '\\' LIMIT 1").length > 0;
  }

  async answer(request, body) {
    const { action, values, bytes } = asked(request, body);
    if (!this.constructor.actions.includes(action)) throw new TypeError(`${this.constructor.name} has no action ${action}`);
    try {
      const { bytes: more, ...told } = (await this[action](values, bytes)) ?? {};
      return framed(told, more);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return framed({ error: error.told });
    }
  }

  /** Whether there is anything to read. */
  get hasTables() {
    return this.#hasTables;
  }

  makeTables() {
    if (this.#hasTables) return;
    for (const statement of this.constructor.tables) this.sql(statement);
    this.#hasTables = true;
  }

  /** Ends the object, until it is asked to keep something again. */
  async end() {
    await this.ctx.storage.deleteAll();
    this.#hasTables = false;
    host.deleteIfEmpty(this.#instance);
  }

  sql(query, ...parameters) {
    return this.ctx.storage.sql.exec(query, ...parameters);
  }

  /** The rows of a query, as objects. */
  rows(query, ...parameters) {
    return this.sql(query, ...parameters).toArray();
  }

  /** Has the alarm ring at this time, or earlier. */
  async ringBy(at) {
    const now = await this.ctx.storage.getAlarm();
    if (now === null || now > at) await this.ctx.storage.setAlarm(at);
  }
}
