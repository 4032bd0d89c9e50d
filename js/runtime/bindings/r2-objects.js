// What R2 tells of objects, and what it is asked: ranges, conditions, metadata and checksums.
import { binary, host, view } from 'dotdo:host';
import { forms, streams } from 'dotdo:lazy';
import { Headers } from 'dotdo:web';
import { hex, textOf, unhex } from 'dotdo:bindings/ask';

const HTTP = [
  ['contentType', 'content-type'], ['contentLanguage', 'content-language'], ['contentDisposition', 'content-disposition'],
  ['contentEncoding', 'content-encoding'], ['cacheControl', 'cache-control'], ['cacheExpiry', 'expires'],
];

/** Names of checksums, and those of digests with their length in bytes. */
const SUMS = [['md5', 'MD5', 16], ['sha1', 'SHA-1', 20], ['sha256', 'SHA-256', 32], ['sha384', 'SHA-384', 48], ['sha512', 'SHA-512', 64]];

/** The metadata of HTTP in options, as JSON. */
export function httpOf(options) {
  const given = options?.httpMetadata ?? {};
  const isHeaders = given instanceof Headers;
  const http = {};
  for (const [name, header] of HTTP) {
    const value = isHeaders ? given.get(header) : given[name];
    if (value === null || value === undefined) continue;
    http[name] = name === 'cacheExpiry' ? new Date(value).getTime() : String(value);
  }
  return JSON.stringify(http);
}

export function customOf(options) {
  return JSON.stringify(Object.fromEntries(Object.entries(options?.customMetadata ?? {}).map(([name, value]) => [name, String(value)])));
}

/** The checksum in options, as one that contents are compared with. */
export function digestsOf(options) {
  const given = SUMS.filter(([name]) => options?.[name] !== undefined && options[name] !== null);
  if (given.length > 1) throw new TypeError('You cannot specify multiple hashing algorithms.');
  if (!given.length) return { checked: () => ({}) };
  const [[name, label, length]] = given;
  const value = options[name];
  const bytes = view(value);
  if (bytes && bytes.length !== length) throw new TypeError(`${label} is ${length} bytes, not ${bytes.length}`);
  if (!bytes && String(value).length !== 2 * length) throw new TypeError(`${label} is ${2 * length} hex characters, not ${String(value).length}`);
  const wanted = bytes ? hex(bytes) : String(value).toLowerCase();
  return {
    checked(contents, md5) {
      const actual = name === 'md5' ? md5 : hex(new Uint8Array(host.digest(label, binary(contents))));
      if (actual !== wanted) throw new Error(`put: The ${label} checksum you specified did not match what we received.\nYou provided a ${label} checksum with value: ${wanted}\nActual ${label} was: ${actual} (10037)`);
      return { [name]: wanted };
    },
  };
}

/** A condition as the object takes it. */
export function conditionOf(given) {
  if (given === undefined || given === null) return undefined;
  if (given instanceof Headers) return conditionOfHeaders(given);
  const etag = (name) => {
    const value = given[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw new TypeError(`Incorrect type for the '${name}' field on 'Conditional': the provided value is not of type 'string'.`);
    if (/^"|"$/.test(value)) throw new TypeError(`Conditional ETag should not be wrapped in quotes (${value}).`);
    return [value];
  };
  const time = (value) => (value === undefined ? undefined : new Date(value).getTime());
  return { matches: etag('etagMatches'), differs: etag('etagDoesNotMatch'), before: time(given.uploadedBefore), after: time(given.uploadedAfter), inSeconds: given.secondsGranularity };
}

function conditionOfHeaders(headers) {
  const etags = (name) => headers.get(name)?.split(',').map((text) => text.trim().replace(/^W\//, '').replace(/^"|"$/g, ''));
  const time = (name) => (headers.has(name) ? new Date(headers.get(name)).getTime() : undefined);
  return { matches: etags('if-match'), differs: etags('if-none-match'), before: time('if-unmodified-since'), after: time('if-modified-since'), inSeconds: true };
}

function textOfRange(headers) {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(headers.get('range') ?? '') ?? [];
  if (from) return to ? { offset: Number(from), length: Number(to) - Number(from) + 1 } : { offset: Number(from) };
  return to ? { suffix: Number(to) } : undefined;
}

/** What is read of an object of `size` bytes. */
export function rangeOf(given, size) {
  const range = given instanceof Headers ? textOfRange(given) : given;
  if (range === undefined || range === null) return { offset: 0, length: size };
  if (range.offset < 0) throw new RangeError(`Invalid range. Starting offset (${range.offset}) must be greater than or equal to 0.`);
  if (range.length < 0) throw new RangeError(`Invalid range. Length (${range.length}) must be greater than or equal to 0.`);
  if (range.suffix < 0) throw new RangeError(`Invalid suffix. Suffix (${range.suffix}) must be greater than or equal to 0.`);
  const offset = range.suffix === undefined ? (range.offset ?? 0) : Math.max(size - range.suffix, 0);
  const length = Math.min(range.suffix ?? range.length ?? size, size - offset);
  if (length <= 0) throw new Error('get: The requested range is not satisfiable (10039)');
  return { offset, length };
}

class Checksums {
  #sums;

  constructor(sums) {
    this.#sums = sums;
    for (const [name] of SUMS) this[name] = sums[name] === undefined ? undefined : unhex(sums[name]).buffer;
  }

  toJSON() {
    return Object.fromEntries(SUMS.map(([name]) => [name, this.#sums[name]]));
  }
}

/** The fields of an object as its row has them. */
export function described({ key, size, etag, version, uploaded, http, custom, checksums }) {
  const metadata = JSON.parse(http);
  if (metadata.cacheExpiry !== undefined) metadata.cacheExpiry = new Date(metadata.cacheExpiry);
  return {
    key,
    version,
    size,
    etag,
    httpEtag: `"${etag}"`,
    uploaded: new Date(uploaded),
    checksums: new Checksums(JSON.parse(checksums)),
    httpMetadata: Object.fromEntries(HTTP.map(([name]) => [name, metadata[name]])),
    customMetadata: JSON.parse(custom),
    range: undefined,
    storageClass: '',
    ssecKeyMd5: undefined,
  };
}

/** R2Object. */
export class HeadResult {
  constructor(about) {
    Object.assign(this, about);
  }

  writeHttpMetadata(headers) {
    for (const [name, header] of HTTP) {
      const value = this.httpMetadata[name];
      if (value !== undefined) headers.set(header, name === 'cacheExpiry' ? value.toUTCString() : value);
    }
  }
}

/** R2ObjectBody. */
export class GetResult extends HeadResult {
  #bytes;
  #stream;
  #used = false;

  constructor(about, bytes) {
    super(about);
    this.#bytes = bytes;
  }

  get body() {
    this.#stream ??= streams().streamOf(this.#bytes);
    return this.#stream;
  }

  get bodyUsed() {
    return this.#used || (this.#stream !== undefined && streams().isDisturbed(this.#stream));
  }

  async bytes() {
    if (this.bodyUsed) throw new TypeError('Body has already been used. It can only be used once. Use tee() first if you need to read it twice.');
    this.#used = true;
    return this.#stream === undefined ? this.#bytes : streams().readAll(this.#stream);
  }

  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }

  async text() {
    return textOf(await this.bytes());
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async blob() {
    return new (forms().Blob)([await this.bytes()], { type: this.httpMetadata.contentType ?? '' });
  }
}
