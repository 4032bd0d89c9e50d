// What paths of all systems share.
import { checkObject, checkString } from 'dotdo:node/errors';

/** Without `.` and `..`, as far as there is something above. */
export function normalized(text, separator, isSeparator, allowsAbove) {
  const parts = [];
  let above = 0;
  let part = '';
  const add = () => {
    if (part === '..') {
      if (parts.length > above) parts.pop();
      else if (allowsAbove) {
        parts.push('..');
        above++;
      }
    } else if (part !== '' && part !== '.') parts.push(part);
    part = '';
  };
  for (const letter of text) {
    if (isSeparator(letter)) add();
    else part += letter;
  }
  add();
  return parts.join(separator);
}

/** Where the extension of a name begins; -1 if it has none. */
export function extensionAt(name) {
  const dot = name.lastIndexOf('.');
  return dot <= 0 || name === '..' ? -1 : dot;
}

/** The last name in `text`, without `suffix`, if it has more than that. */
export function lastName(text, suffix, isSeparator, start = 0) {
  let end = text.length;
  while (end > start && isSeparator(text[end - 1])) end--;
  let begin = end;
  while (begin > start && !isSeparator(text[begin - 1])) begin--;
  const name = text.slice(begin, end);
  if (suffix !== undefined && suffix === text) return '';
  // As in Node: what could be the end of the suffix only keeps the slashes behind it.
  if (suffix && suffix.length <= text.length && suffix !== name && suffix.endsWith(name)) return text.slice(name === '' ? start : begin);
  if (suffix === undefined || suffix === '' || name === suffix || !name.endsWith(suffix)) return name;
  return name.slice(0, -suffix.length);
}

export function formatted(parts, separator) {
  checkObject(parts, 'pathObject');
  const folder = parts.dir || parts.root;
  const extension = parts.ext ? `${parts.ext[0] === '.' ? '' : '.'}${parts.ext}` : '';
  const base = parts.base || `${parts.name || ''}${extension}`;
  if (!folder) return base;
  return folder === parts.root ? `${folder}${base}` : `${folder}${separator}${base}`;
}

/** The regular expression of a pattern with `*`, `**`, `?`, `[…]` and `{…,…}`. */
function patternOf(glob) {
  let text = '';
  let depth = 0;
  for (let at = 0; at < glob.length; at++) {
    const letter = glob[at];
    if (glob.startsWith('**/', at) && (at === 0 || glob[at - 1] === '/')) {
      text += '(?:(?!\\.)[^/]*/)*';
      at += 2;
    } else if (glob.startsWith('**', at)) {
      text += '.*';
      at++;
    } else if (letter === '*') text += at === 0 || glob[at - 1] === '/' ? '(?!\\.)[^/]+' : '[^/]*';
    else if (letter === '?') text += '[^/]';
    else if (letter === '[' && glob.indexOf(']', at + 1) > 0) {
      const end = glob.indexOf(']', at + 1);
      text += `[${glob.slice(at + 1, end).replace(/^!/, '^')}]`;
      at = end;
    } else if (letter === '{') {
      depth++;
      text += '(?:';
    } else if (letter === '}' && depth > 0) {
      depth--;
      text += ')';
    } else if (letter === ',' && depth > 0) text += '|';
    else text += RegExp.escape(letter);
  }
  return new RegExp(`^${text}$`);
}

export function matches(path, glob) {
  checkString(path, 'path');
  checkString(glob, 'pattern');
  return patternOf(glob).test(path);
}
