// The module `node:url`.
import { checkBoolean, checkObject, checkString, coded, invalidType } from 'dotdo:node/errors';
import { parse, resolve, resolveObject, Url } from 'dotdo:node/url/legacy';
import posix from 'node:path/posix';
import win32 from 'node:path/win32';
import { toUnicode } from 'node:punycode';

const { URL, URLSearchParams } = globalThis;

/** The host of an address, which is in ASCII. */
function hostOf(domain) {
  const url = /[/?#@:\\]/.test(domain) && !domain.startsWith('[') ? null : URL.parse(`ws://${domain}`);
  return url?.hostname ?? '';
}

export const domainToASCII = (domain) => hostOf(`${domain}`);
export const domainToUnicode = (domain) => toUnicode(hostOf(`${domain}`));

const invalidPath = (text) => coded(TypeError, 'ERR_INVALID_FILE_URL_PATH', `File URL path ${text}`);

export function fileURLToPath(input, { windows = false } = {}) {
  const url = typeof input === 'string' ? new URL(input) : input;
  if (typeof url?.href !== 'string' || typeof url.protocol !== 'string') throw invalidType('path', ['string', 'URL'], input);
  if (url.protocol !== 'file:') throw coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  if (windows) return windowsPath(url);
  if (url.hostname !== '') throw coded(TypeError, 'ERR_INVALID_FILE_URL_HOST', 'File URL host must be "localhost" or empty on linux');
  if (/%2f/i.test(url.pathname)) throw invalidPath('must not include encoded / characters');
  return decodeURIComponent(url.pathname);
}

function windowsPath({ hostname, pathname }) {
  if (/%(2f|5c)/i.test(pathname)) throw invalidPath('must not include encoded \\ or / characters');
  const path = decodeURIComponent(pathname.replaceAll('/', '\\'));
  if (hostname !== '') return `\\\\${toUnicode(hostname)}${path}`;
  if (!/^\\[a-zA-Z]:/.test(path)) throw invalidPath('must be absolute');
  return path.slice(1);
}

export function pathToFileURL(path, { windows = false } = {}) {
  checkString(path, 'path');
  let whole = windows ? win32.resolve(path) : posix.resolve(path);
  if (/[/\\]$/.test(windows ? path : path.replaceAll('\\', '')) && !whole.endsWith(windows ? '\\' : '/')) whole += '/';
  const escaped = whole
    .replaceAll('%', '%25')
    .replaceAll('\n', '%0A')
    .replaceAll('\r', '%0D')
    .replaceAll('\t', '%09')
    .replaceAll('?', '%3F')
    .replaceAll('#', '%23');
  if (!windows) return new URL(`file://${escaped.replaceAll('\\', '%5C')}`);
  const slashed = escaped.replaceAll('\\', '/');
  return new URL(slashed.startsWith('//') ? `file:${slashed}` : `file:///${slashed}`);
}

const toPathIfFileURL = (value) => (value instanceof URL ? fileURLToPath(value) : value);

export function urlToHttpOptions(url) {
  const { protocol, hostname, hash, search, pathname, href, port, username, password } = url;
  return {
    __proto__: null,
    ...url,
    protocol,
    hostname: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
    hash,
    search,
    pathname,
    path: `${pathname}${search}`,
    href,
    ...(port === '' ? {} : { port: Number(port) }),
    ...(username || password ? { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` } : {}),
  };
}

export function format(value, options) {
  if (typeof value === 'string') return parse(value).format();
  if (typeof value !== 'object' || value === null) throw invalidType('urlObject', ['Object', 'string'], value);
  if (value instanceof URL) return formatUrl(value, options);
  return Url.prototype.format.call(value);
}

function formatUrl(url, options = {}) {
  checkObject(options, 'options');
  const { auth = true, fragment = true, search = true, unicode = false } = options ?? {};
  for (const [name, flag] of Object.entries({ auth, fragment, search, unicode })) if (flag !== undefined && flag !== null) checkBoolean(Boolean(flag), name);
  const user = auth && (url.username || url.password) ? `${url.username}${url.password ? `:${url.password}` : ''}@` : '';
  const hostname = unicode ? toUnicode(url.hostname) : url.hostname;
  const hasHost = url.host !== '' || url.href.startsWith(`${url.protocol}//`);
  return `${url.protocol}${hasHost ? '//' : ''}${user}${hostname}${url.port ? `:${url.port}` : ''}${url.pathname}${search ? url.search : ''}${fragment ? url.hash : ''}`;
}

export { parse, resolve, resolveObject, toPathIfFileURL, Url, URL, URLSearchParams };
export default {
  domainToASCII, domainToUnicode, URL, URLSearchParams, fileURLToPath, pathToFileURL, toPathIfFileURL, urlToHttpOptions, format, parse, resolve,
  resolveObject, Url,
};
