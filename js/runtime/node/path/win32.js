// The module `node:path/win32`.
import { checkString } from 'dotdo:node/errors';
import { extensionAt, formatted, lastName, matches, normalized } from 'dotdo:node/path/parts';

const isSlash = (letter) => letter === '/' || letter === '\\';

export const sep = '\\';
export const delimiter = ';';

/** The device (`C:`, `\\server\share`) and how long all of the root is. */
function rootOf(path) {
  const drive = /^[A-Za-z]:/.exec(path);
  if (drive) return { device: drive[0], length: isSlash(path[2] ?? '') ? 3 : 2, isAbsolute: isSlash(path[2] ?? '') };
  if (!isSlash(path[0] ?? '')) return { device: '', length: 0, isAbsolute: false };
  const share = /^[/\\]{2}([^/\\]+)[/\\]+([^/\\]+)/.exec(path);
  if (!share) return { device: '', length: 1, isAbsolute: true };
  const [whole, server, name] = share;
  const length = whole.length + (isSlash(path[whole.length] ?? '') ? 1 : 0);
  if (server === '.' || server === '?') return { device: `\\\\${server}`, length: 4, isAbsolute: true, isDevice: true };
  return { device: `\\\\${server}\\${name}`, length, isAbsolute: true, isShare: true, end: whole.length };
}

export function resolve(...paths) {
  let [device, tail, isAbsolute] = ['', '', false];
  for (let at = paths.length - 1; at >= -1; at--) {
    const path = at >= 0 ? paths[at] : `${device}\\`;
    checkString(path, `paths[${at}]`);
    if (path === '') continue;
    const root = rootOf(path);
    if (root.device !== '') {
      if (device === '') device = root.device;
      else if (device.toLowerCase() !== root.device.toLowerCase()) continue;
    }
    if (!isAbsolute) {
      tail = `${path.slice(root.length)}\\${tail}`;
      isAbsolute = root.isAbsolute;
    }
    if (isAbsolute && device !== '') break;
  }
  const rest = normalized(tail, '\\', isSlash, !isAbsolute);
  return isAbsolute ? `${device}\\${rest}` : `${device}${rest}` || '.';
}

export function normalize(path) {
  checkString(path, 'path');
  if (path === '') return '.';
  if (path.length === 1) return isSlash(path) ? '\\' : path;
  const { device, length, isAbsolute, isShare, end } = rootOf(path);
  if (isShare && end === path.length) return `${device}\\`;
  let tail = length < path.length ? normalized(path.slice(length), '\\', isSlash, !isAbsolute) : '';
  if (tail === '' && !isAbsolute) tail = '.';
  if (tail !== '' && isSlash(path.at(-1))) tail += '\\';
  return device === '' ? (isAbsolute ? `\\${tail}` : tail) : isAbsolute ? `${device}\\${tail}` : `${device}${tail}`;
}

export function isAbsolute(path) {
  checkString(path, 'path');
  return isSlash(path[0] ?? '') || /^[A-Za-z]:[/\\]/.test(path);
}

export function join(...paths) {
  for (const path of paths) checkString(path, 'path');
  const parts = paths.filter((path) => path !== '');
  if (parts.length === 0) return '.';
  let whole = parts.join('\\');
  // Only a first part that begins with exactly two slashes and a name means a server.
  const first = parts[0];
  const slashes = /^[/\\]*/.exec(first)[0].length;
  const isServer = slashes === 2 && first.length > 2;
  if (!isServer) {
    const begin = /^[/\\]*/.exec(whole)[0].length;
    if (begin >= 2) whole = `\\${whole.slice(begin)}`;
  }
  return normalize(whole);
}

export function relative(from, to) {
  checkString(from, 'from');
  checkString(to, 'to');
  if (from === to) return '';
  const [start, end] = [resolve(from), resolve(to)];
  if (start === end || start.toLowerCase() === end.toLowerCase()) return '';
  const parts = (path) => path.split('\\').filter((part) => part !== '');
  const [one, other] = [parts(start), parts(end)];
  let same = 0;
  while (same < one.length && same < other.length && one[same].toLowerCase() === other[same].toLowerCase()) same++;
  if (same === 0) return end;
  return [...one.slice(same).map(() => '..'), ...other.slice(same)].join('\\');
}

export function toNamespacedPath(path) {
  if (typeof path !== 'string' || path.length === 0) return path;
  const whole = resolve(path);
  if (whole.length <= 2) return path;
  if (whole.startsWith('\\\\')) return whole[2] === '?' || whole[2] === '.' ? path : `\\\\?\\UNC\\${whole.slice(2)}`;
  return /^[A-Za-z]:\\/.test(whole) ? `\\\\?\\${whole}` : whole;
}

/** How long the root is, for taking a path apart. */
function rootLength(path) {
  const { length, isShare, isDevice } = rootOf(path);
  return isShare || isDevice ? Math.min(isDevice ? shareLength(path) : length, path.length) : length;
}

function shareLength(path) {
  const whole = /^[/\\]{2}[^/\\]+[/\\]+[^/\\]+/.exec(path)[0].length;
  return whole + (isSlash(path[whole] ?? '') ? 1 : 0);
}

export function dirname(path) {
  checkString(path, 'path');
  if (path === '') return '.';
  if (path.length === 1) return isSlash(path) ? path : '.';
  const root = rootLength(path);
  if (root === path.length && root > 3) return path;
  let end = path.length;
  while (end > root && isSlash(path[end - 1])) end--;
  let at = end - 1;
  while (at >= root && !isSlash(path[at])) at--;
  if (at >= root) return path.slice(0, at);
  return root > 0 ? path.slice(0, root) : '.';
}

export function basename(path, suffix) {
  if (suffix !== undefined) checkString(suffix, 'suffix');
  checkString(path, 'path');
  const start = /^[A-Za-z]:/.test(path) ? 2 : 0;
  return lastName(path, suffix, isSlash, start);
}

export function extname(path) {
  const name = basename(path);
  const at = extensionAt(name);
  return at < 0 ? '' : name.slice(at);
}

export const format = (parts) => formatted(parts, '\\');

export function parse(path) {
  checkString(path, 'path');
  const length = rootLength(path);
  const root = path.slice(0, length);
  const base = lastName(path, undefined, isSlash, length);
  const at = extensionAt(base);
  let end = path.length;
  while (end > length && isSlash(path[end - 1])) end--;
  const folder = path.slice(0, end - base.length);
  const dir = folder.length > length ? folder.slice(0, -1) : root;
  return { root, dir, base, ext: at < 0 ? '' : base.slice(at), name: at < 0 ? base : base.slice(0, at) };
}

export const matchesGlob = (path, glob) => matches(typeof path === 'string' ? path.replaceAll('\\', '/') : path, glob);

const win32 = { resolve, normalize, isAbsolute, join, relative, toNamespacedPath, dirname, basename, extname, format, parse, matchesGlob, sep, delimiter, win32: null, posix: null };
win32.win32 = win32;
export { win32 };
export default win32;
