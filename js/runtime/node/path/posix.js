// The module `node:path/posix`.
import { checkString } from 'dotdo:node/errors';
import { extensionAt, formatted, lastName, matches, normalized } from 'dotdo:node/path/parts';
import win32 from 'node:path/win32';

const isSlash = (letter) => letter === '/';

export const sep = '/';
export const delimiter = ':';

export function resolve(...paths) {
  let [whole, at] = ['', paths.length - 1];
  for (; at >= -1 && !whole.startsWith('/'); at--) {
    // On Cloudflare, nothing is relative to process.cwd().
    const path = at >= 0 ? paths[at] : '/';
    checkString(path, `paths[${at}]`);
    if (path !== '') whole = whole === '' ? path : `${path}/${whole}`;
  }
  const isAbsolute = whole.startsWith('/');
  const path = normalized(whole, '/', isSlash, !isAbsolute);
  return isAbsolute ? `/${path}` : path || '.';
}

export function normalize(path) {
  checkString(path, 'path');
  if (path === '') return '.';
  const isAbsolute = path[0] === '/';
  let result = normalized(path, '/', isSlash, !isAbsolute);
  if (result === '' && isAbsolute) return '/';
  if (result === '') return path.endsWith('/') ? './' : '.';
  if (path.endsWith('/')) result += '/';
  return isAbsolute ? `/${result}` : result;
}

export function isAbsolute(path) {
  checkString(path, 'path');
  return path[0] === '/';
}

export function join(...paths) {
  for (const path of paths) checkString(path, 'path');
  const whole = paths.filter((path) => path !== '').join('/');
  return whole === '' ? '.' : normalize(whole);
}

export function relative(from, to) {
  checkString(from, 'from');
  checkString(to, 'to');
  if (from === to) return '';
  const parts = (path) => resolve(path).split('/').filter((part) => part !== '');
  const [start, end] = [parts(from), parts(to)];
  let same = 0;
  while (same < start.length && start[same] === end[same]) same++;
  return [...start.slice(same).map(() => '..'), ...end.slice(same)].join('/');
}

export const toNamespacedPath = (path) => path;

export function dirname(path) {
  checkString(path, 'path');
  if (path === '') return '.';
  let end = path.length;
  while (end > 1 && path[end - 1] === '/') end--;
  const at = path.lastIndexOf('/', end - 1);
  if (at < 0) return '.';
  if (at === 0) return '/';
  // Two at the beginning mean something of their own.
  return at === 1 && path[0] === '/' ? '//' : path.slice(0, at);
}

export function basename(path, suffix) {
  if (suffix !== undefined) checkString(suffix, 'suffix');
  checkString(path, 'path');
  return lastName(path, suffix, isSlash);
}

export function extname(path) {
  checkString(path, 'path');
  const name = lastName(path, undefined, isSlash);
  const at = extensionAt(name);
  return at < 0 ? '' : name.slice(at);
}

export const format = (parts) => formatted(parts, '/');

export function parse(path) {
  checkString(path, 'path');
  const root = path[0] === '/' ? '/' : '';
  const base = lastName(path, undefined, isSlash, root.length);
  const at = extensionAt(base);
  let end = path.length;
  while (end > root.length && path[end - 1] === '/') end--;
  const folder = path.slice(0, end - base.length);
  const dir = folder.length > root.length ? folder.slice(0, -1) : root;
  return { root, dir, base, ext: at < 0 ? '' : base.slice(at), name: at < 0 ? base : base.slice(0, at) };
}

export const matchesGlob = matches;

const posix = { resolve, normalize, isAbsolute, join, relative, toNamespacedPath, dirname, basename, extname, format, parse, matchesGlob, sep, delimiter, win32, posix: null };
posix.posix = posix;
win32.posix = posix;
export { posix, win32 };
export default posix;
