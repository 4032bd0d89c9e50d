// The web's interfaces, as far as they are whole: bodies are read at once, and have no streams.
import { binary, encodeUtf8, host, missing, view } from 'dotdo:host';
import { structuredClone } from 'dotdo:clone';
import { WebSocket, WebSocketPair, WebSocketRequestResponsePair } from 'dotdo:sockets';
import { clearTimeout, scheduler, setImmediate, setInterval, setTimeout } from 'dotdo:timers';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const WITHOUT_BODY = [101, 204, 205, 304];
const inside = Symbol('inside');

function nameOf(name) {
  const text = String(name);
  if (!TOKEN.test(text)) throw new TypeError(`Invalid header name: ${text}`);
  return text.toLowerCase();
}

function valueOf(value) {
  const text = String(value).replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, '');
  if (/[\0\r\n]/.test(text)) throw new TypeError('Invalid header value.');
  return text;
}

export class Headers {
  #lists = new Map();

  constructor(init) {
    if (init === undefined || init === null) return;
    if (typeof init !== 'object') throw new TypeError('expected headers as an object or a list of pairs');
    const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
    for (const pair of pairs) {
      const [name, value, ...more] = pair;
      if (value === undefined || more.length) throw new TypeError('expected pairs of a name and a value');
      this.append(name, value);
    }
  }

  append(name, value) {
    const key = nameOf(name);
    const list = this.#lists.get(key);
    if (list) list.push(valueOf(value));
    else this.#lists.set(key, [valueOf(value)]);
  }

  set(name, value) {
    this.#lists.set(nameOf(name), [valueOf(value)]);
  }

  get(name) {
    return this.#lists.get(nameOf(name))?.join(', ') ?? null;
  }

  has(name) {
    return this.#lists.has(nameOf(name));
  }

  delete(name) {
    this.#lists.delete(nameOf(name));
  }

  getSetCookie() {
    return [...(this.#lists.get('set-cookie') ?? [])];
  }

  forEach(work, self) {
    for (const [name, value] of this) work.call(self, value, name, this);
  }

  *entries() {
    for (const name of [...this.#lists.keys()].sort()) {
      const list = this.#lists.get(name);
      if (name === 'set-cookie') for (const value of list) yield [name, value];
      else yield [name, list.join(', ')];
    }
  }

  *keys() {
    for (const [name] of this) yield name;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  get [Symbol.toStringTag]() {
    return 'Headers';
  }
}

/** Stands for a body that is passed on: `new Response(other.body)`. It can't be read in parts. */
export class ReadableStream {
  #owner;

  constructor(token, owner) {
    if (token !== inside) missing('ReadableStream', 'give a body as text or bytes');
    this.#owner = owner;
  }

  static take(stream) {
    return stream.#owner[inside]();
  }

  get locked() {
    return this.#owner.bodyUsed;
  }
}
for (const name of ['getReader', 'pipeThrough', 'pipeTo', 'tee', 'cancel', 'values', Symbol.asyncIterator]) {
  Object.defineProperty(ReadableStream.prototype, name, {
    value: () => missing(`ReadableStream.${String(name)}`, 'read the whole body by text(), json() or arrayBuffer()'),
    configurable: true,
    writable: true,
  });
}

/** What a body is made of: its bytes, and the content type that it implies. */
function contentOf(body) {
  if (body === undefined || body === null) return [null, null];
  if (body instanceof ReadableStream) return [ReadableStream.take(body), null];
  if (body instanceof URLSearchParams) return [encodeUtf8(body), 'application/x-www-form-urlencoded;charset=UTF-8'];
  const bytes = view(body);
  if (bytes) return [bytes.slice(), null];
  return [encodeUtf8(body), 'text/plain;charset=UTF-8'];
}

class Body {
  #bytes = null;
  #used = false;
  #stream = null;

  _fill(body, headers) {
    const [bytes, type] = contentOf(body);
    this.#bytes = bytes;
    if (type && !headers.has('content-type')) headers.set('content-type', type);
  }

  get body() {
    if (this.#bytes === null) return null;
    this.#stream ??= new ReadableStream(inside, this);
    return this.#stream;
  }

  get bodyUsed() {
    return this.#used;
  }

  [inside]() {
    if (this.#used) {
      throw new TypeError('Body has already been used. It can only be used once. Use tee() first if you need to read it twice.');
    }
    this.#used = this.#bytes !== null;
    return this.#bytes;
  }

  _copy() {
    if (this.#used) throw new TypeError('Body has already been used. It can only be used once. Use tee() first if you need to read it twice.');
    return this.#bytes === null ? null : this.#bytes.slice();
  }

  async bytes() {
    return this[inside]() ?? new Uint8Array();
  }

  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }

  async text() {
    return host.utf8Decode(binary(await this.bytes()), false, false);
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async blob() {
    missing('blob()', 'use arrayBuffer()');
  }

  async formData() {
    missing('formData()', 'send JSON, or parse the text by URLSearchParams');
  }
}

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

export class Request extends Body {
  #url;
  #method;
  #headers;
  #redirect;

  constructor(input, init = {}) {
    super();
    const from = input instanceof Request ? input : null;
    this.#url = from ? from.url : new URL(String(input)).href;
    const method = String(init.method ?? from?.method ?? 'GET');
    if (!TOKEN.test(method)) throw new TypeError(`Invalid HTTP method string: ${method}`);
    this.#method = METHODS.includes(method.toUpperCase()) ? method.toUpperCase() : method;
    this.#headers = new Headers(init.headers ?? from?.headers);
    this.#redirect = init.redirect ?? from?.redirect ?? 'follow';
    this.cf = init.cf ?? from?.cf;
    if (init.signal) missing('Request.signal');
    const body = init.body ?? null;
    if (body !== null && ['GET', 'HEAD'].includes(this.#method)) {
      throw new TypeError('Request with a GET or HEAD method cannot have a body.');
    }
    const inherited = body === null && from && !('body' in init) ? from[inside]() : body;
    this._fill(inherited, this.#headers);
  }

  get url() {
    return this.#url;
  }

  get method() {
    return this.#method;
  }

  get headers() {
    return this.#headers;
  }

  get redirect() {
    return this.#redirect;
  }

  get signal() {
    return missing('Request.signal');
  }

  clone() {
    return new Request(this.#url, { method: this.#method, headers: this.#headers, redirect: this.#redirect, cf: this.cf, ...bodyOf(this._copy()) });
  }

  get [Symbol.toStringTag]() {
    return 'Request';
  }
}

const bodyOf = (body) => (body === null ? {} : { body });

export class Response extends Body {
  #status;
  #statusText;
  #headers;
  #webSocket;

  constructor(body, init = {}) {
    super();
    const { status = 200, statusText = '', headers, webSocket } = init ?? {};
    const number = Number(status);
    this.#webSocket = webSocket ?? null;
    if (this.#webSocket !== null) {
      if (!(webSocket instanceof WebSocket)) throw new TypeError('expected an end of a WebSocketPair as webSocket');
      if (number !== 101) throw new RangeError('Responses with a WebSocket must have status code 101.');
    } else if (!Number.isInteger(number) || number < 200 || number > 599) {
      throw new RangeError('Responses may only be constructed with status codes in the range 200 to 599, inclusive.');
    }
    if (body !== undefined && body !== null && WITHOUT_BODY.includes(number)) {
      throw new TypeError(`Response with null body status (101, 204, 205, or 304) cannot have a body.`);
    }
    this.#status = number;
    this.#statusText = String(statusText);
    this.#headers = new Headers(headers);
    this._fill(body, this.#headers);
  }

  static json(value, init = {}) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError('Value is not JSON serializable');
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(text, { ...init, headers });
  }

  static redirect(url, status = 302) {
    if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`${status} is not a redirect status code.`);
    return new Response(null, { status, headers: { location: new URL(String(url)).href } });
  }

  static error() {
    return missing('Response.error', 'throw an error');
  }

  get status() {
    return this.#status;
  }

  get statusText() {
    return this.#statusText;
  }

  get ok() {
    return this.#status >= 200 && this.#status < 300;
  }

  get headers() {
    return this.#headers;
  }

  get url() {
    return '';
  }

  get redirected() {
    return false;
  }

  get type() {
    return 'default';
  }

  get webSocket() {
    return this.#webSocket;
  }

  clone() {
    return new Response(this._copy(), { status: this.#status, statusText: this.#statusText, headers: this.#headers });
  }

  get [Symbol.toStringTag]() {
    return 'Response';
  }
}

const PARTS = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

export class URL {
  #parts;
  #params = null;

  constructor(url, base) {
    const parts = host.urlParse(String(url).toWellFormed(), base === undefined ? undefined : String(base).toWellFormed());
    if (!parts) throw new TypeError('Invalid URL string.');
    this.#parts = parts;
  }

  static canParse(url, base) {
    return host.urlParse(String(url).toWellFormed(), base === undefined ? undefined : String(base).toWellFormed()) !== undefined;
  }

  static parse(url, base) {
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }

  get searchParams() {
    this.#params ??= new URLSearchParams(this.search, (text) => this._set('search', text, false));
    return this.#params;
  }

  _get(part) {
    return this.#parts[PARTS.indexOf(part)];
  }

  _set(part, value, renew = true) {
    const parts = host.urlSet(this.href, part, String(value).toWellFormed());
    if (!parts) throw new TypeError('Invalid URL string.');
    this.#parts = parts;
    if (renew) this.#params?._renew(this.search);
  }

  toString() {
    return this.href;
  }

  toJSON() {
    return this.href;
  }

  get [Symbol.toStringTag]() {
    return 'URL';
  }
}
for (const part of PARTS) {
  const set = part === 'origin' ? undefined : function (value) {
    this._set(part, value);
  };
  Object.defineProperty(URL.prototype, part, {
    get() {
      return this._get(part);
    },
    set,
    enumerable: true,
    configurable: true,
  });
}

export class URLSearchParams {
  #pairs = [];
  #changed;

  constructor(init = '', changed) {
    this.#changed = changed;
    if (typeof init === 'object' && init !== null) {
      const pairs = typeof init[Symbol.iterator] === 'function' ? [...init] : Object.entries(init);
      for (const pair of pairs) {
        if (pair.length !== 2) throw new TypeError('expected pairs of a name and a value');
        this.#pairs.push([String(pair[0]), String(pair[1])]);
      }
    } else {
      this._renew(String(init));
    }
  }

  _renew(text) {
    const flat = host.formParse(text.replace(/^\?/, '').toWellFormed());
    this.#pairs = [];
    for (let at = 0; at < flat.length; at += 2) this.#pairs.push([flat[at], flat[at + 1]]);
  }

  #change() {
    this.#changed?.(this.toString());
  }

  get size() {
    return this.#pairs.length;
  }

  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
    this.#change();
  }

  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== String(name) || (value !== undefined && pair[1] !== String(value)));
    this.#change();
  }

  get(name) {
    return this.#pairs.find((pair) => pair[0] === String(name))?.[1] ?? null;
  }

  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]);
  }

  has(name, value) {
    return this.#pairs.some((pair) => pair[0] === String(name) && (value === undefined || pair[1] === String(value)));
  }

  set(name, value) {
    const at = this.#pairs.findIndex((pair) => pair[0] === String(name));
    if (at < 0) this.#pairs.push([String(name), String(value)]);
    else {
      this.#pairs[at][1] = String(value);
      this.#pairs = this.#pairs.filter((pair, other) => other <= at || pair[0] !== String(name));
    }
    this.#change();
  }

  sort() {
    this.#pairs.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
    this.#change();
  }

  forEach(work, self) {
    for (const [name, value] of this.#pairs) work.call(self, value, name, this);
  }

  *entries() {
    for (const [name, value] of this.#pairs) yield [name, value];
  }

  *keys() {
    for (const [name] of this.#pairs) yield name;
  }

  *values() {
    for (const [, value] of this.#pairs) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return host.formText(this.#pairs.flat().map((text) => text.toWellFormed()));
  }

  get [Symbol.toStringTag]() {
    return 'URLSearchParams';
  }
}

export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(text = '') {
    return encodeUtf8(text);
  }

  encodeInto() {
    missing('TextEncoder.encodeInto', 'use encode()');
  }
}

export class TextDecoder {
  #fatal;
  #ignoreBOM;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    if (!['utf-8', 'utf8', 'unicode-1-1-utf-8'].includes(String(label).trim().toLowerCase())) {
      missing(`TextDecoder of ${label}`, 'only UTF-8 is');
    }
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }

  get encoding() {
    return 'utf-8';
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(source = new Uint8Array(), options) {
    if (options?.stream) missing('TextDecoder with { stream: true }', 'decode the whole text at once');
    const bytes = view(source);
    if (!bytes) throw new TypeError('expected a buffer to decode');
    const text = host.utf8Decode(binary(bytes), this.#fatal, this.#ignoreBOM);
    if (text === undefined) throw new TypeError('Failed to decode input.');
    return text;
  }
}

function shown(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : String(value);
  try {
    return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}n` : item)) ?? String(value);
  } catch {
    return String(value);
  }
}

const log = (level) => (...values) => host.log(level, values.map(shown).join(' ').toWellFormed());

const counted = new Map();
export const console = {
  debug: log('debug'),
  log: log('info'),
  info: log('info'),
  warn: log('warn'),
  error: log('error'),
  trace: log('debug'),
  dir: log('info'),
  table: log('info'),
  group: log('info'),
  groupCollapsed: log('info'),
  groupEnd() {},
  assert(holds, ...values) {
    if (!holds) log('error')('Assertion failed', ...values);
  },
  count(label = 'default') {
    counted.set(label, (counted.get(label) ?? 0) + 1);
    log('info')(`${label}: ${counted.get(label)}`);
  },
  countReset(label = 'default') {
    counted.delete(label);
  },
  // The clock stands still while code runs, so there is nothing to measure.
  time() {},
  timeLog() {},
  timeEnd() {},
};

const RANDOM_BYTES_MAX = 65536;

export const crypto = {
  getRandomValues(array) {
    const bytes = ArrayBuffer.isView(array) && !(array instanceof DataView) && !(array instanceof Float32Array) && !(array instanceof Float64Array) ? view(array) : null;
    if (!bytes) throw new DOMException('expected an array of integers', 'TypeMismatchError');
    if (bytes.length > RANDOM_BYTES_MAX) throw new DOMException(`expected at most ${RANDOM_BYTES_MAX} bytes, got ${bytes.length}`, 'QuotaExceededError');
    bytes.set(new Uint8Array(host.random(bytes.length)));
    return array;
  },
  randomUUID() {
    const bytes = new Uint8Array(host.random(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
  },
  get subtle() {
    return missing('crypto.subtle');
  },
};

/** The time of the event that runs: it stands still meanwhile, as on Cloudflare. */
function standDate() {
  const Real = Date;
  function Now(...parts) {
    if (!new.target) return new Real(host.now()).toString();
    return Reflect.construct(Real, parts.length ? parts : [host.now()], new.target);
  }
  Now.prototype = Real.prototype;
  Object.defineProperty(Real.prototype, 'constructor', { value: Now, writable: true, configurable: true });
  for (const [name, work] of [['now', () => host.now()], ['UTC', Real.UTC], ['parse', Real.parse]]) {
    Object.defineProperty(Now, name, { value: work, writable: true, configurable: true });
  }
  Object.defineProperty(Now, 'name', { value: 'Date' });
  Object.defineProperty(Now, 'length', { value: 7 });
  return Now;
}

function random() {
  const [high, low] = new Uint32Array(host.random(8));
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

/** Code from texts is refused, as Cloudflare does. */
function refuseEvaluation() {
  const refuse = () => {
    throw new EvalError('Code generation from strings disallowed for this context');
  };
  for (const kind of [function () {}, async function () {}, function* () {}, async function* () {}]) {
    const prototype = Object.getPrototypeOf(kind);
    const Refusing = function () {
      refuse();
    };
    Refusing.prototype = prototype;
    Object.defineProperty(prototype, 'constructor', { value: Refusing, configurable: true });
    if (prototype === Function.prototype) define('Function', Refusing);
  }
  define('eval', refuse);
}

function define(name, value) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}


const ABSENT_CLASSES = [
  'AbortController', 'AbortSignal', 'Blob', 'BroadcastChannel', 'ByteLengthQueuingStrategy', 'CompressionStream', 'CountQueuingStrategy',
  'DecompressionStream', 'Event', 'EventSource', 'EventTarget', 'File', 'FixedLengthStream', 'FormData', 'HTMLRewriter', 'IdentityTransformStream',
  'MessageChannel', 'TextDecoderStream', 'TextEncoderStream', 'TransformStream', 'URLPattern', 'WritableStream',
];

export function install(more) {
  const here = {
    ...more,
    Headers, Request, Response, ReadableStream, URL, URLSearchParams, TextEncoder, TextDecoder, console, crypto, structuredClone,
    WebSocket, WebSocketPair, WebSocketRequestResponsePair,
    setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout, clearImmediate: clearTimeout, scheduler,
  };
  for (const [name, value] of Object.entries(here)) define(name, value);
  for (const name of ABSENT_CLASSES) {
    define(name, class {
      constructor() {
        missing(name);
      }
    });
    Object.defineProperty(globalThis[name], 'name', { value: name });
  }
  for (const name of ['caches']) {
    define(name, new Proxy({}, { get: (_, member) => (typeof member === 'symbol' ? undefined : missing(`${name}.${member}`)) }));
  }
  define('self', globalThis);
  define('Date', standDate());
  define('performance', { timeOrigin: 0, now: () => host.now() });
  Object.defineProperty(Math, 'random', { value: random, writable: true, configurable: true });
  refuseEvaluation();
}
