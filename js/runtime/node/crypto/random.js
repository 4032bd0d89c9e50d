// Random values of `node:crypto`, by the realm's randomness.
import { Buffer } from 'node:buffer';
import { host } from 'dotdo:host';
import { checkFunction, checkInteger, coded, invalidType, outOfRange } from 'dotdo:node/errors';
import { later } from 'dotdo:node/crypto/base';

const AT_ONCE = 65536;
const BYTES_MAX = 2 ** 31 - 1;
const RANGE_MAX = 2 ** 48 - 1;

function fill(bytes) {
  for (let at = 0; at < bytes.length; at += AT_ONCE) bytes.set(new Uint8Array(host.random(Math.min(AT_ONCE, bytes.length - at))), at);
}

export function randomBytes(size, callback) {
  if (typeof size !== 'number') throw invalidType('size', 'number', size);
  if (!(size >= 0 && size <= BYTES_MAX)) throw outOfRange('size', `>= 0 && <= ${BYTES_MAX}`, size);
  if (callback !== undefined) checkFunction(callback, 'callback');
  const make = () => {
    const bytes = Buffer.alloc(Math.floor(size));
    fill(bytes);
    return bytes;
  };
  return callback ? later(callback, make) : make();
}

export function randomFillSync(buffer, offset = 0, size = undefined) {
  if (!(buffer instanceof ArrayBuffer) && !ArrayBuffer.isView(buffer)) throw invalidType('buf', ['ArrayBuffer', 'ArrayBufferView'], buffer);
  const width = buffer.BYTES_PER_ELEMENT ?? 1;
  const length = buffer.byteLength / width;
  checkInteger(offset, 'offset', 0, length);
  const count = size ?? length - offset;
  checkInteger(count, 'size', 0, length - offset);
  fill(new Uint8Array(buffer.buffer ?? buffer, (buffer.byteOffset ?? 0) + offset * width, count * width));
  return buffer;
}

export function randomFill(buffer, offset, size, callback) {
  if (typeof offset === 'function') [offset, callback] = [0, offset];
  else if (typeof size === 'function') [size, callback] = [undefined, size];
  checkFunction(callback, 'callback');
  later(callback, () => randomFillSync(buffer, offset, size));
}

export function randomInt(least, most, callback) {
  if (most === undefined || typeof most === 'function') [least, most, callback] = [0, least, most];
  if (!Number.isSafeInteger(least)) throw invalidType('min', 'a safe integer', least);
  if (!Number.isSafeInteger(most)) throw invalidType('max', 'a safe integer', most);
  if (most <= least) throw outOfRange('max', `greater than the value of "min" (${least})`, most);
  const range = most - least;
  if (range > RANGE_MAX) throw outOfRange(least === 0 ? 'max' : 'max - min', `<= ${RANGE_MAX}`, range);
  const limit = RANGE_MAX - ((RANGE_MAX + 1) % range);
  const make = () => {
    for (;;) {
      const number = Buffer.from(host.random(6)).readUIntBE(0, 6);
      if (number <= limit) return least + (number % range);
    }
  };
  return callback ? later(callback, make) : make();
}

export function timingSafeEqual(one, other) {
  for (const [name, value] of [['buf1', one], ['buf2', other]]) {
    if (!(value instanceof ArrayBuffer) && !ArrayBuffer.isView(value)) throw invalidType(name, ['ArrayBuffer', 'Buffer', 'TypedArray', 'DataView'], value);
  }
  if (one.byteLength !== other.byteLength) throw coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
  return crypto.subtle.timingSafeEqual(one, other);
}
