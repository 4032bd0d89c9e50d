// A queue: its messages, and their delivery to the worker's `queue`.
import { host } from 'dotdo:host';
import { decode } from 'dotdo:clone';
import { settings } from 'dotdo:environment';
import { ask } from 'dotdo:bindings/ask';
import { handle } from 'dotdo:bindings/handlers';
import { Batch, Message } from 'dotdo:bindings/messages';
import { BoundObject } from 'dotdo:bindings/object';

/** How long a message waits for its queue of dead letters until it is tried again, in milliseconds. */
const DEAD_MS = 60_000;

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function bodyOf({ body, content_type: type }) {
  if (type === 'json') return JSON.parse(body);
  if (type === 'v8') return decode(body);
  return body;
}

export class Queue extends BoundObject {
  static actions = ['send'];
  static tables = [
    'CREATE TABLE messages (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body, content_type TEXT NOT NULL, sent_ms INTEGER NOT NULL, visible_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0)',
    'CREATE INDEX messages_by_time ON messages (visible_ms, seq)',
  ];

  /** The delivery that is under way. A later one takes its place: the runtime has given that up. */
  #delivery = null;

  get #consumer() {
    return settings.consumers?.[this.name];
  }

  async send({ messages, delay = 0 }) {
    this.makeTables();
    for (const { type, text, delay: own } of messages) {
      const id = Array.from(new Uint8Array(host.random(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
      const body = type === 'bytes' ? bytesOf(text) : text;
      this.sql('INSERT INTO messages (id, body, content_type, sent_ms, visible_ms) VALUES (?, ?, ?, ?, ?)', id, body, type, host.now(), host.now() + (own ?? delay) * 1000);
    }
    await this.#ring();
  }

  /** When there is a batch: once it is full, or its first message has waited for long enough. */
  async #ring() {
    const consumer = this.#consumer;
    // Whoever delivers looks afterwards, and keeps the alarm meanwhile.
    if (this.#delivery || !consumer || !this.hasTables) return;
    const [first] = this.rows('SELECT visible_ms AS at FROM messages ORDER BY visible_ms, seq LIMIT 1');
    if (!first) return;
    const [full] = this.rows('SELECT visible_ms AS at FROM messages ORDER BY visible_ms, seq LIMIT 1 OFFSET ?', consumer.batch_size - 1);
    const waited = first.at + consumer.batch_timeout * 1000;
    await this.ringBy(Math.max(full ? Math.min(full.at, waited) : waited, host.now()));
  }

  async alarm({ retryCount }) {
    const delivery = Symbol('delivery');
    this.#delivery = delivery;
    try {
      await this.#deliver(retryCount);
    } finally {
      if (this.#delivery === delivery) this.#delivery = null;
    }
    await this.#ring();
  }

  /** `failures`: how often the runtime has ended the delivery before, which may have been for one message. */
  async #deliver(failures) {
    const consumer = this.#consumer;
    if (!consumer || !this.hasTables) return;
    const size = failures ? 1 : consumer.batch_size;
    const rows = this.rows('SELECT * FROM messages WHERE visible_ms <= ? ORDER BY visible_ms, seq LIMIT ?', host.now(), size);
    if (!rows.length || (rows.length < size && rows[0].visible_ms + consumer.batch_timeout * 1000 > host.now())) return;
    if (failures > consumer.retries) {
      await this.#bury(rows);
      return;
    }
    for (const row of rows) this.sql('UPDATE messages SET attempts = attempts + 1 WHERE seq = ?', row.seq);
    const messages = rows.map((row) => new Message({ id: row.id, timestamp: new Date(row.sent_ms), body: bodyOf(row), attempts: row.attempts + 1 }));
    const batch = new Batch(this.name, messages);
    let hasFailed = false;
    try {
      await handle(this, 'queue', batch);
    } catch (error) {
      hasFailed = true;
      host.log('error', `the worker's queue handler failed for ${this.name}: ${error?.stack ? `${error}\n${error.stack}` : error}`);
    }
    await this.#settle(rows, batch, hasFailed);
  }

  /** What becomes of the messages of a batch. */
  async #settle(rows, batch, hasFailed) {
    const { retry_delay: usual = 0, retries } = this.#consumer;
    const lost = [];
    rows.forEach((row, at) => {
      const { retries: again, delay } = batch.fateOf(at, hasFailed);
      if (!again) this.#remove(row);
      else if (row.attempts >= retries) lost.push(row);
      else this.#show(row, (delay ?? usual) * 1000);
    });
    await this.#bury(lost);
  }

  #remove({ seq }) {
    this.sql('DELETE FROM messages WHERE seq = ?', seq);
  }

  /** The message may be delivered again, in so many milliseconds. */
  #show({ seq }, ms) {
    this.sql('UPDATE messages SET visible_ms = ? WHERE seq = ?', host.now() + ms, seq);
  }

  /** These have failed for the last time. */
  async #bury(lost) {
    if (!lost.length) return;
    const { dead_letter_queue: dead } = this.#consumer;
    if (!dead) {
      for (const row of lost) {
        host.log('error', `a message of the queue ${this.name} has failed for the last time, and there is no dead_letter_queue: ${row.id}`);
        this.#remove(row);
      }
      return;
    }
    for (const row of lost) this.#show(row, DEAD_MS);
    const letters = lost.map(({ body, content_type: type }) => ({ type, text: type === 'bytes' ? btoa(String.fromCharCode(...new Uint8Array(body))) : body }));
    await ask({ class: 'dotdo_queue', object: dead }, 'send', { messages: letters });
    for (const row of lost) this.#remove(row);
  }
}
