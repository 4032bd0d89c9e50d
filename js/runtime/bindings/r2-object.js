// A part of the keys of an R2 bucket, with their small contents, and uploads in parts.
import { host, view } from 'dotdo:host';
import { hex } from 'dotdo:bindings/ask';
import { IndexObject, LEFT } from 'dotdo:bindings/index-object';
import { Refused } from 'dotdo:bindings/object';
import { endOf } from 'dotdo:bindings/shards';

const PART_BYTES_MIN = 5 << 20;

/** How long an upload in parts may take, in milliseconds: as on Cloudflare. */
const UPLOAD_MS_MAX = 7 * 86_400_000;

const COLUMNS = 'key, size, etag, version, uploaded_ms AS uploaded, http_metadata AS http, custom_metadata AS custom, checksums';

const NO_UPLOAD = 'The specified multipart upload does not exist. (10024)';
const NO_PART = 'One or more of the specified parts could not be found. (10025)';

/** Whether `onlyIf` holds for an object that is there, or not. */
function holds({ matches, differs, before, after, inSeconds }, found) {
  if (!found) return matches === undefined && after === undefined;
  const isIn = (etags) => etags.includes('*') || etags.includes(found.etag);
  const uploaded = inSeconds ? Math.floor(found.uploaded / 1000) * 1000 : found.uploaded;
  if (matches !== undefined && !isIn(matches)) return false;
  if (differs !== undefined && isIn(differs)) return false;
  // A condition on the etag takes the place of the one on the time.
  if (matches === undefined && before !== undefined && !(uploaded < before)) return false;
  return differs !== undefined || after === undefined || uploaded > after;
}

export class R2Keys extends IndexObject {
  static contents = 'dotdo_r2_value';
  static actions = ['head', 'get', 'put', 'begin', 'commit', 'remove', 'list', 'create', 'part', 'complete', 'abort'];
  static tables = [
    'CREATE TABLE objects (key TEXT PRIMARY KEY, size INTEGER NOT NULL, etag TEXT NOT NULL, version TEXT NOT NULL, uploaded_ms INTEGER NOT NULL, http_metadata TEXT NOT NULL, custom_metadata TEXT NOT NULL, checksums TEXT NOT NULL, content BLOB, pieces TEXT)',
    'CREATE TABLE uploads (id TEXT PRIMARY KEY, key TEXT NOT NULL, http_metadata TEXT NOT NULL, custom_metadata TEXT NOT NULL, begun_ms INTEGER NOT NULL)',
    'CREATE TABLE parts (upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, pieces TEXT NOT NULL, PRIMARY KEY (upload, number))',
    LEFT,
  ];

  #find(key, columns = COLUMNS) {
    return this.hasTables ? this.rows(`SELECT ${columns} FROM objects WHERE key = ?`, key)[0] : undefined;
  }

  begin(values) {
    if (values.upload !== undefined) this.#upload(values.key, values.upload);
    return super.begin(values);
  }

  head({ key }) {
    return { found: this.#find(key) };
  }

  get({ key, onlyIf }) {
    const found = this.#find(key, `${COLUMNS}, content, pieces`);
    if (!found) return {};
    const { content, pieces, ...about } = found;
    if (onlyIf && !holds(onlyIf, found)) return { found: about, isRefused: true };
    return pieces === null ? { found: about, bytes: view(content) } : { found: about, pieces: JSON.parse(pieces) };
  }

  put(values, bytes) {
    this.makeTables();
    return this.#write({ ...values, size: bytes.length, content: bytes, pieces: null });
  }

  commit(values) {
    const found = this.#find(values.key);
    if (values.onlyIf && !holds(values.onlyIf, found)) return {};
    this.keep(values.pieces);
    return this.#write({ ...values, content: null });
  }

  async #write({ key, size, etag, http, custom, checksums, content, pieces, onlyIf }) {
    const found = this.#find(key, `${COLUMNS}, pieces`);
    if (onlyIf && !holds(onlyIf, found)) return {};
    const version = hex(new Uint8Array(host.random(16)));
    this.sql(
      'INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      key, size, etag, version, host.now(), http, custom, checksums, content, pieces && JSON.stringify(pieces),
    );
    await this.leave(JSON.parse(found?.pieces ?? 'null'));
    return { found: this.#find(key) };
  }

  async remove({ keys }) {
    if (!this.hasTables) return;
    for (const key of keys) {
      const [before] = this.rows('DELETE FROM objects WHERE key = ? RETURNING pieces', key);
      await this.leave(JSON.parse(before?.pieces ?? 'null'));
    }
  }

  list({ prefix, delimiter, after, count }) {
    if (!this.hasTables) return { items: [] };
    const items = [];
    const end = endOf(prefix);
    let [from, bound] = after === undefined ? ['>=', prefix] : ['>', after];
    while (items.length <= count) {
      const [found] = delimiter === undefined ? [] : this.rows(`SELECT key FROM objects WHERE key ${from} ? AND key < ? AND instr(substr(key, ?), ?) > 0 ORDER BY key LIMIT 1`, bound, end, [...prefix].length + 1, delimiter);
      const group = found && found.key.slice(0, found.key.indexOf(delimiter, prefix.length) + delimiter.length);
      const rows = this.rows(`SELECT ${COLUMNS} FROM objects WHERE key ${from} ? AND key < ? ORDER BY key LIMIT ?`, bound, found?.key ?? end, count + 1 - items.length);
      items.push(...rows.map((row) => ({ ...row })));
      if (!group || items.length > count) break;
      items.push({ key: group, isGroup: true });
      [from, bound] = ['>', endOf(group)];
    }
    const shown = items.slice(0, count);
    const last = shown.at(-1);
    return { items: shown, next: items.length > count ? (last.isGroup ? endOf(last.key) : last.key) : undefined };
  }

  async create({ key, http, custom }) {
    this.makeTables();
    const id = hex(new Uint8Array(host.random(32)));
    this.sql('INSERT INTO uploads VALUES (?, ?, ?, ?, ?)', id, key, http, custom, host.now());
    await this.lookBy(host.now() + UPLOAD_MS_MAX);
    return { id };
  }

  #upload(key, id) {
    const upload = this.hasTables ? this.rows('SELECT * FROM uploads WHERE id = ? AND key = ?', id, key)[0] : undefined;
    if (!upload) throw new Refused(NO_UPLOAD);
    return upload;
  }

  async part({ key, id, number, size, etag, pieces }) {
    this.#upload(key, id);
    this.keep(pieces);
    const [before] = this.rows('SELECT pieces FROM parts WHERE upload = ? AND number = ?', id, number);
    await this.leave(JSON.parse(before?.pieces ?? 'null'));
    this.sql('INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)', id, number, size, etag, JSON.stringify(pieces));
    return { etag };
  }

  async complete({ key, id, parts }) {
    const upload = this.#upload(key, id);
    const sorted = [...parts].sort((a, b) => a.partNumber - b.partNumber);
    if (sorted.some(({ partNumber }, at) => partNumber === sorted[at + 1]?.partNumber)) throw new Refused('We encountered an internal error. Please try again. (10001)');
    const found = sorted.map(({ partNumber, etag }) => {
      const [part] = this.rows('SELECT size, etag, pieces FROM parts WHERE upload = ? AND number = ? AND etag = ?', id, partNumber, etag);
      if (!part) throw new Refused(NO_PART);
      return part;
    });
    if (found.slice(0, -1).some(({ size }) => size < PART_BYTES_MIN)) throw new Refused('Your proposed upload is smaller than the minimum allowed object size. (10011)');
    const pieces = found.flatMap((part) => JSON.parse(part.pieces));
    const used = new Set(pieces.map(({ object, version }) => `${object} ${version}`));
    await this.#forget(id, (piece) => !used.has(`${piece.object} ${piece.version}`));
    const size = found.reduce((sum, part) => sum + part.size, 0);
    const hash = host.digest('MD5', found.map((part) => String.fromCharCode(...part.etag.match(/../g).map((pair) => Number.parseInt(pair, 16)))).join(''));
    const etag = `${hex(new Uint8Array(hash))}-${found.length}`;
    const empty = found.length ? null : new Uint8Array();
    return this.#write({ key, size, etag, http: upload.http_metadata, custom: upload.custom_metadata, checksums: '{}', content: empty, pieces: found.length ? pieces : null });
  }

  async abort({ key, id }) {
    if (!this.hasTables || !this.rows('SELECT 1 FROM uploads WHERE id = ? AND key = ?', id, key).length) return;
    await this.#forget(id, () => true);
  }

  /** An upload is over; what is `unused` of its pieces goes. */
  async #forget(id, unused) {
    const parts = this.rows('DELETE FROM parts WHERE upload = ? RETURNING pieces', id);
    await this.leave(parts.flatMap(({ pieces }) => JSON.parse(pieces)).filter(unused));
    this.sql('DELETE FROM uploads WHERE id = ?', id);
  }

  nextEnd() {
    const [{ begun }] = this.rows('SELECT min(begun_ms) AS begun FROM uploads');
    return begun === null ? null : begun + UPLOAD_MS_MAX;
  }

  async sweep(now) {
    for (const { id } of this.rows('SELECT id FROM uploads WHERE begun_ms <= ?', now - UPLOAD_MS_MAX)) await this.#forget(id, () => true);
  }
}
