// The module `node:buffer`: bytes as Node's programs have them.
import { view } from 'dotdo:host';
import { forms } from 'dotdo:lazy';
import { decode, encode, encoding, encodingOf, lengthOf, wholeUtf8 } from 'dotdo:node/buffer/encodings';
import { numbers } from 'dotdo:node/buffer/numbers';
import { fill, search, swap } from 'dotdo:node/buffer/search';
import { checkArray, checkInteger, checkNumber, checkString, coded, invalidType, outOfRange } from 'dotdo:node/errors';

export const kMaxLength = 2 ** 31 - 1;
export const kStringMaxLength = 2 ** 29 - 24;
export const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: kStringMaxLength };
export let INSPECT_MAX_BYTES = 50;

const inspectCustom = Symbol.for('nodejs.util.inspect.custom');

class Bytes extends Uint8Array {}

/** Bytes in memory of `buffer`, which are not copied. */
const over = (bytes) => new Bytes(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function Buffer(value, encodingOrOffset, length) {
  if (typeof value !== 'number') return Buffer.from(value, encodingOrOffset, length);
  if (typeof encodingOrOffset === 'string') throw invalidType('string', 'string', value);
  return Buffer.alloc(value);
}
Object.setPrototypeOf(Buffer, Uint8Array);
Object.defineProperty(Buffer, Symbol.species, { get: () => Bytes, configurable: true });
Buffer.prototype = Bytes.prototype;
Object.defineProperty(Bytes.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });
Buffer.poolSize = 8192;

export const SlowBuffer = function SlowBuffer(length) {
  return Buffer.allocUnsafeSlow(length);
};
Object.setPrototypeOf(SlowBuffer, Uint8Array);
SlowBuffer.prototype = Object.create(Uint8Array.prototype, { constructor: { value: SlowBuffer } });

const SOURCES = ['string', 'Buffer', 'ArrayBuffer', 'Array', 'Array-like Object'];

function badSource(value) {
  const error = invalidType('first argument', 'string', value);
  const received = error.message.slice(error.message.indexOf(' Received'));
  error.message = `The first argument must be of type string or an instance of ${SOURCES.slice(1, -2).join(', ')}, or Array or an Array-like Object.${received}`;
  return error;
}

const isShared = (value) => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;

function fromMemory(buffer, offset, length) {
  let start = 0;
  if (offset !== undefined) start = Number.isNaN(+offset) ? 0 : +offset;
  const most = buffer.byteLength - start;
  if (most < 0) throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"offset" is outside of buffer bounds');
  if (length === undefined) return new Bytes(buffer, start);
  const count = +length > 0 ? +length : 0;
  if (count > most) throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"length" is outside of buffer bounds');
  return new Bytes(buffer, start, count);
}

function fromList(list) {
  const bytes = new Bytes(list.length > 0 ? list.length : 0);
  for (let at = 0; at < bytes.length; at++) bytes[at] = list[at];
  return bytes;
}

/** What has a length or is a buffer's JSON. */
function fromObject(value) {
  if (value.length !== undefined || isShared(value.buffer)) {
    return typeof value.length === 'number' ? fromList(value) : new Bytes();
  }
  return value.type === 'Buffer' && Array.isArray(value.data) ? fromList(value.data) : undefined;
}

function from(value, encodingOrOffset, length) {
  if (typeof value === 'string') {
    const name = typeof encodingOrOffset === 'string' && encodingOrOffset !== '' ? encoding(encodingOrOffset) : 'utf8';
    return over(encode(value, name));
  }
  if (typeof value !== 'object' || value === null) throw badSource(value);
  if (isShared(value)) return fromMemory(value, encodingOrOffset, length);
  const plain = value.valueOf && value.valueOf();
  if (plain !== undefined && plain !== null && plain !== value && (typeof plain === 'string' || typeof plain === 'object')) {
    return from(plain, encodingOrOffset, length);
  }
  const found = fromObject(value);
  if (found) return found;
  if (typeof value[Symbol.toPrimitive] === 'function') {
    const primitive = value[Symbol.toPrimitive]('string');
    if (typeof primitive === 'string') return from(primitive, encodingOrOffset);
  }
  throw badSource(value);
}

function checkSize(size) {
  checkNumber(size, 'size');
  if (!(size >= 0 && size <= kMaxLength)) throw outOfRange('size', `>= 0 && <= ${kMaxLength}`, size);
}

function sized(size) {
  checkSize(size);
  return new Bytes(size);
}

/** The order of two lists of bytes: -1, 0 or 1. */
function order(one, other) {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) if (one[at] !== other[at]) return one[at] < other[at] ? -1 : 1;
  return Math.sign(one.length - other.length);
}

function checkBytes(value, name) {
  if (!(value instanceof Uint8Array)) throw invalidType(name, ['Buffer', 'Uint8Array'], value);
}

function concat(list, length) {
  checkArray(list, 'list');
  if (list.length === 0) return new Bytes();
  if (length !== undefined) checkInteger(length, 'length', 0);
  for (const [at, bytes] of list.entries()) checkBytes(bytes, `list[${at}]`);
  const all = new Bytes(length ?? list.reduce((sum, bytes) => sum + bytes.length, 0));
  let end = 0;
  for (const bytes of list) {
    if (end >= all.length) break;
    const part = bytes.length > all.length - end ? bytes.subarray(0, all.length - end) : bytes;
    all.set(part, end);
    end += part.length;
  }
  return all;
}

const statics = {
  from,
  of: (...items) => fromList(items),
  alloc(size, value, name) {
    const bytes = sized(size);
    if (value === undefined || value === 0 || bytes.length === 0) return bytes;
    if (name !== undefined && typeof name !== 'string') throw invalidType('encoding', 'string', name);
    return bytes.fill(value, name);
  },
  allocUnsafe: sized,
  allocUnsafeSlow: sized,
  isBuffer: (value) => value instanceof Buffer,
  isEncoding: (name) => typeof name === 'string' && name.length > 0 && encodingOf(name) !== undefined,
  byteLength(value, name) {
    if (typeof value === 'string') return lengthOf(value, encodingOf(name) ?? 'utf8');
    const bytes = value instanceof SharedArrayBuffer ? value : view(value);
    if (!bytes) throw invalidType('string', ['string', 'Buffer', 'ArrayBuffer'], value);
    return bytes.byteLength;
  },
  compare(one, other) {
    checkBytes(one, 'buf1');
    checkBytes(other, 'buf2');
    return order(one, other);
  },
  concat,
  copyBytesFrom(source, offset, length) {
    if (!ArrayBuffer.isView(source) || source instanceof DataView) throw invalidType('view', ['TypedArray'], source);
    if (offset !== undefined) checkInteger(offset, 'offset', 0);
    if (length !== undefined) checkInteger(length, 'length', 0);
    const start = offset ?? 0;
    return over(view(source.slice(start, length === undefined ? undefined : start + length)));
  },
};
for (const [name, value] of Object.entries(statics)) Object.defineProperty(Buffer, name, { value, writable: true, configurable: true, enumerable: true });

const clamp = (value, most) => Math.min(Math.max(Math.trunc(value) || 0, 0), most);

function checkPart(value, name, most) {
  if (value === undefined) return;
  checkInteger(value, name, 0, most);
}

/** How much of `source` is copied, and where to: numbers that are none count as 0. */
function copy(source, target, targetStart, sourceStart, sourceEnd) {
  checkBytes(target, 'target');
  const at = (value, otherwise, name, most) => {
    if (value === undefined) return otherwise;
    const number = Number.isNaN(+value) ? 0 : Math.trunc(+value);
    if (number < 0 || number > most) throw outOfRange(name, `>= 0${most === Infinity ? '' : ` && <= ${most}`}`, number);
    return number;
  };
  const to = at(targetStart, 0, 'targetStart', Infinity);
  const start = at(sourceStart, 0, 'sourceStart', source.length);
  const end = at(sourceEnd, source.length, 'sourceEnd', Infinity);
  if (to >= target.length || start >= end) return 0;
  const part = source.subarray(start, Math.min(end, source.length, start + target.length - to));
  target.set(part, to);
  return part.length;
}

/** Writes a text; a character that does not fit whole is left out. */
function writeText(bytes, text, offset, length, name) {
  checkString(text, 'argument');
  let [start, count, label] = [offset, length, name];
  // As in Node: without an offset the encoding is not looked at.
  if (start === undefined) [start, count, label] = [0, undefined, undefined];
  else if (typeof start === 'string') [start, count, label] = [0, undefined, start];
  else checkInteger(start, 'offset', 0, bytes.length);
  if (typeof count === 'string') [count, label] = [undefined, count];
  const most = bytes.length - start;
  if (count === undefined) count = most;
  else {
    checkInteger(count, 'length', 0, bytes.length);
    count = Math.min(count, most);
  }
  const chosen = encoding(label);
  const encoded = encode(text, chosen);
  let part = chosen === 'utf8' ? wholeUtf8(encoded, count) : encoded.subarray(0, count);
  if (chosen === 'utf16le' && part.length % 2) part = part.subarray(0, -1);
  bytes.set(part, start);
  return part.length;
}

const methods = {
  ...numbers,
  toString(name, start, end) {
    if (arguments.length === 0) return decode(this, 'utf8');
    const first = clamp(start ?? 0, this.length);
    const last = end === undefined ? this.length : clamp(end, this.length);
    const chosen = encoding(name);
    return last <= first ? '' : decode(this.subarray(first, last), chosen);
  },
  toJSON() {
    return { type: 'Buffer', data: Array.from(this) };
  },
  equals(other) {
    checkBytes(other, 'otherBuffer');
    return this === other || (this.length === other.length && order(this, other) === 0);
  },
  compare(target, targetStart, targetEnd, sourceStart, sourceEnd) {
    checkBytes(target, 'target');
    checkPart(targetStart, 'targetStart', Number.MAX_SAFE_INTEGER);
    checkPart(targetEnd, 'targetEnd', target.length);
    checkPart(sourceStart, 'sourceStart', Number.MAX_SAFE_INTEGER);
    checkPart(sourceEnd, 'sourceEnd', this.length);
    return order(this.subarray(sourceStart ?? 0, Math.max(sourceEnd ?? this.length, sourceStart ?? 0)), target.subarray(targetStart ?? 0, Math.max(targetEnd ?? target.length, targetStart ?? 0)));
  },
  indexOf(value, offset, name) {
    return search(this, value, offset, name, true);
  },
  lastIndexOf(value, offset, name) {
    return search(this, value, offset, name, false);
  },
  includes(value, offset, name) {
    return search(this, value, offset, name, true) >= 0;
  },
  fill(value, offset, end, name) {
    return fill(this, value, offset, end, name);
  },
  copy(target, targetStart, sourceStart, sourceEnd) {
    return copy(this, target, targetStart, sourceStart, sourceEnd);
  },
  write(text, offset, length, name) {
    return writeText(this, text, offset, length, name);
  },
  slice(start, end) {
    return this.subarray(start, end);
  },
  swap16() {
    return swap(this, 2);
  },
  swap32() {
    return swap(this, 4);
  },
  swap64() {
    return swap(this, 8);
  },
  [inspectCustom](depth, options) {
    const digits = Array.from(this.subarray(0, INSPECT_MAX_BYTES), (byte) => byte.toString(16).padStart(2, '0'));
    const more = this.length - INSPECT_MAX_BYTES;
    if (more > 0) digits.push(`... ${more} more byte${more > 1 ? 's' : ''}`);
    const extras = Object.keys(this).slice(this.length).map((key) => `${key}: ${options?.inspect ? options.inspect(this[key]) : String(this[key])}`);
    return `<${this.constructor.name} ${[digits.join(' '), ...extras].join(', ')}>`;
  },
};
methods.toLocaleString = methods.toString;
for (const name of ['utf8', 'ascii', 'latin1', 'hex', 'base64', 'base64url', 'ucs2', 'utf16le']) {
  methods[`${name}Slice`] = function (start, end) {
    return this.toString(name, start, end);
  };
  methods[`${name}Write`] = function (text, offset, length) {
    return this.write(text, offset, length, name);
  };
}
for (const name of Reflect.ownKeys(methods)) Object.defineProperty(Buffer.prototype, name, { value: methods[name], writable: true, configurable: true, enumerable: true });
Object.defineProperty(Buffer.prototype, 'parent', {
  get() {
    return this instanceof Buffer ? this.buffer : undefined;
  },
  enumerable: true,
});
Object.defineProperty(Buffer.prototype, 'offset', {
  get() {
    return this instanceof Buffer ? this.byteOffset : undefined;
  },
  enumerable: true,
});

function bytesOf(value, name) {
  const bytes = view(value);
  if (!bytes) throw invalidType(name, ['ArrayBuffer', 'Buffer', 'TypedArray'], value);
  return bytes;
}

export const isAscii = (value) => bytesOf(value, 'input').every((byte) => byte < 0x80);

export function isUtf8(value) {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(value, 'input'));
    return true;
  } catch (error) {
    if (error.code) throw error;
    return false;
  }
}

/** The bytes of a text in another encoding; what that does not have is a question mark. */
export function transcode(source, fromEncoding, toEncoding) {
  checkBytes(source, 'source');
  const [one, other] = [encodingOf(fromEncoding), encodingOf(toEncoding)];
  const known = ['utf8', 'ascii', 'latin1', 'utf16le'];
  if (!known.includes(one) || !known.includes(other)) throw coded(Error, 'ERR_INVALID_ARG_VALUE', `Unable to transcode Buffer [U_ILLEGAL_ARGUMENT_ERROR]`);
  const most = { ascii: 0x7f, latin1: 0xff }[other];
  const text = decode(source, one === 'ascii' ? 'latin1' : one);
  if (most === undefined) return over(encode(text, other));
  return fromList(Array.from(text, (letter) => (letter.codePointAt(0) > most ? 0x3f : letter.codePointAt(0))));
}

export const atob = globalThis.atob;
export const btoa = globalThis.btoa;
export const resolveObjectURL = () => undefined;
const { Blob, File } = forms();
export { Blob, File };

export default {
  Buffer, SlowBuffer, Blob, File, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength, resolveObjectURL, transcode,
  get INSPECT_MAX_BYTES() {
    return INSPECT_MAX_BYTES;
  },
  set INSPECT_MAX_BYTES(value) {
    checkNumber(value, 'INSPECT_MAX_BYTES', 0);
    INSPECT_MAX_BYTES = value;
  },
};
