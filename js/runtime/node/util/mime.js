// Types of media and their parameters.
import { coded } from 'dotdo:node/errors';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const invalid = (part, text, at) => coded(TypeError, 'ERR_INVALID_MIME_SYNTAX', `The MIME syntax for a ${part} in ${JSON.stringify(text)} is invalid${at === undefined || at < 0 ? '' : ` at ${at}`}`);

const trimmedStart = (text) => text.replace(/^[\r\n\t ]+/, '');
const trimmedEnd = (text) => text.replace(/[\r\n\t ]+$/, '');

function token(text, part, whole) {
  if (text === '' || !TOKEN.test(text)) throw invalid(part, whole, text.search(/[^!#$%&'*+\-.^_`|~0-9A-Za-z]/));
  return text.toLowerCase();
}

const quoted = (value) => (value === '' || !TOKEN.test(value) ? `"${value.replace(/(["\\])/g, '\\$1')}"` : value);

export class MIMEParams {
  #values = new Map();

  get(name) {
    return this.#values.get(`${name}`) ?? null;
  }

  has(name) {
    return this.#values.has(`${name}`);
  }

  set(name, value) {
    if (!TOKEN.test(`${name}`)) throw invalid('parameter name', `${name}`, -1);
    if (!VALUE.test(`${value}`)) throw invalid('parameter value', `${value}`, -1);
    this.#values.set(`${name}`, `${value}`);
  }

  delete(name) {
    this.#values.delete(`${name}`);
  }

  * entries() {
    yield* this.#values.entries();
  }

  * keys() {
    yield* this.#values.keys();
  }

  * values() {
    yield* this.#values.values();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return Array.from(this.#values, ([name, value]) => `${name}=${quoted(value)}`).join(';');
  }

  toJSON() {
    return this.toString();
  }

  /** Adds those of a text that are well formed and were not there before. */
  static read(text) {
    const params = new MIMEParams();
    let rest = text;
    while (rest !== '') {
      rest = trimmedStart(rest.slice(1));
      const name = /^[^;=]*/.exec(rest)[0];
      rest = rest.slice(name.length);
      if (rest === '' || rest[0] === ';') continue;
      rest = rest.slice(1);
      let value;
      if (rest[0] === '"') {
        const found = /^"((?:[^"\\]|\\[^])*)(?:"|\\?$)/.exec(rest);
        value = found[1].replace(/\\([^])/g, '$1');
        rest = rest.slice(found[0].length).replace(/^[^;]*/, '');
      } else {
        const found = /^[^;]*/.exec(rest)[0];
        rest = rest.slice(found.length);
        value = trimmedEnd(found);
        if (value === '') continue;
      }
      if (name !== '' && TOKEN.test(name) && VALUE.test(value) && !params.has(name.toLowerCase())) params.set(name.toLowerCase(), value);
    }
    return params;
  }
}

export class MIMEType {
  #type;
  #subtype;
  #params;

  constructor(input) {
    const text = trimmedEnd(trimmedStart(`${input}`));
    const slash = text.indexOf('/');
    this.#type = token(slash < 0 ? text : text.slice(0, slash), 'type', `${input}`);
    if (slash < 0) throw invalid('type', `${input}`, -1);
    const rest = text.slice(slash + 1);
    const end = rest.indexOf(';');
    this.#subtype = token(trimmedEnd(end < 0 ? rest : rest.slice(0, end)), 'subtype', `${input}`);
    this.#params = MIMEParams.read(end < 0 ? '' : rest.slice(end));
  }

  get type() {
    return this.#type;
  }

  set type(value) {
    this.#type = token(`${value}`, 'type', `${value}`);
  }

  get subtype() {
    return this.#subtype;
  }

  set subtype(value) {
    this.#subtype = token(`${value}`, 'subtype', `${value}`);
  }

  get essence() {
    return `${this.#type}/${this.#subtype}`;
  }

  get params() {
    return this.#params;
  }

  toString() {
    const params = this.#params.toString();
    return params === '' ? this.essence : `${this.essence};${params}`;
  }

  toJSON() {
    return this.toString();
  }
}
