// A cron expression: when it is due next, and what became of its times.
import { host } from 'dotdo:host';
import { settings } from 'dotdo:environment';
import { handle } from 'dotdo:bindings/handlers';
import { BoundObject } from 'dotdo:bindings/object';

/** Number of runs that are kept. */
const RUNS_MAX = 100;

class ScheduledController {
  constructor(cron, scheduledTime) {
    this.cron = cron;
    this.scheduledTime = scheduledTime;
    this.type = 'scheduled';
  }

  /** A failed run is never repeated: it is over with the next time. */
  noRetry() {}
}

Object.defineProperty(ScheduledController.prototype, Symbol.toStringTag, { value: 'ScheduledController' });

export class Cron extends BoundObject {
  static actions = ['arm'];
  static tables = ['CREATE TABLE runs (scheduled_ms INTEGER PRIMARY KEY, ended_ms INTEGER NOT NULL, outcome TEXT NOT NULL, error TEXT)'];

  #runs = false;

  get #isConfigured() {
    return settings.crons?.includes(this.name);
  }

  /** Sees to it that there is a next time. */
  async arm() {
    if (this.#runs || !this.#isConfigured || (await this.ctx.storage.getAlarm()) !== null) return;
    await this.#next(host.now());
  }

  async #next(after) {
    const next = host.cronNext(this.name, after);
    if (next !== undefined) await this.ctx.storage.setAlarm(next);
  }

  /** Why the handler has failed; null if it has not. */
  async #run(scheduledTime) {
    try {
      await handle(this, 'scheduled', new ScheduledController(this.name, scheduledTime));
      return null;
    } catch (error) {
      host.log('error', `the worker's scheduled handler failed for ${this.name}: ${error?.stack ? `${error}\n${error.stack}` : error}`);
      return String(error);
    }
  }

  async alarm({ scheduledTime, isRetry }) {
    if (!this.#isConfigured) return this.end();
    this.#runs = true;
    const failure = isRetry ? 'the run before has taken too long, or too much memory' : await this.#run(scheduledTime);
    this.#runs = false;
    this.makeTables();
    this.sql('INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)', scheduledTime, host.now(), failure === null ? 'ok' : 'exception', failure);
    this.sql('DELETE FROM runs WHERE scheduled_ms NOT IN (SELECT scheduled_ms FROM runs ORDER BY scheduled_ms DESC LIMIT ?)', RUNS_MAX);
    return this.#next(Math.max(host.now(), scheduledTime));
  }
}
