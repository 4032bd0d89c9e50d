// An object with what is too large for the object of its key: versions of one value, in rows.
import { view } from 'dotdo:host';
import { joined } from 'dotdo:bindings/ask';
import { BoundObject } from 'dotdo:bindings/object';

/** The size of a row, in bytes. */
const ROW_BYTES = 1 << 20;

export class Content extends BoundObject {
  static actions = ['put', 'get', 'drop'];
  static tables = ['CREATE TABLE rows (version TEXT NOT NULL, n INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (version, n))'];

  put({ version }, bytes) {
    this.makeTables();
    for (let n = 0; n * ROW_BYTES < bytes.length; n++) {
      this.sql('INSERT OR REPLACE INTO rows VALUES (?, ?, ?)', version, n, bytes.subarray(n * ROW_BYTES, (n + 1) * ROW_BYTES));
    }
  }

  get({ version, from, to }) {
    if (!this.hasTables) return { isGone: true };
    const first = Math.floor(from / ROW_BYTES);
    const rows = this.rows('SELECT bytes FROM rows WHERE version = ? AND n BETWEEN ? AND ? ORDER BY n', version, first, Math.floor((to - 1) / ROW_BYTES));
    if (!rows.length) return { isGone: true };
    return { bytes: joined(rows.map(({ bytes }) => view(bytes))).subarray(from - first * ROW_BYTES, to - first * ROW_BYTES) };
  }

  /** Versions that no key has any more. With the last one the object ends. */
  async drop({ versions }) {
    if (!this.hasTables) return;
    for (const version of versions) this.sql('DELETE FROM rows WHERE version = ?', version);
    if (!this.rows('SELECT 1 FROM rows LIMIT 1').length) await this.end();
  }
}
