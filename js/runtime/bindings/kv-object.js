// A part of the keys of a KV namespace, with their small values.
import { host, view, encodeUtf8 } from 'dotdo:host';
import { textOf } from 'dotdo:bindings/ask';
import { IndexObject, LEFT } from 'dotdo:bindings/index-object';

const LIVES = '(expires_ms IS NULL OR expires_ms > ?)';

export class KvKeys extends IndexObject {
  static contents = 'dotdo_kv_value';
  static actions = ['get', 'many', 'put', 'begin', 'commit', 'remove', 'list'];
  static tables = [
    'CREATE TABLE entries (key TEXT PRIMARY KEY, value, size INTEGER NOT NULL, metadata TEXT, expires_ms INTEGER, written_ms INTEGER NOT NULL, pieces TEXT)',
    'CREATE INDEX entries_by_end ON entries (expires_ms) WHERE expires_ms IS NOT NULL',
    LEFT,
  ];

  #find(key) {
    if (!this.hasTables) return undefined;
    const [row] = this.rows(`SELECT value, size, metadata, pieces FROM entries WHERE key = ? AND ${LIVES}`, key, host.now());
    return row && { ...row, pieces: row.pieces === null ? undefined : JSON.parse(row.pieces) };
  }

  get({ key }) {
    const row = this.#find(key);
    if (!row) return { isAbsent: true };
    const { value, size, metadata, pieces } = row;
    if (pieces) return { size, metadata, pieces };
    return { size, metadata, bytes: typeof value === 'string' ? encodeUtf8(value) : view(value) };
  }

  many({ keys }) {
    const values = keys.map((key) => {
      const row = this.#find(key);
      if (!row) return { key, isAbsent: true };
      const { value, size, metadata, pieces } = row;
      if (pieces) return { key, size, metadata, pieces };
      return { key, metadata, text: typeof value === 'string' ? value : textOf(view(value)) };
    });
    return { values };
  }

  async put({ key, metadata, expires, isText }, bytes) {
    this.makeTables();
    await this.#write({ key, metadata, expires, size: bytes.length, value: isText ? textOf(bytes) : bytes, pieces: null });
  }

  async commit({ key, metadata, expires, size, pieces }) {
    this.makeTables();
    this.keep(pieces);
    await this.#write({ key, metadata, expires, size, value: null, pieces });
  }

  async #write({ key, metadata, expires, size, value, pieces }) {
    const [before] = this.rows('SELECT pieces FROM entries WHERE key = ?', key);
    this.sql(
      `INSERT INTO entries (key, value, size, metadata, expires_ms, written_ms, pieces) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
       ON CONFLICT (key) DO UPDATE SET value = ?2, size = ?3, metadata = ?4, expires_ms = ?5, written_ms = ?6, pieces = ?7`,
      key, value, size, metadata ?? null, expires ?? null, host.now(), pieces && JSON.stringify(pieces),
    );
    await this.leave(JSON.parse(before?.pieces ?? 'null'));
    if (expires !== undefined) await this.lookBy(expires);
  }

  async remove({ key }) {
    if (!this.hasTables) return;
    const [before] = this.rows('DELETE FROM entries WHERE key = ? RETURNING pieces', key);
    await this.leave(JSON.parse(before?.pieces ?? 'null'));
  }

  list({ start, after, end, count }) {
    if (!this.hasTables) return { items: [] };
    const from = after === undefined ? 'key >= ?4' : 'key > ?4';
    const rows = this.rows(
      `SELECT key, metadata, expires_ms AS expires FROM entries WHERE ${from} AND key < ?3 AND ${LIVES.replace('?', '?1')} ORDER BY key LIMIT ?2`,
      host.now(), count + 1, end, after ?? start,
    );
    const items = rows.slice(0, count);
    return { items, next: rows.length > count ? items.at(-1).key : undefined };
  }

  nextEnd() {
    return this.rows('SELECT min(expires_ms) AS next FROM entries WHERE expires_ms IS NOT NULL')[0].next;
  }

  async sweep(now) {
    const ended = this.rows('DELETE FROM entries WHERE expires_ms <= ? RETURNING pieces', now);
    for (const { pieces } of ended) if (pieces !== null) await this.leave(JSON.parse(pieces));
  }
}
