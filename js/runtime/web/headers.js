// `Headers`.

export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Names that were found to be some, and how they are written: looking again costs more than asking here. */
const names = new Map();
const NAMES_MAX = 256;

function nameOf(name) {
  const text = String(name);
  const known = names.get(text);
  if (known !== undefined) return known;
  if (!TOKEN.test(text)) throw new TypeError(`Invalid header name: ${text}`);
  const written = text.toLowerCase();
  if (names.size < NAMES_MAX) names.set(text, written);
  return written;
}

const SPACES = '\t\r\n ';

/** Without spaces around; a regular expression would look at each run of spaces again and again. */
function trimmed(text) {
  let start = 0;
  let end = text.length;
  while (start < end && SPACES.includes(text[start])) start++;
  while (end > start && SPACES.includes(text[end - 1])) end--;
  return text.slice(start, end);
}

function valueOf(value) {
  const text = trimmed(String(value));
  if (/[\0\r\n]/.test(text)) throw new TypeError('Invalid header value.');
  return text;
}

/** The headers of pairs that come from Rust: names are in lower case, and values are some of HTTP. */
export let headersFrom;

/** The pairs of headers, in their order. */
export let pairsOf;

/** Gives headers a content type that they do not have. */
export let fillType;

export class Headers {
  #lists = new Map();

  static {
    headersFrom = (pairs) => {
      const headers = new Headers();
      for (const [name, value] of pairs) {
        const list = headers.#lists.get(name);
        if (list) list.push(value);
        else headers.#lists.set(name, [value]);
      }
      return headers;
    };
    fillType = (headers, type) => {
      if (!headers.#lists.has('content-type')) headers.#lists.set('content-type', [type]);
    };
    pairsOf = (headers) => {
      // A class of the bundle's may have others.
      if (!(#lists in headers)) return [...headers];
      const pairs = [];
      for (const name of Array.from(headers.#lists.keys()).sort()) {
        const list = headers.#lists.get(name);
        if (name === 'set-cookie') for (const value of list) pairs.push([name, value]);
        else pairs.push([name, list.join(', ')]);
      }
      return pairs;
    };
  }

  constructor(init) {
    if (init === undefined || init === null) return;
    if (typeof init !== 'object') throw new TypeError('expected headers as an object or a list of pairs');
    if (#lists in init && init[Symbol.iterator] === Headers.prototype[Symbol.iterator]) {
      init.#lists.forEach((list, name) => {
        if (list.length === 1) this.#lists.set(name, [list[0]]);
        else for (const value of name === 'set-cookie' ? list : [list.join(', ')]) this.append(name, value);
      });
      return;
    }
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
    yield* pairsOf(this);
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
