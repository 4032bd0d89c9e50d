// `env.BUCKET`: R2.
import { binary, encodeUtf8, host, missing, view } from 'dotdo:host';
import { forms, isBlob, isStream, streams } from 'dotdo:lazy';
import { ask, hex } from 'dotdo:bindings/ask';
import { INLINE_BYTES_MAX, readPieces, writePieces } from 'dotdo:bindings/pieces';
import { conditionOf, customOf, digestsOf, httpOf, rangeOf, described, HeadResult, GetResult } from 'dotdo:bindings/r2-objects';
import { cursorAfter, endOf, keyBefore, Shards } from 'dotdo:bindings/shards';

const KEY_BYTES_MAX = 1024;
const LIST_MAX = 1000;
const DELETE_MAX = 1000;
const METADATA_BYTES_MAX = 2048;
const PARTS_MAX = 10_000;

/** Maximum size of a value, or a part of one, in bytes: what a realm's memory allows. */
const VALUE_BYTES_MAX = 32 << 20;

/** How often an object is looked for that is replaced while it is read. */
const TRIES = 5;

function keyOf(what, given) {
  const key = String(given).toWellFormed();
  const { length } = encodeUtf8(key);
  if (!length || length > KEY_BYTES_MAX) throw new Error(`${what}: The specified object name is not valid. (10020)`);
  return key;
}

async function bytesOf(what, value) {
  let bytes;
  if (typeof value === 'string') bytes = encodeUtf8(value);
  else if (value === null || value === undefined) bytes = new Uint8Array();
  else if (isStream(value)) bytes = await streams().readAll(value);
  else bytes = isBlob(value) ? forms().bytesOf(value) : view(value);
  if (!bytes) throw new TypeError(`Failed to execute '${what}' on 'R2Bucket': parameter 2 is not of type 'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob'.`);
  if (bytes.length > VALUE_BYTES_MAX) throw new Error(`${what}: expected at most ${VALUE_BYTES_MAX} bytes at a time, got ${bytes.length}; upload more in parts (10042)`);
  return bytes;
}

/** Errors of `work` say what was asked. */
async function named(what, work) {
  try {
    return await work();
  } catch (error) {
    if (/\(\d{5}\)$/.test(error.message)) error.message = `${what}: ${error.message}`;
    throw error;
  }
}

/** What would be kept without what was asked for. */
function refuseKeys(options) {
  if (options?.ssecKey !== undefined) missing('ssecKey of R2', 'encrypt the bucket that dotdo stores into');
}

const md5 = (bytes) => hex(new Uint8Array(host.digest('MD5', binary(bytes))));

class R2MultipartUpload {
  #shard;

  constructor(shard, key, uploadId) {
    this.#shard = shard;
    this.key = key;
    this.uploadId = uploadId;
  }

  async uploadPart(number, value) {
    if (!(number >= 1 && number <= PARTS_MAX)) throw new TypeError(`Part number must be between 1 and ${PARTS_MAX} (inclusive). Actual value was: ${number}`);
    const bytes = await bytesOf('uploadPart', value);
    const { key, uploadId: id } = this;
    return named('uploadPart', async () => {
      const pieces = await writePieces(this.#shard, { key, part: `#part ${number} ${id.slice(0, 8)}`, upload: id }, bytes);
      const { values } = await ask(this.#shard, 'part', { key, id, number, size: bytes.length, etag: md5(bytes), pieces });
      return { partNumber: number, etag: values.etag };
    });
  }

  async complete(parts) {
    const listed = [...parts].map(({ partNumber, etag }) => ({ partNumber, etag }));
    const { values } = await named('completeMultipartUpload', () => ask(this.#shard, 'complete', { key: this.key, id: this.uploadId, parts: listed }));
    return new HeadResult(described(values.found));
  }

  async abort() {
    await ask(this.#shard, 'abort', { key: this.key, id: this.uploadId });
  }
}

export class R2Bucket {
  #shards;

  constructor(name) {
    this.#shards = new Shards('dotdo_r2', name);
  }

  async head(given) {
    const key = keyOf('head', given);
    const { values } = await ask(this.#shards.of(key), 'head', { key }, { reads: true });
    if (!values.found) return null;
    return new HeadResult({ ...described(values.found), range: { offset: 0, length: values.found.size, suffix: undefined } });
  }

  async get(given, options) {
    const key = keyOf('get', given);
    refuseKeys(options);
    const onlyIf = conditionOf(options?.onlyIf);
    for (let tries = 0; tries < TRIES; tries++) {
      const { values: { found, isRefused, pieces }, bytes } = await ask(this.#shards.of(key), 'get', { key, onlyIf }, { reads: true });
      if (!found) return null;
      if (isRefused) return new HeadResult(described(found));
      const { offset, length } = rangeOf(options?.range, found.size);
      if (length > VALUE_BYTES_MAX) throw new Error(`get: expected at most ${VALUE_BYTES_MAX} bytes at a time, got ${length}; ask for a range`);
      const part = pieces ? await readPieces(pieces, offset, offset + length) : bytes.slice(offset, offset + length);
      if (part) return new GetResult({ ...described(found), range: { offset, length, suffix: undefined } }, part);
    }
    throw new Error('get: the object was replaced again and again while it was read. (10001)');
  }

  async put(given, value, options) {
    if (arguments.length < 2) throw new TypeError("Failed to execute 'put' on 'R2Bucket': parameter 2 is not of type 'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob'.");
    const key = keyOf('put', given);
    refuseKeys(options);
    const about = { key, http: httpOf(options), custom: customOf(options), onlyIf: conditionOf(options?.onlyIf) };
    const sums = digestsOf(options);
    checkMetadata('put', about);
    const bytes = await bytesOf('put', value);
    const etag = md5(bytes);
    const checksums = JSON.stringify({ md5: etag, ...sums.checked(bytes, etag) });
    const shard = this.#shards.of(key);
    const put = async () => {
      if (bytes.length <= INLINE_BYTES_MAX) return ask(shard, 'put', { ...about, etag, checksums }, { bytes });
      const pieces = await writePieces(shard, { key }, bytes);
      return ask(shard, 'commit', { ...about, etag, checksums, size: bytes.length, pieces });
    };
    const { values } = await put();
    return values.found ? new HeadResult(described(values.found)) : null;
  }

  async delete(given) {
    const keys = (Array.isArray(given) ? given : [given]).map((key) => keyOf('delete', key));
    if (keys.length > DELETE_MAX) throw new Error(`delete: expected at most ${DELETE_MAX} keys, got ${keys.length}`);
    await Promise.all(this.#shards.group(keys).map(([shard, some]) => ask(shard, 'remove', { keys: some })));
  }

  async list(options) {
    const { prefix = '', delimiter, cursor, startAfter, limit: asked, include } = options ?? {};
    const limit = asked === undefined || asked < 0 ? LIST_MAX : Math.trunc(asked);
    if (!(limit >= 1 && limit <= LIST_MAX)) throw new Error(`list: MaxKeys params must be positive integer <= ${LIST_MAX}. (10022)`);
    const text = String(prefix).toWellFormed();
    const after = cursor ? keyBefore(cursor) : startAfter;
    const about = { prefix: text, delimiter };
    const read = async (shard, from, count) => (await ask(shard, 'list', { ...about, after: from, count }, { reads: true })).values;
    const { items, isComplete } = await this.#shards.merge({ start: text, after }, limit, read);
    const last = items.at(-1);
    const shown = ({ http, custom, ...found }) => {
      const kept = { ...found, http: include?.includes('httpMetadata') ? http : '{}', custom: include?.includes('customMetadata') ? custom : '{}' };
      return new HeadResult(described(kept));
    };
    return {
      objects: items.filter(({ isGroup }) => !isGroup).map(shown),
      truncated: !isComplete,
      ...(isComplete ? {} : { cursor: cursorAfter(last.isGroup ? endOf(last.key) : last.key) }),
      delimitedPrefixes: items.filter(({ isGroup }) => isGroup).map(({ key }) => key),
    };
  }

  async createMultipartUpload(given, options) {
    const key = keyOf('createMultipartUpload', given);
    refuseKeys(options);
    const about = { key, http: httpOf(options), custom: customOf(options) };
    checkMetadata('createMultipartUpload', about);
    const { values } = await ask(this.#shards.of(key), 'create', about);
    return new R2MultipartUpload(this.#shards.of(key), key, values.id);
  }

  resumeMultipartUpload(given, uploadId) {
    const key = keyOf('resumeMultipartUpload', given);
    return new R2MultipartUpload(this.#shards.of(key), key, String(uploadId));
  }

  get [Symbol.toStringTag]() {
    return 'R2Bucket';
  }
}

function checkMetadata(what, { custom }) {
  const size = Object.entries(JSON.parse(custom)).reduce((sum, [name, value]) => sum + encodeUtf8(name).length + encodeUtf8(value).length, 0);
  if (size > METADATA_BYTES_MAX) throw new Error(`${what}: Your metadata headers exceed the maximum allowed metadata size. (10012)`);
}
