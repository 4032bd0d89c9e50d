// The web's interfaces, as far as they are whole: bodies are read at once, and have no streams.
import { binary, encodeUtf8, host, missing, view } from 'dotdo:host';
import { structuredClone } from 'dotdo:clone';
import { digestStream, forms, isBlob, isForm, isStream, LAZY, performanceTimeline, streams, subtle } from 'dotdo:lazy';
import { WebSocket, WebSocketPair, WebSocketRequestResponsePair } from 'dotdo:sockets';
import { AbortController, AbortSignal, CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent } from 'dotdo:events';
import { clearTimeout, scheduler, setImmediate, setInterval, setTimeout } from 'dotdo:timers';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const WITHOUT_BODY = [101, 204, 205, 304];

function nameOf(name) {
  const text = String(name);
  if (!TOKEN.test(text)) throw new TypeError(`Invalid header name: ${text}`);
  return text.toLowerCase();
}

const SPACES = '\t\r\n ';

/** Without spaces around; a regular expression would look at each run of spaces again and again. */
function trimmed(text) {
  let [start, end] = [0, text.length];
  while (start < end && SPACES.includes(text[start])) start++;
  while (end > start && SPACES.includes(text[end - 1])) end--;
  return text.slice(start, end);
}

function valueOf(value) {
  const text = trimmed(String(value));
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

/** What a body is made of: its bytes or a stream of them, and the content type that it implies. */
function contentOf(body) {
  if (body === undefined || body === null) return {};
  if (isStream(body)) {
    if (body.locked || streams().isDisturbed(body)) throw new TypeError(READ_BEFORE);
    return { stream: body };
  }
  if (body instanceof URLSearchParams) return { bytes: encodeUtf8(body), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  if (isBlob(body)) return { bytes: forms().bytesOf(body), type: body.type };
  if (isForm(body)) {
    const boundary = `----dotdo${crypto.randomUUID().replaceAll('-', '')}`;
    return { bytes: forms().encodeForm(body, boundary), type: `multipart/form-data; boundary=${boundary}` };
  }
  const bytes = view(body);
  if (bytes) return { bytes: bytes.slice() };
  return { bytes: encodeUtf8(body), type: 'text/plain;charset=UTF-8' };
}

const READ_BEFORE = 'Body has already been used. It can only be used once. Use tee() first if you need to read it twice.';

class Body {
  /** Its bytes, until somebody asks for its stream. */
  #bytes;
  #stream;
  #used = false;

  _fill(body, headers) {
    const { bytes, stream, type } = contentOf(body);
    this.#bytes = bytes;
    this.#stream = stream;
    if (type && !headers.has('content-type')) headers.set('content-type', type);
  }

  get _isEmpty() {
    return this.#bytes === undefined && this.#stream === undefined;
  }

  get body() {
    if (this.#stream === undefined && this.#bytes !== undefined) {
      this.#stream = streams().streamOf(this.#bytes);
      this.#bytes = undefined;
      // Who has read it by now gets a stream that has ended.
      if (this.#used) this.#stream.cancel();
    }
    return this.#stream ?? null;
  }

  get bodyUsed() {
    return this.#used || (this.#stream !== undefined && streams().isDisturbed(this.#stream));
  }

  #unused() {
    if (this.bodyUsed || this.#stream?.locked) throw new TypeError(READ_BEFORE);
  }

  /** The same body for another owner; this one has none any more. */
  _take() {
    this.#unused();
    const taken = this.#stream ?? this.#bytes ?? null;
    this.#used = taken !== null;
    return taken;
  }

  _copy() {
    this.#unused();
    if (this.#stream === undefined) return this.#bytes?.slice() ?? null;
    const [own, copy] = this.#stream.tee();
    this.#stream = own;
    return copy;
  }

  async bytes() {
    this.#unused();
    if (this._isEmpty) return new Uint8Array();
    this.#used = true;
    return this.#stream === undefined ? this.#bytes : streams().readAll(this.#stream);
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
    return new (forms().Blob)([await this.bytes()], { type: this.headers.get('content-type') ?? '' });
  }

  async formData() {
    return forms().decodeForm(await this.bytes(), this.headers.get('content-type') ?? '');
  }
}

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

export class Request extends Body {
  #url;
  #method;
  #headers;
  #redirect;
  #signal;

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
    this.#signal = init.signal ?? from?.signal ?? new AbortController().signal;
    if (!(this.#signal instanceof AbortSignal)) throw new TypeError('expected an AbortSignal as signal');
    const body = init.body ?? null;
    if (body !== null && ['GET', 'HEAD'].includes(this.#method)) {
      throw new TypeError('Request with a GET or HEAD method cannot have a body.');
    }
    const inherited = body === null && from && !('body' in init) ? from._take() : body;
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
    return this.#signal;
  }

  clone() {
    return new Request(this.#url, { method: this.#method, headers: this.#headers, redirect: this.#redirect, signal: this.#signal, cf: this.cf, ...bodyOf(this._copy()) });
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

  encodeInto(source, target) {
    if (!(target instanceof Uint8Array)) throw new TypeError("Failed to execute 'encodeInto' on 'TextEncoder': parameter 2 is not of type 'Uint8Array'.");
    const bytes = target;
    let [read, written] = [0, 0];
    for (const letter of String(source).toWellFormed()) {
      const encoded = encodeUtf8(letter);
      if (written + encoded.length > bytes.length) break;
      bytes.set(encoded, written);
      written += encoded.length;
      read += letter.length;
    }
    return { read, written };
  }
}

export class TextDecoder {
  #fatal;
  #ignoreBOM;
  /** The beginning of a character whose end has not come yet. */
  #rest = new Uint8Array();
  #begun = false;
  #encoding = 'utf-8';
  /** What decodes another encoding than UTF-8. */
  #other = null;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
    if (String(label).toLowerCase() === 'utf-8') return;
    const encoding = host.encoding(String(label).toWellFormed());
    if (!encoding || encoding === 'replacement') throw new RangeError(`"${label}" is not a valid encoding.`);
    this.#encoding = encoding;
    if (encoding !== 'utf-8') this.#other = host.decoder(encoding, this.#fatal, this.#ignoreBOM);
  }

  get encoding() {
    return this.#encoding;
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(source = new Uint8Array(), options) {
    const bytes = view(source);
    if (!bytes) throw new TypeError('expected a buffer to decode');
    if (this.#other) {
      const text = this.#other(binary(bytes), !options?.stream);
      if (text === undefined) throw new TypeError('Failed to decode input.');
      return text;
    }
    let whole = bytes;
    if (this.#rest.length) {
      whole = new Uint8Array(this.#rest.length + bytes.length);
      whole.set(this.#rest);
      whole.set(bytes, this.#rest.length);
    }
    const end = options?.stream ? wholeCharacters(whole) : whole.length;
    this.#rest = whole.slice(end);
    // A mark of the byte order is one at the beginning only.
    const text = host.utf8Decode(binary(whole.subarray(0, end)), this.#fatal, this.#ignoreBOM || this.#begun);
    this.#begun = options?.stream ? this.#begun || end > 0 : false;
    if (text === undefined) {
      this.#rest = new Uint8Array();
      throw new TypeError('Failed to decode input.');
    }
    return text;
  }
}

/** How many of `bytes` come before a character of UTF-8 that is not whole. */
function wholeCharacters(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
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
    return subtle().subtle;
  },
  get DigestStream() {
    return digestStream().DigestStream;
  },
};

/** What code looks at to know where it is: on Cloudflare's interface. */
class Navigator {
  get userAgent() { return 'Cloudflare-Workers'; }
  get [Symbol.toStringTag]() { return 'Navigator'; }
}

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
    Object.defineProperty(Refusing, 'name', { value: prototype.constructor.name });
    Object.defineProperty(prototype, 'constructor', { value: Refusing, configurable: true });
    if (prototype === Function.prototype) define('Function', Refusing);
  }
  define('eval', refuse);
}

function define(name, value) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}


class Performance {
  get timeOrigin() {
    return 0;
  }

  now() {
    return host.now();
  }

  toJSON() {
    return { timeOrigin: this.timeOrigin };
  }

  get [Symbol.toStringTag]() {
    return 'Performance';
  }
}
for (const name of [
  'clearMarks', 'clearMeasures', 'clearResourceTimings', 'eventLoopUtilization', 'getEntries', 'getEntriesByName', 'getEntriesByType', 'mark', 'measure', 'timerify',
]) {
  Performance.prototype[name] = (...values) => performanceTimeline()[name](...values);
}
const performance = new Performance();

const queue = globalThis.queueMicrotask;

/** An exception of what runs later is its own, as one in a timer. */
function queueMicrotask(work) {
  if (typeof work !== 'function') throw new TypeError(`expected a function to call later, got ${typeof work}`);
  queue(() => {
    try {
      work();
    } catch (error) {
      // Without memory the realm ends.
      if (error === null || error?.name === 'InternalError') throw error;
      log('error')('uncaught in a microtask:', error);
    }
  });
}

const ABSENT_CLASSES = [
  'BroadcastChannel', 'EventSource', 'HTMLRewriter',
];

export function install(more) {
  const here = {
    ...more,
    Headers, Request, Response, URL, URLSearchParams, TextEncoder, TextDecoder, console, crypto, structuredClone,
    WebSocket, WebSocketPair, WebSocketRequestResponsePair,
    AbortController, AbortSignal, CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent,
    queueMicrotask, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout, clearImmediate: clearTimeout, scheduler,
  };
  for (const [name, value] of Object.entries(here)) define(name, value);
  for (const [name, module] of LAZY) {
    Object.defineProperty(globalThis, name, {
      get() {
        define(name, module()[name]);
        return globalThis[name];
      },
      set: (value) => define(name, value),
      configurable: true,
    });
  }
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
  define('global', globalThis);
  define('Date', standDate());
  define('performance', performance);
  define('navigator', new Navigator());
  define('reportError', (error) => log('error')('reported:', error));
  Object.defineProperty(Math, 'random', { value: random, writable: true, configurable: true });
  refuseEvaluation();
}
