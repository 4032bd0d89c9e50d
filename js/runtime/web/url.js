// `URL` and `URLSearchParams`.
import { host } from 'dotdo:host';

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
