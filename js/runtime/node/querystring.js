// The module `node:querystring`.
import { Buffer } from 'node:buffer';
import { coded } from 'dotdo:node/errors';

const UNRESERVED = /^[A-Za-z0-9\-_.!~*'()]*$/;

export function escape(value) {
  const text = typeof value === 'string' ? value : typeof value === 'object' ? String(value) : `${value}`;
  if (UNRESERVED.test(text)) return text;
  try {
    return encodeURIComponent(text);
  } catch {
    throw coded(URIError, 'ERR_INVALID_URI', 'URI malformed');
  }
}

export function unescapeBuffer(text, decodesSpaces) {
  const bytes = [];
  const value = String(text);
  for (let at = 0; at < value.length; at++) {
    const digits = value.slice(at + 1, at + 3);
    if (value[at] === '%' && /^[0-9a-fA-F]{2}$/.test(digits)) {
      bytes.push(parseInt(digits, 16));
      at += 2;
    } else bytes.push(decodesSpaces && value[at] === '+' ? 32 : value.charCodeAt(at));
  }
  return Buffer.from(bytes);
}

export function unescape(text, decodesSpaces) {
  try {
    return decodeURIComponent(text);
  } catch {
    return unescapeBuffer(text, decodesSpaces).toString();
  }
}

function plain(value) {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return `${value}`;
  return typeof value === 'bigint' || typeof value === 'boolean' ? `${value}` : '';
}

export function stringify(values, separator, equals, options) {
  const [between, is] = [separator || '&', equals || '='];
  const encode = typeof options?.encodeURIComponent === 'function' ? options.encodeURIComponent : querystring.escape;
  const shown = (value) => {
    const text = plain(value);
    return typeof value === 'number' && Math.abs(value) < 1e21 && encode === escape ? text : text === '' ? '' : encode(text);
  };
  if (values === null || typeof values !== 'object') return '';
  const pairs = [];
  for (const [name, value] of Object.entries(values)) {
    const start = `${encode(name)}${is}`;
    if (Array.isArray(value)) for (const item of value) pairs.push(start + shown(item));
    else pairs.push(start + shown(value));
  }
  return pairs.join(between);
}

/** Decoded, if there is something to decode; a decoder that fails is replaced by ours. */
function decoded(text, decode) {
  if (decode === undefined) return text;
  try {
    return decode(text);
  } catch {
    return querystring.unescape(text, true);
  }
}

export function parse(text, separator, equals, options) {
  const values = Object.create(null);
  if (typeof text !== 'string' || text.length === 0) return values;
  const between = separator ? String(separator) : '&';
  const is = equals ? String(equals) : '=';
  const most = typeof options?.maxKeys === 'number' ? (options.maxKeys > 0 ? options.maxKeys : Infinity) : 1000;
  const own = typeof options?.decodeURIComponent === 'function' ? options.decodeURIComponent : undefined;
  const decode = own ?? querystring.unescape;
  const read = (part) => {
    const spaced = part.replaceAll('+', own ? '%20' : ' ');
    return own || /%/.test(spaced) || decode !== unescape ? decoded(spaced, decode) : spaced;
  };
  let count = 0;
  for (const pair of text.split(between)) {
    if (pair === '') continue;
    if (count++ >= most) break;
    const at = pair.indexOf(is);
    const name = read(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : read(pair.slice(at + is.length));
    if (!(name in values)) values[name] = value;
    else if (Array.isArray(values[name])) values[name].push(value);
    else values[name] = [values[name], value];
  }
  return values;
}

export { parse as decode, stringify as encode };
const querystring = { decode: parse, encode: stringify, escape, parse, stringify, unescape, unescapeBuffer };
export default querystring;
