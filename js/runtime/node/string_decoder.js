// The module `node:string_decoder`: texts out of pieces of bytes, whose characters may be in two of them.
import { Buffer } from 'node:buffer';
import { encoding } from 'dotdo:node/buffer/encodings';
import { invalidType } from 'dotdo:node/errors';

/** How many bytes at the end of `bytes` begin a character that is not whole. */
function unfinished(bytes, name) {
  const count = bytes.length;
  if (name === 'base64' || name === 'base64url') return count % 3;
  if (name === 'utf16le') {
    const odd = count % 2;
    const high = count - odd >= 2 ? bytes[count - odd - 1] : 0;
    return high >= 0xd8 && high <= 0xdb ? odd + 2 : odd;
  }
  for (let back = 1; back <= Math.min(3, count); back++) {
    const byte = bytes[count - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xc2 && byte < 0xe0 ? 2 : 1;
    return length > back && isBeginning(bytes, count - back, back) ? back : 0;
  }
  return 0;
}

/** Whether what follows the first byte of a character of UTF-8 can follow it. */
function isBeginning(bytes, at, length) {
  if (length < 2) return bytes[at] <= 0xf4;
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second < 0xa0;
  if (first === 0xf0) return second >= 0x90;
  if (first === 0xf4) return second < 0x90;
  return first < 0xf5;
}

const WHOLE = ['ascii', 'latin1', 'hex'];

export function StringDecoder(name) {
  this.encoding = encoding(name);
  Object.defineProperty(this, 'rest', { value: Buffer.alloc(0), writable: true });
}

Object.defineProperties(StringDecoder.prototype, {
  write: {
    value: function write(piece) {
      if (typeof piece === 'string') return piece;
      if (!ArrayBuffer.isView(piece)) throw invalidType('buf', ['Buffer', 'TypedArray', 'DataView'], piece);
      const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      if (WHOLE.includes(this.encoding)) return bytes.toString(this.encoding);
      const all = this.rest.length ? Buffer.concat([this.rest, bytes]) : bytes;
      const end = all.length - unfinished(all, this.encoding);
      this.rest = Buffer.from(all.subarray(end));
      return all.toString(this.encoding, 0, end);
    },
    enumerable: true,
    configurable: true,
    writable: true,
  },
  end: {
    value: function end(piece) {
      const text = piece === undefined ? '' : this.write(piece);
      const { rest } = this;
      this.rest = Buffer.alloc(0);
      return rest.length ? text + rest.toString(this.encoding) : text;
    },
    enumerable: true,
    configurable: true,
    writable: true,
  },
  text: {
    value: function text(bytes, offset) {
      this.rest = Buffer.alloc(0);
      return this.write(bytes.subarray(offset));
    },
    enumerable: true,
    configurable: true,
    writable: true,
  },
  lastNeed: {
    get() {
      const { length } = this.rest;
      return length === 0 ? 0 : this.lastTotal - length;
    },
    enumerable: true,
    configurable: true,
  },
  lastTotal: {
    get() {
      const [first] = this.rest;
      if (first === undefined) return 0;
      if (this.encoding === 'utf8') return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
      return this.encoding === 'utf16le' ? (this.rest.length > 1 ? 4 : 2) : 3;
    },
    enumerable: true,
    configurable: true,
  },
  lastChar: {
    get() {
      return this.rest;
    },
    enumerable: true,
    configurable: true,
  },
});

export default { StringDecoder };
