// Texts as bytes and back, in Node's encodings.
import { binary, encodeUtf8, host } from 'dotdo:host';
import { coded } from 'dotdo:node/errors';

const NAMES = new Map([
  ['utf8', 'utf8'], ['utf-8', 'utf8'], ['hex', 'hex'], ['base64', 'base64'], ['base64url', 'base64url'], ['ascii', 'ascii'],
  ['latin1', 'latin1'], ['binary', 'latin1'], ['ucs2', 'utf16le'], ['ucs-2', 'utf16le'], ['utf16le', 'utf16le'], ['utf-16le', 'utf16le'],
]);

/** The name of an encoding as Node gives it, or `undefined`. */
export const encodingOf = (name) => NAMES.get(name) ?? NAMES.get(String(name).toLowerCase());

export function encoding(name) {
  if (name === undefined || name === null || name === '') return 'utf8';
  const found = encodingOf(name);
  if (!found) throw coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${String(name)}`);
  return found;
}

/** One byte for each unit of UTF-16. */
function encodeUnits(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function encodeUtf16(text) {
  const bytes = new Uint8Array(text.length * 2);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    bytes[2 * at] = unit;
    bytes[2 * at + 1] = unit >> 8;
  }
  return bytes;
}

/** Up to the first pair that is none. */
function encodeHex(text) {
  const whole = text.length % 2 ? text.slice(0, -1) : text;
  const wrong = whole.search(/[^0-9a-fA-F]/);
  return Uint8Array.fromHex(wrong < 0 ? whole : whole.slice(0, wrong - (wrong % 2)));
}

/** What is no digit is passed over, up to the first padding. */
function encodeBase64(text) {
  // Of other letters the lower byte counts.
  let digits = text.replace(/[^\0-\xff]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) & 0xff));
  if (!/^[A-Za-z0-9+/]*$/.test(digits)) {
    const end = digits.indexOf('=');
    if (end >= 0) digits = digits.slice(0, end);
    digits = digits.replaceAll('-', '+').replaceAll('_', '/').replace(/[^A-Za-z0-9+/]/g, '');
  }
  if (digits.length % 4 === 1) digits = digits.slice(0, -1);
  return Uint8Array.fromBase64(digits);
}

/** `text` as bytes; `name` is one of Node's own. */
export function encode(text, name) {
  switch (name) {
    case 'utf8': return encodeUtf8(text);
    case 'hex': return encodeHex(text);
    case 'utf16le': return encodeUtf16(text);
    case 'base64':
    case 'base64url': return encodeBase64(text);
    default: return encodeUnits(text);
  }
}

function decodeUtf16(bytes) {
  const parts = [];
  const units = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    units.push(bytes[at] | (bytes[at + 1] << 8));
    if (units.length === 4096) parts.push(String.fromCharCode(...units.splice(0)));
  }
  return parts.join('') + String.fromCharCode(...units);
}

/** Bytes as text; `name` is one of Node's own. */
export function decode(bytes, name) {
  switch (name) {
    case 'utf8': return host.utf8Decode(binary(bytes), false, true);
    case 'hex': return bytes.toHex();
    case 'base64': return bytes.toBase64();
    case 'base64url': return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
    case 'utf16le': return decodeUtf16(bytes);
    case 'ascii': return binary(bytes.map((byte) => byte & 0x7f));
    default: return binary(bytes);
  }
}

/** How many bytes a text has. */
export function lengthOf(text, name) {
  switch (name) {
    case 'ascii':
    case 'latin1': return text.length;
    case 'utf16le': return text.length * 2;
    case 'hex': return text.length >>> 1;
    case 'base64':
    case 'base64url': {
      let length = text.length;
      if (text[length - 1] === '=') length--;
      if (length > 1 && text[length - 1] === '=') length--;
      return (length * 3) >>> 2;
    }
    default: {
      let count = text.length;
      for (let at = 0; at < text.length; at++) {
        const unit = text.charCodeAt(at);
        if (unit >= 0x80) count += unit < 0x800 ? 1 : 2;
        // A pair of units is four bytes.
        if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) at++;
      }
      return count;
    }
  }
}

/** The beginning of `bytes` of at most `length` that ends with a whole character. */
export function wholeUtf8(bytes, length) {
  if (bytes.length <= length) return bytes;
  let end = length;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
