// `URLPattern`, as https://urlpattern.spec.whatwg.org says.
import { compile, escapePattern, tokensOf } from 'dotdo:patterns/parts';

const COMPONENTS = ['protocol', 'username', 'password', 'hostname', 'port', 'pathname', 'search', 'hash'];
const PORTS = { http: '80', https: '443', ws: '80', wss: '443', ftp: '21' };
const SPECIAL = [...Object.keys(PORTS), 'file'];
const PLAIN = { delimiter: '', prefix: '' };
const OPTIONS = { hostname: { delimiter: '.', prefix: '' }, pathname: { delimiter: '/', prefix: '/' } };

const refuse = (message = 'Failed to construct URLPattern') => {
  throw new TypeError(message);
};

/** A part of a URL as the URL would have it. */
const ENCODE = {
  protocol: (text) => (text === '' || /^[a-z][a-z0-9+.-]*$/i.test(text) ? text.toLowerCase() : refuse()),
  username: (text) => through(text, 'username'),
  password: (text) => through(text, 'password'),
  hostname(text) {
    if (text === '') return '';
    if (/[#/:?@\\\s]/.test(text.replace(/^\[.*\]$/, ''))) return refuse();
    try {
      return new URL(`http://${text}`).hostname;
    } catch {
      return refuse();
    }
  },
  port: (text) => (/^\d{0,5}$/.test(text) && Number(text) < 65536 ? text && String(Number(text)) : refuse()),
  pathname(text) {
    if (text === '') return '';
    const isAbsolute = text.startsWith('/');
    const { pathname } = new URL(`http://host${isAbsolute ? '' : '/-'}${text.replaceAll('?', '%3F').replaceAll('#', '%23')}`);
    return isAbsolute ? pathname : pathname.slice(2);
  },
  search: (text) => through(text, 'search').replace(/^\?/, ''),
  hash: (text) => through(text, 'hash').replace(/^#/, ''),
};

function through(text, member) {
  const url = new URL('http://host/');
  url[member] = text;
  return url[member];
}

/** The components that a text of a whole pattern has. */
class TextParser {
  #tokens;
  #letters;
  #at = 0;
  #start = 0;
  #step = 1;
  #depth = 0;
  #brackets = 0;
  #state = 'init';
  #isSpecial = false;
  found = {};

  constructor(text) {
    this.#letters = Array.from(text);
    this.#tokens = tokensOf(text, true);
  }

  #is(value, at = this.#at) {
    const token = this.#tokens[Math.min(at, this.#tokens.length - 1)];
    return token.value === value && ['char', 'escaped', 'invalid'].includes(token.type);
  }

  #isSearch() {
    if (this.#is('?')) return true;
    if (this.#tokens[this.#at].value !== '?') return false;
    return !['name', 'regexp', 'close', 'asterisk'].includes(this.#tokens[this.#at - 1]?.type);
  }

  #component() {
    return this.#letters.slice(this.#tokens[this.#start].at, this.#tokens[this.#at].at).join('');
  }

  #change(state, skip) {
    const from = this.#state;
    const { found } = this;
    if (!['init', 'authority', 'done'].includes(from)) found[from] = this.#component();
    if (from !== 'init' && state !== 'done') {
      const order = ['protocol', 'authority', 'username', 'password', 'hostname', 'port', 'pathname', 'search', 'hash'];
      const [before, after] = [order.indexOf(from), order.indexOf(state)];
      if (before < 4 && after > 4) found.hostname ??= '';
      if (before < 6 && after > 6) found.pathname ??= this.#isSpecial ? '/' : '';
      if (before < 7 && after > 7) found.search ??= '';
    }
    this.#state = state;
    this.#at += skip;
    this.#start = this.#at;
    this.#step = 0;
  }

  #rewind(state) {
    this.#at = this.#start;
    this.#step = 0;
    this.#state = state;
  }

  #end() {
    if (this.#state === 'init') {
      this.#rewind('init');
      if (this.#is('#')) this.#change('hash', 1);
      else if (this.#isSearch()) this.#change('search', 1);
      else this.#change('pathname', 0);
      return true;
    }
    if (this.#state === 'authority') {
      this.#rewind('hostname');
      return true;
    }
    this.#change('done', 0);
    return false;
  }

  #protocol() {
    this.#isSpecial = SPECIAL.some((scheme) => compile(this.#component(), PLAIN, ENCODE.protocol).regexp.test(scheme));
    if (this.#is('/', this.#at + 1) && this.#is('/', this.#at + 2)) this.#change('authority', 3);
    else this.#change(this.#isSpecial ? 'authority' : 'pathname', 1);
  }

  /** What ends this component and begins the next one. */
  #next() {
    const isPath = this.#is('/');
    switch (this.#state) {
      case 'init':
        if (this.#is(':')) this.#rewind('protocol');
        return;
      case 'protocol':
        if (this.#is(':')) this.#protocol();
        return;
      case 'authority':
        if (this.#is('@')) this.#rewind('username');
        else if (isPath || this.#isSearch() || this.#is('#')) this.#rewind('hostname');
        return;
      case 'username':
      case 'password':
        if (this.#state === 'username' && this.#is(':')) this.#change('password', 1);
        else if (this.#is('@')) this.#change('hostname', 1);
        return;
      case 'hostname':
        if (this.#is('[')) this.#brackets += 1;
        else if (this.#is(']')) this.#brackets -= 1;
        else if (this.#is(':') && !this.#brackets) return void this.#change('port', 1);
    }
    if (['hostname', 'port'].includes(this.#state) && isPath) this.#change('pathname', 0);
    else if (['hostname', 'port', 'pathname'].includes(this.#state) && this.#isSearch()) this.#change('search', 1);
    else if (this.#state !== 'hash' && this.#is('#')) this.#change('hash', 1);
  }

  parse() {
    for (; this.#at < this.#tokens.length; this.#at += this.#step) {
      this.#step = 1;
      const { type } = this.#tokens[this.#at];
      if (type === 'end') {
        if (this.#end()) continue;
        break;
      }
      if (type === 'open') {
        this.#depth += 1;
        continue;
      }
      if (this.#depth > 0) {
        if (type !== 'close') continue;
        this.#depth -= 1;
      }
      this.#next();
    }
    if (this.found.hostname !== undefined) this.found.port ??= '';
    return this.found;
  }
}

/** What `init` leaves to its base, which comes before what it says. */
function inherited(init, isPattern) {
  let base;
  try {
    base = new URL(init.baseURL);
  } catch {
    return refuse();
  }
  const shown = isPattern ? escapePattern : (text) => text;
  const parts = { protocol: base.protocol.slice(0, -1), hostname: base.hostname, port: base.port, pathname: base.pathname, search: base.search.slice(1), hash: base.hash.slice(1) };
  const found = {};
  for (const [name, value] of Object.entries(parts)) {
    if (init[name] !== undefined) break;
    found[name] = shown(value);
  }
  if (init.pathname !== undefined && !/^(\/|\\\/|\{\/)/.test(init.pathname)) {
    const path = shown(base.pathname);
    found.pathname = path.slice(0, path.lastIndexOf('/') + 1) + init.pathname;
  }
  return found;
}

/** Components by what was given, with the base. */
function processed(init, isPattern) {
  const found = init.baseURL === undefined ? {} : inherited(init, isPattern);
  for (const name of COMPONENTS) {
    if (init[name] === undefined || (name === 'pathname' && found.pathname !== undefined && !init.pathname.startsWith('/'))) continue;
    found[name] = String(init[name]);
  }
  if (found.protocol !== undefined) found.protocol = found.protocol.replace(/:$/, '');
  if (found.search !== undefined) found.search = found.search.replace(/^\?/, '');
  if (found.hash !== undefined) found.hash = found.hash.replace(/^#/, '');
  return found;
}

function patternOf(input, base) {
  if (typeof input === 'object' && input !== null) {
    if (base !== undefined) refuse();
    return processed(input, true);
  }
  const found = new TextParser(String(input)).parse();
  if (base === undefined && found.protocol === undefined) refuse();
  return processed(base === undefined ? found : { ...found, baseURL: String(base) }, true);
}

export class URLPattern {
  #components = {};

  constructor(input = {}, base, options) {
    if (typeof base === 'object' && base !== null) [base, options] = [undefined, base];
    const found = patternOf(input, base);
    if (PORTS[found.protocol] !== undefined && PORTS[found.protocol] === found.port) found.port = '';
    for (const name of COMPONENTS) {
      const isCased = ['pathname', 'search', 'hash'].includes(name) && options?.ignoreCase;
      this.#components[name] = compile(found[name] ?? '*', OPTIONS[name] ?? PLAIN, ENCODE[name], isCased);
    }
  }

  #match(input, base) {
    const values = {};
    try {
      if (typeof input === 'object' && input !== null) {
        if (base !== undefined) refuse();
        const found = processed(input, false);
        for (const name of COMPONENTS) values[name] = ENCODE[name](found[name] ?? '');
      } else {
        const url = base === undefined ? new URL(String(input)) : new URL(String(input), base);
        for (const name of COMPONENTS) values[name] = url[name];
        values.protocol = values.protocol.slice(0, -1);
        values.search = values.search.slice(1);
        values.hash = values.hash.slice(1);
      }
    } catch {
      return null;
    }
    const result = { inputs: base === undefined ? [input] : [input, base] };
    for (const name of COMPONENTS) {
      const { regexp, names } = this.#components[name];
      const match = regexp.exec(values[name]);
      if (!match) return null;
      result[name] = { input: values[name], groups: Object.fromEntries(names.map((group, at) => [group, match[at + 1]])) };
    }
    return result;
  }

  test(input = {}, base = undefined) { return this.#match(input, base) !== null; }
  exec(input = {}, base = undefined) { return this.#match(input, base); }

  get protocol() { return this.#components.protocol.text; }
  get username() { return this.#components.username.text; }
  get password() { return this.#components.password.text; }
  get hostname() { return this.#components.hostname.text; }
  get port() { return this.#components.port.text; }
  get pathname() { return this.#components.pathname.text; }
  get search() { return this.#components.search.text; }
  get hash() { return this.#components.hash.text; }
  get hasRegExpGroups() { return COMPONENTS.some((name) => this.#components[name].hasRegexp); }
  get [Symbol.toStringTag]() { return 'URLPattern'; }
}
