// The base of objects that have keys whose large values are in objects of their own.
import { host, binary, encodeUtf8 } from 'dotdo:host';
import { ask, hex } from 'dotdo:bindings/ask';
import { BoundObject, Refused } from 'dotdo:bindings/object';

/** How long pieces that were begun may wait for their commit, in milliseconds. */
const BEGUN_MS_MAX = 3_600_000;

/** How long pieces stay that a reader may have heard of, in milliseconds. */
const READ_MS_MAX = 60_000;

/** Times at which is looked after what is over are multiples of this, in milliseconds: fewer alarms. */
const STEP_MS = 600_000;

/** Number of objects that one alarm goes through. */
const DROPS_MAX = 50;

/** The longest id of an object that is made of a key itself, in bytes. */
const ID_BYTES_MAX = 400;

export const LEFT = 'CREATE TABLE unused_pieces (object TEXT NOT NULL, version TEXT NOT NULL, after_ms INTEGER NOT NULL, PRIMARY KEY (object, version))';

export class IndexObject extends BoundObject {
  /** The class of the objects that have the pieces. */
  static contents;

  /** Names the pieces of a value, which are dropped later unless they are committed. */
  async begin({ key, part = '', sizes }) {
    this.makeTables();
    const version = hex(new Uint8Array(host.random(16)));
    const pieces = sizes.map((size, at) => ({ class: this.constructor.contents, object: this.#objectOf(key, `${part}${at ? `#${at}` : ''}`), version, size }));
    await this.leave(pieces, BEGUN_MS_MAX);
    return { pieces };
  }

  #objectOf(key, part) {
    const namespace = this.name.replace(/_\d+$/, '');
    const id = `${namespace}/${key}${part}`;
    return encodeUtf8(id).length <= ID_BYTES_MAX ? id : `${namespace}/${hex(new Uint8Array(host.md5(binary(encodeUtf8(key)))))}${part}`;
  }

  /** These pieces are part of a value from now on. */
  keep(pieces) {
    for (const { object, version } of pieces) {
      const kept = this.rows('DELETE FROM unused_pieces WHERE object = ? AND version = ? RETURNING 1 AS one', object, version);
      if (!kept.length) throw new Refused('the value took more than an hour to arrive; nothing was changed');
    }
  }

  /** These pieces are part of no value any more. */
  async leave(pieces, forMs = READ_MS_MAX) {
    if (!pieces?.length) return;
    const after = host.now() + forMs;
    for (const { object, version } of pieces) this.sql('INSERT OR REPLACE INTO unused_pieces VALUES (?, ?, ?)', object, version, after);
    await this.lookBy(after);
  }

  /** Looks after what is over at this time, or a little later. */
  lookBy(at) {
    return this.ringBy(Math.ceil(at / STEP_MS) * STEP_MS);
  }

  /** When something is over next, besides pieces. */
  nextEnd() {
    return null;
  }

  /** Removes what is over, besides pieces. */
  async sweep() {}

  async alarm() {
    if (!this.hasTables) return;
    await this.sweep(host.now());
    const due = this.rows('SELECT object, json_group_array(version) AS versions FROM unused_pieces WHERE after_ms <= ? GROUP BY object LIMIT ?', host.now(), DROPS_MAX);
    await Promise.all(due.map(({ object, versions }) => ask({ class: this.constructor.contents, object }, 'drop', { versions: JSON.parse(versions) })));
    for (const { object, versions } of due) {
      for (const version of JSON.parse(versions)) this.sql('DELETE FROM unused_pieces WHERE object = ? AND version = ?', object, version);
    }
    const [{ next }] = this.rows('SELECT min(after_ms) AS next FROM unused_pieces');
    const ends = [next, this.nextEnd()].filter((at) => at !== null);
    if (due.length === DROPS_MAX) await this.ctx.storage.setAlarm(host.now());
    else if (ends.length) await this.lookBy(Math.max(Math.min(...ends), host.now() + 1));
  }
}
