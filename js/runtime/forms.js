// Blobs, files and forms. Forms are read and written as the standards of HTML and Fetch say, after RFC 7578.
import { binary, encodeUtf8, host, view } from 'dotdo:host';
import { streamOf } from 'dotdo:streams';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const ENDINGS = ['transparent', 'native'];
const MULTIPART = 'multipart/form-data';
const URLENCODED = 'application/x-www-form-urlencoded';

/** A string as the standard takes it: a symbol is refused. */
const textOf = (value) => `${value}`.toWellFormed();

const decoded = (text) => host.utf8Decode(text, false, true);

function optionsOf(options) {
  if (options === undefined || options === null) return {};
  if (typeof options !== 'object' && typeof options !== 'function') throw new TypeError(`expected options as an object, got a ${typeof options}`);
  return options;
}

function typeOf(value) {
  const type = textOf(value);
  return /[^ -~]/.test(type) ? '' : type.toLowerCase();
}

/** The parts of a blob as blobs, bytes and strings. */
function partsOf(parts) {
  if (parts === null || typeof parts === 'string' || typeof parts[Symbol.iterator] !== 'function') {
    throw new TypeError(`expected parts as a list, got ${parts === null ? 'null' : `a value of type ${typeof parts}`}`);
  }
  return Array.from(parts, (part) => (part instanceof Blob ? part : view(part) ?? textOf(part)));
}

/** The bytes of parts, copied unless they are those of one blob. */
function joined(parts, encode = encodeUtf8) {
  if (parts.length === 1 && parts[0] instanceof Blob) return bytesOf(parts[0]);
  const chunks = parts.map((part) => {
    if (part instanceof Blob) return bytesOf(part);
    return typeof part === 'string' ? encode(part) : part;
  });
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const encodeNative = (text) => encodeUtf8(text.replace(/\r\n?/g, '\n'));

/** A place in `size` bytes: a negative one counts from the end. */
function placeOf(value, size) {
  const place = Math.trunc(Number(value)) || 0;
  return place < 0 ? Math.max(size + place, 0) : Math.min(place, size);
}

let read;

/** Bytes that don't change, with a type. */
export class Blob {
  #bytes;
  #type;

  static {
    read = (blob) => blob.#bytes;
  }

  constructor(parts = [], options) {
    const list = partsOf(parts);
    const { endings = 'transparent', type = '' } = optionsOf(options);
    const ending = textOf(endings);
    if (!ENDINGS.includes(ending)) throw new TypeError(`expected endings as ${ENDINGS.join(' or ')}, got ${ending}`);
    this.#type = typeOf(type);
    this.#bytes = joined(list, ending === 'native' ? encodeNative : encodeUtf8);
  }

  get size() {
    return this.#bytes.length;
  }

  get type() {
    return this.#type;
  }

  slice(start = 0, end = this.#bytes.length, type = '') {
    const from = placeOf(start, this.#bytes.length);
    const to = placeOf(end, this.#bytes.length);
    const part = new Blob([], { type });
    part.#bytes = this.#bytes.subarray(from, Math.max(from, to));
    return part;
  }

  async text() {
    return host.utf8Decode(binary(this.#bytes), false, false);
  }

  async arrayBuffer() {
    return this.#bytes.slice().buffer;
  }

  async bytes() {
    return this.#bytes.slice();
  }

  stream() {
    return streamOf(this.#bytes.slice());
  }

  get [Symbol.toStringTag]() {
    return 'Blob';
  }
}

/** The bytes of a blob, not copied: nobody may change them. */
export function bytesOf(blob) {
  return read(blob);
}

/** A blob with a name and a time. */
export class File extends Blob {
  #name;
  #lastModified;

  constructor(parts, name, options) {
    if (arguments.length < 2) throw new TypeError('expected the parts and the name of a file');
    super(parts, options);
    this.#name = textOf(name);
    const { lastModified = Date.now() } = optionsOf(options);
    const time = Math.trunc(Number(lastModified));
    this.#lastModified = Number.isFinite(time) ? time : 0;
  }

  get name() {
    return this.#name;
  }

  get lastModified() {
    return this.#lastModified;
  }

  get [Symbol.toStringTag]() {
    return 'File';
  }
}

function entryOf(name, value, filename) {
  if (!(value instanceof Blob)) {
    if (filename !== undefined) throw new TypeError(`expected a Blob as the value that has a filename, got a value of type ${typeof value}`);
    return [textOf(name), textOf(value)];
  }
  if (value instanceof File && filename === undefined) return [textOf(name), value];
  const { type, lastModified } = value;
  return [textOf(name), new File([value], filename === undefined ? 'blob' : filename, { type, lastModified })];
}

function needTwo(given) {
  if (given.length < 2) throw new TypeError('expected a name and a value');
}

/** The entries of a form: names, with strings and files. */
export class FormData {
  #entries = [];

  constructor(form) {
    if (form !== undefined) throw new TypeError('expected no arguments of FormData: there are no form elements here');
  }

  append(name, value, filename) {
    needTwo(arguments);
    this.#entries.push(entryOf(name, value, filename));
  }

  set(name, value, filename) {
    needTwo(arguments);
    const entry = entryOf(name, value, filename);
    const first = this.#entries.findIndex(([other]) => other === entry[0]);
    if (first < 0) this.#entries.push(entry);
    else this.#entries = this.#entries.with(first, entry).filter(([other], at) => at <= first || other !== entry[0]);
  }

  delete(name) {
    const key = textOf(name);
    this.#entries = this.#entries.filter(([other]) => other !== key);
  }

  get(name) {
    const key = textOf(name);
    return this.#entries.find(([other]) => other === key)?.[1] ?? null;
  }

  getAll(name) {
    const key = textOf(name);
    return this.#entries.filter(([other]) => other === key).map(([, value]) => value);
  }

  has(name) {
    const key = textOf(name);
    return this.#entries.some(([other]) => other === key);
  }

  forEach(work, self) {
    if (typeof work !== 'function') throw new TypeError(`expected a function, got a value of type ${typeof work}`);
    for (const [name, value] of this) work.call(self, value, name, this);
  }

  *entries() {
    for (let at = 0; at < this.#entries.length; at++) yield [...this.#entries[at]];
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
    return 'FormData';
  }
}

const withCrlf = (text) => text.replace(/\r\n?|\n/g, '\r\n');

const MARKS = { '\n': '%0A', '\r': '%0D', '"': '%22' };
const escaped = (text) => text.replace(/[\n\r"]/g, (mark) => MARKS[mark]);
const unescaped = (text) => text.replace(/%0A|%0D|%22/gi, (code) => String.fromCharCode(parseInt(code.slice(1), 16)));

/** A form as multipart/form-data: its boundary must be in none of the values. */
export function encodeForm(form, boundary) {
  const parts = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(withCrlf(name))}"`;
    if (typeof value === 'string') {
      parts.push(`${head}\r\n\r\n${withCrlf(value)}\r\n`);
    } else {
      const type = value.type || 'application/octet-stream';
      parts.push(`${head}; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`, value, '\r\n');
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return joined(parts);
}

// A quote ends a value before a semicolon or the end. After a backslash it is one of the value elsewhere: some clients escape so.
const PARAMETER = /;[\t ]*([^=;"\t ]*)[\t ]*(?:=[\t ]*(?:"([^"]*(?:(?<=\\)"(?![\t ]*(?:;|$))[^"]*)*)"(?=[\t ]*(?:;|$))|([^;]*)))?/g;

/** A header's value in lower case without its parameters, and those: the first of a name counts. */
function headerOf(header) {
  const parameters = new Map();
  for (const [, name, quoted, plain = ''] of header.matchAll(PARAMETER)) {
    if (plain.startsWith('"')) throw new TypeError(`expected a header whose quotes are closed, got ${header.slice(0, 200)}`);
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, quoted?.replaceAll('\\"', '"') ?? plain.trim());
  }
  return [header.split(';', 1)[0].trim().toLowerCase(), parameters];
}

const malformed = (what) => new TypeError(`expected a whole body of ${MULTIPART}, got one ${what}`);

/** The name of a part, and its filename if it is a file. */
function dispositionOf(header) {
  if (header === undefined) throw malformed('with a part that has no Content-Disposition');
  const [kind, parameters] = headerOf(header);
  if (kind !== 'form-data') throw malformed(`with a part whose Content-Disposition is ${kind.slice(0, 200) || 'empty'}, not form-data`);
  const name = parameters.get('name');
  const filename = parameters.get('filename');
  if (name === undefined) throw malformed('with a part that has no name in its Content-Disposition');
  return [unescaped(name), filename === undefined ? undefined : unescaped(filename)];
}

/** Adds the parts of a body. As on Cloudflare, lines may end without a carriage return, and text before the first part is skipped. */
function readParts(form, bytes, boundary) {
  const text = binary(bytes);
  const delimiter = `\n--${boundary}`;
  const delimiterFrom = (from) => {
    const found = text.indexOf(delimiter, from);
    if (found < 0) throw malformed('without the boundary of its Content-Type at its end');
    return found;
  };
  let at = text.startsWith(delimiter.slice(1)) ? delimiter.length - 1 : delimiterFrom(0) + delimiter.length;
  const before = (end) => (end > at && text[end - 1] === '\r' ? end - 1 : end);
  const takeLine = () => {
    const end = text.indexOf('\n', at);
    if (end < 0) throw malformed('that ends within a part');
    const line = text.slice(at, before(end));
    at = end + 1;
    return line;
  };

  while (!text.startsWith('--', at)) {
    if (/[^\t ]/.test(takeLine())) throw malformed('with a boundary that has other text after it');
    const headers = new Map();
    for (let line = takeLine(); line; line = takeLine()) {
      const colon = line.indexOf(':');
      const name = line.slice(0, Math.max(colon, 0));
      if (!TOKEN.test(name)) throw malformed('with a header that has no name');
      headers.set(name.toLowerCase(), decoded(line.slice(colon + 1)).trim());
    }
    const [name, filename] = dispositionOf(headers.get('content-disposition'));
    const next = delimiterFrom(at);
    const end = before(next);
    if (filename === undefined) form.append(name, decoded(text.slice(at, end)));
    else form.append(name, new File([bytes.subarray(at, end)], filename, { type: headers.get('content-type') ?? 'text/plain' }));
    at = next + delimiter.length;
  }
}

/** The form in bytes of a Content-Type: multipart/form-data or application/x-www-form-urlencoded. */
export function decodeForm(bytes, contentType) {
  const header = contentType ?? '';
  const [type, parameters] = headerOf(header);
  const form = new FormData();
  if (type === MULTIPART) {
    const boundary = parameters.get('boundary');
    if (!boundary || /[\r\n]/.test(boundary)) throw new TypeError(`expected a Content-Type of ${MULTIPART} with a boundary, got ${header}`);
    readParts(form, bytes, boundary);
  } else if (type === URLENCODED) {
    const flat = host.formParse(decoded(binary(bytes)));
    for (let at = 0; at < flat.length; at += 2) form.append(flat[at], flat[at + 1]);
  } else {
    throw new TypeError(`expected a form with a Content-Type of ${MULTIPART} or ${URLENCODED}, got ${header || 'none'}`);
  }
  return form;
}
