// Finding bytes in buffers, and filling them.
import { encode, encoding, encodingOf } from 'dotdo:node/buffer/encodings';
import { checkNumber, coded, invalidType, invalidValue, outOfRange } from 'dotdo:node/errors';

const { indexOf: indexOfByte, fill: fillBytes } = Uint8Array.prototype;

/** Where `needle` begins in `bytes`, at `from` at the earliest, or going back from there. */
function find(bytes, needle, from, isForward, step) {
  const last = bytes.length - needle.length;
  const matches = (at) => {
    for (let index = 0; index < needle.length; index++) if (bytes[at + index] !== needle[index]) return false;
    return true;
  };
  if (isForward) {
    const first = needle[0];
    for (let at = from; at <= last; at += step) {
      if (step === 1) {
        at = indexOfByte.call(bytes, first, at);
        if (at < 0 || at > last) return -1;
      }
      if (matches(at)) return at;
    }
    return -1;
  }
  for (let at = Math.min(from, last); at >= 0; at -= step) if (matches(at)) return at;
  return -1;
}

/** What `indexOf` and `lastIndexOf` do. */
export function search(bytes, value, offset, name, isForward) {
  let from = offset;
  let label = name;
  if (typeof from === 'string') {
    label = from;
    from = undefined;
  }
  from = Math.trunc(Math.min(Math.max(+from, -0x80000000), 0x7fffffff));
  if (Number.isNaN(from)) from = isForward ? 0 : bytes.length;
  const needle = needleOf(value, label);
  if (from < 0) from += bytes.length;
  if (from < 0) {
    if (!isForward) return needle.length ? -1 : 0;
    from = 0;
  }
  const isWide = typeof value === 'string' && encodingOf(label ?? 'utf8') === 'utf16le';
  if (isWide && needle.length) from -= from % 2;
  if (from >= bytes.length && isForward) return needle.length === 0 ? bytes.length : -1;
  if (needle.length === 0) return Math.min(from, bytes.length);
  return find(bytes, needle, from, isForward, isWide ? 2 : 1);
}

function needleOf(value, label) {
  if (typeof value === 'number') return [(value >>> 0) & 0xff];
  if (typeof value === 'string') return encode(value, encoding(label));
  if (value instanceof Uint8Array) return value;
  throw invalidType('value', ['number', 'string', 'Buffer', 'Uint8Array'], value);
}

function checkFillRange(bytes, start, end) {
  checkNumber(start, 'offset');
  if (start < 0 || start > Number.MAX_SAFE_INTEGER) throw outOfRange('offset', `>= 0 && <= ${Number.MAX_SAFE_INTEGER}`, start);
  if (start > bytes.length) throw outOfRange('offset', `>= 0 && <= ${bytes.length}`, start);
  checkNumber(end, 'end');
  if (end < 0 || end > bytes.length) throw outOfRange('end', `>= 0 && <= ${bytes.length}`, end);
}

/** What `fill` does. */
export function fill(bytes, value, offset, end, name) {
  let [start, stop, label] = [offset, end, name];
  if (typeof value === 'string') {
    if (typeof start === 'string') [start, stop, label] = [undefined, undefined, start];
    else if (typeof stop === 'string') [stop, label] = [undefined, stop];
  }
  if (start === undefined) [start, stop] = [0, stop ?? bytes.length];
  else stop ??= bytes.length;
  checkFillRange(bytes, start, stop);
  if (typeof value === 'string') {
    if (label !== undefined && typeof label !== 'string') throw invalidType('encoding', 'string', label);
    const chosen = encoding(label);
    const pattern = value === '' ? [0] : encode(value, chosen);
    if (start >= stop) return bytes;
    if (pattern.length === 0) throw invalidValue('value', value);
    repeat(bytes, pattern, start, stop);
    return bytes;
  }
  if (start >= stop) return bytes;
  if (value instanceof Uint8Array) {
    if (value.length === 0) throw invalidValue('value', value);
    repeat(bytes, value.slice(), start, stop);
  } else fillBytes.call(bytes, typeof value === 'boolean' ? +value : value & 255, start, stop);
  return bytes;
}

function repeat(bytes, pattern, start, end) {
  if (pattern.length === 1) fillBytes.call(bytes, pattern[0], start, end);
  else for (let at = start; at < end; at++) bytes[at] = pattern[(at - start) % pattern.length];
}

/** Swaps the bytes of each group of `size`. */
export function swap(bytes, size) {
  if (bytes.length % size) throw coded(RangeError, 'ERR_INVALID_BUFFER_SIZE', `Buffer size must be a multiple of ${8 * size}-bits`);
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  return bytes;
}
