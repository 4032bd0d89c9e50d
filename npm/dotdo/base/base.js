// `DOBase`: a durable object with things, relationships, actions and events, on dotdo and on Cloudflare.
import { DurableObject } from 'cloudflare:workers';
import { BaseError, invalid } from './errors.js';
import { ACTIONS, EVENTS, RELATIONSHIPS, shown } from './fields.js';
import { Records } from './records.js';
import { Tables, newId } from './tables.js';
import { Things } from './things.js';

/** Where the token is that somebody holds. */
const TOKEN = 'dotdo:fencing-token';
const HOLD_MS = 60_000;

const OPTIONS = {
  autoCheckpoint: (value) => typeof value === 'boolean',
  checkpointIntervalMs: (value) => Number.isInteger(value) && value >= 0,
  minChangesBeforeCheckpoint: (value) => Number.isInteger(value) && value >= 1,
};

export class DOBase extends DurableObject {
  #iceberg = { autoCheckpoint: true };

  constructor(ctx, env) {
    super(ctx, env);
    const tables = new Tables(ctx.storage);
    this.things = new Things(tables);
    this.relationships = new Records(tables, RELATIONSHIPS);
    this.actions = new Records(tables, ACTIONS);
    this.events = new Records(tables, EVENTS);
  }

  /** What this class asks of snapshots. Where the platform writes them, it is the platform's settings that hold. */
  configureIceberg(options) {
    for (const [name, value] of Object.entries(options)) {
      if (!Object.hasOwn(OPTIONS, name)) throw invalid(`expected the options ${Object.keys(OPTIONS).join(', ')}, got ${name}`);
      if (!OPTIONS[name](value)) throw invalid(`\`${name}\`: got ${shown(value)}`);
    }
    this.#iceberg = { ...this.#iceberg, ...options };
  }

  /** What was asked for. */
  get icebergOptions() {
    return { ...this.#iceberg };
  }

  /** Waits for nothing: the platform has loaded the state before the constructor. */
  async loadFromIceberg() {}

  /** Waits until what was written is durable. */
  async saveToIceberg() {
    await this.ctx.storage.sync();
  }

  /** A token that nobody else gets before it is released, or `holdMs` are over. */
  async acquireFencingToken({ holdMs = HOLD_MS } = {}) {
    const { kv } = this.ctx.storage;
    const held = kv.get(TOKEN);
    if (held && held.until > Date.now()) throw new BaseError('FENCED', 'another caller holds the fencing token; try again later');
    const token = newId();
    kv.put(TOKEN, { token, until: Date.now() + holdMs });
    return token;
  }

  /** Gives a token back. */
  async releaseFencingToken(token) {
    const { kv } = this.ctx.storage;
    if (kv.get(TOKEN)?.token !== token) throw new BaseError('FENCED', 'the fencing token is not held any more: it was released, or its time was over');
    kv.delete(TOKEN);
  }
}
