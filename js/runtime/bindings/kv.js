// `env.KV`: Workers KV.
import { encodeUtf8, host, view } from 'dotdo:host';
import { isStream, streams } from 'dotdo:lazy';
import { ask, textOf } from 'dotdo:bindings/ask';
import { INLINE_BYTES_MAX, readPieces, writePieces } from 'dotdo:bindings/pieces';
import { cursorAfter, endOf, keyBefore, Shards } from 'dotdo:bindings/shards';

const KEY_BYTES_MAX = 512;
const METADATA_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 25 << 20;
const TTL_MIN = 60;
const CACHE_TTL_MIN = 30;
const LIST_MAX = 1000;
const MANY_MAX = 100;

/** How often a value is looked for that is replaced while it is read. */
const TRIES = 5;

function failed(what, code, why) {
  return new Error(`KV ${what} failed: ${code} ${why}`);
}

function checkLength(what, key) {
  const { length } = encodeUtf8(key);
  if (length > KEY_BYTES_MAX) throw failed(what, 414, `UTF-8 encoded length of ${length} exceeds key length limit of ${KEY_BYTES_MAX}.`);
}

function keyOf(what, given) {
  const key = String(given).toWellFormed();
  if (key === '') throw new TypeError('Key name cannot be empty.');
  if (key === '.' || key === '..') throw new TypeError(`"${key}" is not allowed as a key name.`);
  checkLength(what, key);
  return key;
}

const TYPES = ['text', 'arrayBuffer', 'json', 'stream'];

function typeOf(options) {
  const { type, cacheTtl } = typeof options === 'string' ? { type: options } : (options ?? {});
  if (cacheTtl !== undefined) {
    const ttl = Math.trunc(Number(cacheTtl)) || 0;
    if (ttl < CACHE_TTL_MIN) throw failed('GET', 400, `Invalid cache_ttl of ${ttl}. Cache TTL must be at least ${CACHE_TTL_MIN}.`);
  }
  return type ?? 'text';
}

function checkType(type) {
  if (!TYPES.includes(type)) throw new TypeError('Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".');
}

function asType(bytes, type) {
  switch (type) {
    case 'arrayBuffer':
      return bytes.slice().buffer;
    case 'stream':
      return streams().streamOf(bytes);
    case 'json':
      return JSON.parse(textOf(bytes));
    default:
      return textOf(bytes);
  }
}

async function bytesOf(value) {
  if (typeof value !== 'object' || value === null) return { bytes: encodeUtf8(value), isText: true };
  const bytes = isStream(value) ? await streams().readAll(value) : view(value);
  if (!bytes) throw new TypeError('KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.');
  return { bytes, isText: false };
}

/** The end of an entry in milliseconds, if it has one. */
function endOfEntry({ expiration, expirationTtl }) {
  const now = Math.floor(host.now() / 1000);
  const whole = (value) => Math.trunc(Number(value)) || 0;
  if (expirationTtl !== undefined) {
    const ttl = whole(expirationTtl);
    if (ttl <= 0) throw failed('PUT', 400, `Invalid expiration_ttl of ${ttl}. Please specify integer greater than 0.`);
    if (ttl < TTL_MIN) throw failed('PUT', 400, `Invalid expiration_ttl of ${ttl}. Expiration TTL must be at least ${TTL_MIN}.`);
    return (now + ttl) * 1000;
  }
  if (expiration === undefined) return undefined;
  const at = whole(expiration);
  if (at <= now) throw failed('PUT', 400, `Invalid expiration of ${at}. Please specify integer greater than the current number of seconds since the UNIX epoch.`);
  if (at < now + TTL_MIN) throw failed('PUT', 400, `Invalid expiration of ${at}. Expiration times must be at least ${TTL_MIN} seconds in the future.`);
  return at * 1000;
}

function metadataOf({ metadata }) {
  const text = metadata === undefined ? undefined : JSON.stringify(metadata);
  const length = text === undefined ? 0 : encodeUtf8(text).length;
  if (length > METADATA_BYTES_MAX) throw failed('PUT', 413, `Metadata length of ${length} exceeds limit of ${METADATA_BYTES_MAX}.`);
  return text;
}

const metadataFrom = (text) => (text === null || text === undefined ? null : JSON.parse(text));

export class KvNamespace {
  #shards;

  constructor(name) {
    this.#shards = new Shards('dotdo_kv', name);
  }

  async get(key, options) {
    if (arguments.length === 0) throw new TypeError("Failed to execute 'get' on 'KvNamespace': parameter 1 is not of type 'string or Array'.");
    if (Array.isArray(key)) return this.#many(key, typeOf(options), ({ value }) => value);
    return (await this.#get(key, options)).value;
  }

  async getWithMetadata(key, options) {
    if (Array.isArray(key)) return this.#many(key, typeOf(options), (found) => found);
    return { ...(await this.#get(key, options)), cacheStatus: null };
  }

  async #get(given, options) {
    const key = keyOf('GET', given);
    const type = typeOf(options);
    checkType(type);
    for (let tries = 0; tries < TRIES; tries++) {
      const { values, bytes } = await ask(this.#shards.of(key), 'get', { key }, { reads: true });
      if (values.isAbsent) return { value: null, metadata: null };
      const found = values.pieces ? await readPieces(values.pieces, 0, values.size) : bytes;
      if (found) return { value: asType(found, type), metadata: metadataFrom(values.metadata) };
    }
    throw failed('GET', 503, 'The value was replaced again and again while it was read.');
  }

  async #many(given, type, shown) {
    const wrong = (why) => failed('GET_BULK', 400, why);
    if (given.length > MANY_MAX) throw wrong(`You can request a maximum of ${MANY_MAX} keys`);
    if (!given.length) throw wrong('You must request a minimum of 1 key');
    if (type !== 'text' && type !== 'json') throw wrong(`"${type}" is not a valid type. Use "json" or "text"`);
    const keys = [...new Set(given.map((key) => String(key).toWellFormed()))];
    if (keys.includes('')) throw wrong('Key names must not be empty');
    for (const key of keys) checkLength('GET_BULK', key);
    const found = new Map(keys.map((key) => [key, null]));
    await Promise.all(this.#shards.group(keys).map(async ([shard, some]) => {
      const { values } = await ask(shard, 'many', { keys: some }, { reads: true });
      for (const { key, isAbsent, pieces, text, metadata } of values.values) {
        if (isAbsent) continue;
        const value = pieces ? (await this.#get(key, { type: 'text' })).value : text;
        if (value !== null) found.set(key, shown({ value: type === 'json' ? JSON.parse(value) : value, metadata: metadataFrom(metadata) }));
      }
    }));
    return found;
  }

  async put(given, value, options) {
    if (arguments.length === 0) throw new TypeError("Failed to execute 'put' on 'KvNamespace': parameter 1 is not of type 'string'.");
    if (arguments.length === 1) throw new TypeError("Failed to execute 'put' on 'KvNamespace': parameter 2 is not of type 'string or JsObject'.");
    const key = keyOf('PUT', given);
    const about = { key, metadata: metadataOf(options ?? {}), expires: endOfEntry(options ?? {}) };
    const { bytes, isText } = await bytesOf(value);
    if (bytes.length > VALUE_BYTES_MAX) throw failed('PUT', 413, `Value length of ${bytes.length} exceeds limit of ${VALUE_BYTES_MAX}.`);
    const shard = this.#shards.of(key);
    if (bytes.length <= INLINE_BYTES_MAX) {
      await ask(shard, 'put', { ...about, isText }, { bytes });
    } else {
      const pieces = await writePieces(shard, { key }, bytes);
      await ask(shard, 'commit', { ...about, size: bytes.length, pieces });
    }
  }

  async delete(given) {
    const key = keyOf('DELETE', given);
    await ask(this.#shards.of(key), 'remove', { key });
  }

  async list(options) {
    const { prefix: given, limit: asked, cursor } = options ?? {};
    const prefix = given === undefined || given === null ? '' : String(given).toWellFormed();
    checkLength('GET', prefix);
    const limit = Number(asked ?? 0) > 0 ? Math.trunc(asked) : LIST_MAX;
    if (limit > LIST_MAX) throw failed('GET', 400, `Invalid key_count_limit of ${limit}. Please specify an integer less than ${LIST_MAX}.`);
    const read = async (shard, after, count) => (await ask(shard, 'list', { start: prefix, after, end: endOf(prefix), count }, { reads: true })).values;
    const { items, isComplete } = await this.#shards.merge({ start: prefix, after: cursor ? keyBefore(cursor) : undefined }, limit, read);
    const keys = items.map(({ key, expires, metadata }) => ({
      name: key,
      ...(expires === null ? {} : { expiration: expires / 1000 }),
      ...(metadata === null ? {} : { metadata: JSON.parse(metadata) }),
    }));
    return { keys, list_complete: isComplete, ...(isComplete ? {} : { cursor: cursorAfter(items.at(-1).key) }), cacheStatus: null };
  }

  get [Symbol.toStringTag]() {
    return 'KvNamespace';
  }
}
