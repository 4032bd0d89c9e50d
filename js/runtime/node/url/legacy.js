// Addresses as Node took them apart before the web's `URL`.
import { checkString, coded } from 'dotdo:node/errors';
import querystring from 'node:querystring';

const HOSTLESS = ['javascript', 'javascript:'];
const SLASHED = ['http', 'http:', 'https', 'https:', 'ftp', 'ftp:', 'gopher', 'gopher:', 'file', 'file:', 'ws', 'ws:', 'wss', 'wss:'];

export function Url() {
  for (const part of ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href']) this[part] = null;
}

export function parse(value, parsesQuery, slashesMeanHost) {
  if (value instanceof Url) return value;
  const url = new Url();
  url.parse(value, parsesQuery, slashesMeanHost);
  return url;
}

/** Without spaces around, and with slashes before the query. */
function cleaned(text) {
  const trimmed = text.replace(/^[\s\ufeff\u00a0]+|[\s\ufeff\u00a0]+$/g, '');
  const end = trimmed.search(/[?#]/);
  const before = end < 0 ? trimmed : trimmed.slice(0, end);
  return before.replaceAll('\\', '/') + trimmed.slice(before.length);
}

const ESCAPED = /[\t\n\r "'<>\\^`{|}]/g;
const escaped = (text) => text.replace(ESCAPED, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

/** Takes who and where from the beginning of `rest`, and returns what is left. */
function takeHost(url, rest, whole) {
  let [hostEnd, at, nonHost] = [-1, -1, -1];
  for (let index = 0; index < rest.length && hostEnd < 0; index++) {
    const letter = rest[index];
    if ('#/?'.includes(letter)) {
      if (nonHost < 0) nonHost = index;
      hostEnd = index;
    } else if (letter === '@') {
      at = index;
      nonHost = -1;
    } else if ('\t\n\r "%\';<>\\^`{|}'.includes(letter) && nonHost < 0) nonHost = index;
  }
  if (at >= 0) url.auth = decodeURIComponent(rest.slice(0, at));
  const start = at + 1;
  const end = nonHost < 0 ? rest.length : nonHost;
  url.host = rest.slice(start, end);
  const port = /:([0-9]*)$/.exec(url.host);
  if (port) {
    if (port[1] !== '') url.port = port[1];
    url.host = url.host.slice(0, -port[0].length);
  }
  let hostname = url.host;
  const isIpv6 = hostname.startsWith('[') && hostname.endsWith(']');
  let left = rest.slice(end);
  if (!isIpv6) {
    const bad = hostname.search(/[^a-zA-Z0-9\-._+\u0080-\uffff]/);
    if (bad >= 0) {
      left = `/${hostname.slice(bad)}${left}`;
      hostname = hostname.slice(0, bad);
    }
  }
  hostname = hostname.length > 255 ? '' : hostname.toLowerCase();
  if (!isIpv6 && hostname !== '' && /[^\0-\x7f]/.test(hostname)) {
    const ascii = URL.parse(`http://${hostname}/`)?.hostname;
    if (!ascii) throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL', { input: whole });
    hostname = ascii;
  }
  url.host = `${hostname}${url.port ? `:${url.port}` : ''}`;
  url.hostname = isIpv6 ? hostname.slice(1, -1) : hostname;
  return isIpv6 && left[0] !== '/' ? `/${left}` : left;
}

function takeQuery(url, parsesQuery, search) {
  if (search === undefined) {
    if (parsesQuery) {
      url.search = null;
      url.query = Object.create(null);
    }
    return;
  }
  url.search = search;
  url.query = parsesQuery ? querystring.parse(search.slice(1)) : search.slice(1);
}

Url.prototype.parse = function (value, parsesQuery, slashesMeanHost) {
  checkString(value, 'url');
  let rest = cleaned(value);
  if (!slashesMeanHost && !/[#@]/.test(value)) {
    const simple = /^(\/\/?(?!\/)[^?\s]*)(\?[^\s]*)?$/.exec(rest);
    if (simple) {
      this.path = rest;
      this.href = rest;
      this.pathname = simple[1];
      takeQuery(this, parsesQuery, simple[2]);
      return this;
    }
  }
  const scheme = /^[a-z0-9.+-]+:/i.exec(rest)?.[0];
  const protocol = scheme?.toLowerCase();
  if (scheme) {
    this.protocol = protocol;
    rest = rest.slice(scheme.length);
  }
  let hasSlashes = false;
  if (slashesMeanHost || scheme || /^\/\/[^@/]+@[^@/]+/.test(rest)) {
    hasSlashes = rest.startsWith('//');
    if (hasSlashes && !HOSTLESS.includes(protocol)) {
      rest = rest.slice(2);
      this.slashes = true;
    }
  }
  if (!HOSTLESS.includes(protocol) && (hasSlashes || (scheme && !SLASHED.includes(scheme)))) rest = takeHost(this, rest, value);
  if (!HOSTLESS.includes(protocol)) rest = escaped(rest);
  const hash = rest.indexOf('#');
  if (hash >= 0) {
    this.hash = rest.slice(hash);
    rest = rest.slice(0, hash);
  }
  const question = rest.indexOf('?');
  takeQuery(this, parsesQuery, question < 0 ? undefined : rest.slice(question));
  const pathname = question < 0 ? rest : rest.slice(0, question);
  if (pathname !== '') this.pathname = pathname;
  if (SLASHED.includes(protocol) && this.hostname && !this.pathname) this.pathname = '/';
  if (this.pathname || this.search) this.path = `${this.pathname ?? ''}${this.search ?? ''}`;
  this.href = this.format();
  return this;
};

const encodedAuth = (auth) => auth.replace(/[^A-Za-z0-9\-_.!~*'()]+/g, (text) => encodeURIComponent(text)).replace(/%3A/i, ':');

Url.prototype.format = function () {
  const auth = this.auth ? `${encodedAuth(this.auth)}@` : '';
  let [protocol, pathname, hash, host] = [this.protocol ?? '', this.pathname ?? '', this.hash ?? '', ''];
  if (this.host) host = auth + this.host;
  else if (this.hostname) {
    const isIpv6 = this.hostname.includes(':') && !this.hostname.startsWith('[');
    host = `${auth}${isIpv6 ? `[${this.hostname}]` : this.hostname}${this.port ? `:${this.port}` : ''}`;
  }
  const query = this.query !== null && typeof this.query === 'object' ? querystring.stringify(this.query) : '';
  let search = this.search || (query && `?${query}`) || '';
  if (protocol && !protocol.endsWith(':')) protocol += ':';
  pathname = pathname.replaceAll('#', '%23').replaceAll('?', '%3F');
  if (this.slashes || SLASHED.includes(protocol)) {
    if (this.slashes || host) {
      if (pathname && pathname[0] !== '/') pathname = `/${pathname}`;
      host = `//${host}`;
    } else if (protocol.startsWith('file')) host = '//';
  }
  search = search.replaceAll('#', '%23');
  if (hash && hash[0] !== '#') hash = `#${hash}`;
  if (search && search[0] !== '?') search = `?${search}`;
  return protocol + host + pathname + search + hash;
};

Url.prototype.resolve = function (relative) {
  return this.resolveObject(parse(relative, false, true)).format();
};

export const resolve = (source, relative) => parse(source, false, true).resolve(relative);
export const resolveObject = (source, relative) => (source ? parse(source, false, true).resolveObject(relative) : relative);

function finish(url) {
  url.path = url.pathname === null && url.search === null ? null : `${url.pathname ?? ''}${url.search ?? ''}`;
  url.href = url.format();
  return url;
}

/** Another scheme, which may have no path of its own. */
function ofOtherScheme(result, relative) {
  if (!SLASHED.includes(relative.protocol)) {
    Object.assign(result, relative);
    result.href = result.format();
    return result;
  }
  result.protocol = relative.protocol;
  if (!relative.host && !/^file:?$/.test(relative.protocol) && !HOSTLESS.includes(relative.protocol)) {
    const parts = (relative.pathname ?? '').split('/');
    while (parts.length && !(relative.host = parts.shift()));
    relative.host ||= '';
    relative.hostname ||= '';
    if (parts[0] !== '') parts.unshift('');
    if (parts.length < 2) parts.unshift('');
    result.pathname = parts.join('/');
  } else result.pathname = relative.pathname;
  result.search = relative.search;
  result.query = relative.query;
  result.host = relative.host || '';
  result.auth = relative.auth;
  result.hostname = relative.hostname || relative.host;
  result.port = relative.port;
  if (result.pathname || result.search) result.path = `${result.pathname || ''}${result.search || ''}`;
  result.slashes ||= relative.slashes;
  result.href = result.format();
  return result;
}

/** `.` and `..` are done, from the end. */
function withoutDots(path) {
  let above = 0;
  for (let at = path.length - 1; at >= 0; at--) {
    if (path[at] === '.') path.splice(at, 1);
    else if (path[at] === '..') {
      path.splice(at, 1);
      above++;
    } else if (above) {
      path.splice(at, 1);
      above--;
    }
  }
  return above;
}

Url.prototype.resolveObject = function (given) {
  const relative = { ...(typeof given === 'string' ? parse(given, false, true) : given) };
  const result = Object.assign(new Url(), this);
  result.hash = relative.hash;
  if (relative.href === '') {
    result.href = result.format();
    return result;
  }
  if (relative.slashes && !relative.protocol) {
    const { protocol } = result;
    Object.assign(result, relative, { protocol });
    if (SLASHED.includes(protocol) && result.hostname && !result.pathname) result.path = result.pathname = '/';
    result.href = result.format();
    return result;
  }
  if (relative.protocol && relative.protocol !== result.protocol) return ofOtherScheme(result, relative);
  return ofOnePath(result, relative);
};

/** An address without slashes after its scheme has its host as the first part of its path. */
function hostIntoPath(url, path) {
  if (!url.host) return;
  if (path[0] === '') path[0] = url.host;
  else path.unshift(url.host);
}

function ofOnePath(result, relative) {
  const isAbsolutePath = ({ pathname }) => Boolean(pathname && pathname[0] === '/');
  const isRelativeAbsolute = Boolean(relative.host || isAbsolutePath(relative));
  let mustEndAbsolute = isRelativeAbsolute || isAbsolutePath(result) || Boolean(result.host && relative.pathname);
  const removesAllDots = mustEndAbsolute;
  let path = result.pathname ? result.pathname.split('/') : [];
  const relativePath = relative.pathname ? relative.pathname.split('/') : [];
  const isBare = Boolean(result.protocol && !SLASHED.includes(result.protocol));
  if (isBare) {
    result.hostname = '';
    result.port = null;
    hostIntoPath(result, path);
    result.host = '';
    if (relative.protocol) {
      relative.hostname = null;
      relative.port = null;
      result.auth = null;
      hostIntoPath(relative, relativePath);
      relative.host = null;
    }
    mustEndAbsolute &&= relativePath[0] === '' || path[0] === '';
  }
  if (isRelativeAbsolute) {
    takePlace(result, relative);
    path = relativePath;
  } else if (relativePath.length) {
    path.pop();
    path = path.concat(relativePath);
    Object.assign(result, { search: relative.search, query: relative.query });
  } else if (relative.search !== null && relative.search !== undefined) {
    if (isBare) {
      result.hostname = result.host = path.shift();
      takeAuth(result);
    }
    Object.assign(result, { search: relative.search, query: relative.query });
    return finish(result);
  }
  if (!path.length) {
    result.pathname = null;
    result.path = result.search ? `/${result.search}` : null;
    result.href = result.format();
    return result;
  }
  return ofParts(result, relative, path, { isBare, mustEndAbsolute, removesAllDots });
}

/** The host of the relative address, if it has one, and its query. */
function takePlace(result, relative) {
  if (relative.host || relative.host === '') {
    if (result.host !== relative.host) result.auth = null;
    result.host = relative.host;
    result.port = relative.port;
  }
  if (relative.hostname || relative.hostname === '') {
    if (result.hostname !== relative.hostname) result.auth = null;
    result.hostname = relative.hostname;
  }
  Object.assign(result, { search: relative.search, query: relative.query });
}

function ofParts(result, relative, path, { isBare, mustEndAbsolute: must, removesAllDots }) {
  let mustEndAbsolute = must;
  const last = path.at(-1);
  const hasTrailingSlash = ((result.host || relative.host || path.length > 1) && (last === '.' || last === '..')) || last === '';
  let above = withoutDots(path);
  if (!mustEndAbsolute && !removesAllDots) while (above--) path.unshift('..');
  if (mustEndAbsolute && path[0] !== '' && (!path[0] || path[0][0] !== '/')) path.unshift('');
  if (hasTrailingSlash && !path.join('/').endsWith('/')) path.push('');
  const isAbsolute = path[0] === '' || Boolean(path[0] && path[0][0] === '/');
  if (isBare) {
    result.hostname = result.host = isAbsolute ? '' : path.length ? path.shift() : '';
    takeAuth(result);
  }
  mustEndAbsolute ||= Boolean(result.host && path.length);
  if (mustEndAbsolute && !isAbsolute) path.unshift('');
  result.pathname = path.length ? path.join('/') : null;
  result.auth = relative.auth || result.auth;
  result.slashes ||= relative.slashes;
  return finish(result);
}

function takeAuth(url) {
  const at = url.host?.indexOf('@') ?? -1;
  if (at <= 0) return;
  url.auth = url.host.slice(0, at);
  url.host = url.hostname = url.host.slice(at + 1);
}
