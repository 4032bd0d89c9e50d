// `Request` and `Response`.
import { host, missing } from 'dotdo:host';
import { events, sockets } from 'dotdo:lazy';
import { Body } from 'dotdo:web/body';
import { Headers, headersFrom, TOKEN } from 'dotdo:web/headers';

export { Headers };

const WITHOUT_BODY = [101, 204, 205, 304];
/** What stands for the first argument of what is made of parts that Rust has. */
const FROM_RUST = Symbol('from Rust');

/** A request that has come from Rust. */
export let requestFrom;

/** A response that has come from Rust. */
export let responseFrom;

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

export class Request extends Body {
  #url;
  #method;
  #headers;
  #redirect;
  /** Where its signal is, once somebody has asked for it; requests that are made of this one have the same. */
  #signal;

  static {
    requestFrom = (url, method, headers, body) => new Request(FROM_RUST, { url: urlOf(url), method: methodOf(method), headers: headersFrom(headers), body });
  }

  constructor(input, init = {}) {
    super();
    if (input === FROM_RUST) {
      this.#url = init.url;
      this.#method = init.method;
      this.#headers = init.headers;
      this.#redirect = 'follow';
      this.#signal = {};
      this.cf = undefined;
      this._fill(init.body, this.#headers);
      return;
    }
    const from = input instanceof Request ? input : null;
    this.#url = from ? from.url : urlOf(input);
    const method = String(init.method ?? from?.method ?? 'GET');
    this.#method = methodOf(method);
    this.#headers = new Headers(init.headers ?? from?.headers);
    this.#redirect = init.redirect ?? from?.redirect ?? 'follow';
    this.cf = init.cf ?? from?.cf;
    this.#signal = signalOf(init.signal) ?? from?.#signal ?? {};
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
    this.#signal.own ??= new (events().AbortController)().signal;
    return this.#signal.own;
  }

  clone() {
    const copy = new Request(this.#url, { method: this.#method, headers: this.#headers, redirect: this.#redirect, cf: this.cf, ...bodyOf(this._copy()) });
    copy.#signal = this.#signal;
    return copy;
  }

  get [Symbol.toStringTag]() {
    return 'Request';
  }
}

function methodOf(text) {
  if (METHODS.includes(text)) return text;
  if (!TOKEN.test(text)) throw new TypeError(`Invalid HTTP method string: ${text}`);
  return METHODS.includes(text.toUpperCase()) ? text.toUpperCase() : text;
}

const bodyOf = (body) => (body === null ? {} : { body });

/** A URL as the standard writes it. */
function urlOf(text) {
  const href = host.urlHref(String(text).toWellFormed());
  if (href === undefined) throw new TypeError('Invalid URL string.');
  return href;
}

function signalOf(signal) {
  if (signal === undefined || signal === null) return undefined;
  if (!(signal instanceof events().AbortSignal)) throw new TypeError('expected an AbortSignal as signal');
  return { own: signal };
}

export class Response extends Body {
  #status;
  #statusText;
  #headers;
  #webSocket;

  static {
    responseFrom = (status, headers, body) => new Response(FROM_RUST, { status, headers: headersFrom(headers), body: WITHOUT_BODY.includes(status) ? null : body });
  }

  constructor(body, init = {}) {
    super();
    if (body === FROM_RUST) {
      this.#status = init.status;
      this.#statusText = '';
      this.#headers = init.headers;
      this.#webSocket = null;
      this._fill(init.body, this.#headers);
      return;
    }
    const { status = 200, statusText = '', headers, webSocket } = init ?? {};
    const number = Number(status);
    this.#webSocket = webSocket ?? null;
    if (this.#webSocket !== null) {
      if (!(webSocket instanceof sockets().WebSocket)) throw new TypeError('expected an end of a WebSocketPair as webSocket');
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
    return new Response(null, { status, headers: { location: urlOf(url) } });
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
