// DER (X.690): what keys are written in. The writer makes elements; the reader takes one after another.

const LENGTH_BYTES_MAX = 4;

/** The tags that keys have. */
export const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, nothing: 0x05, object: 0x06, sequence: 0x30, first: 0xa0, second: 0xa1 };

const fromHex = (text) => Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16));

/** Identifiers of algorithms and curves, as they are written. */
export const OBJECT = {
  rsa: fromHex('2a864886f70d010101'),
  'RSA-PSS': fromHex('2a864886f70d01010a'),
  ec: fromHex('2a8648ce3d0201'),
  'P-256': fromHex('2a8648ce3d030107'),
  'P-384': fromHex('2b81040022'),
  'P-521': fromHex('2b81040023'),
  X25519: fromHex('2b656e'),
  Ed25519: fromHex('2b6570'),
};

export const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

/** The name of an identifier, if it is one of those. */
export const nameOf = (object) => Object.keys(OBJECT).find((name) => equal(OBJECT[name], object));

export function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function lengthOf(length) {
  if (length < 0x80) return [length];
  const bytes = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export function element(tag, ...parts) {
  const content = joined(parts);
  return joined([Uint8Array.from([tag, ...lengthOf(content.length)]), content]);
}

export const sequence = (...parts) => element(TAG.sequence, ...parts);
export const octets = (bytes) => element(TAG.octets, bytes);
export const bits = (bytes) => element(TAG.bits, Uint8Array.of(0), bytes);
export const object = (name) => element(TAG.object, OBJECT[name]);

/** A number of 0 or more. */
export function integer(bytes) {
  const number = trimmed(bytes);
  return element(TAG.integer, number[0] & 0x80 ? Uint8Array.of(0) : new Uint8Array(), number);
}

/** The bytes of a number without zeros before them. */
export function trimmed(bytes) {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at += 1;
  return bytes.subarray(at);
}

/** Takes elements from bytes. What is wrong throws an Error. */
export class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  get isAtEnd() {
    return this.#at >= this.#bytes.length;
  }

  has(tag) {
    return this.#bytes[this.#at] === tag;
  }

  #byte() {
    if (this.isAtEnd) throw new Error('expected more bytes');
    return this.#bytes[this.#at++];
  }

  #length() {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > LENGTH_BYTES_MAX) throw new Error('expected a shorter length');
    let length = 0;
    for (let n = 0; n < count; n++) length = length * 256 + this.#byte();
    return length;
  }

  /** The content of the next element, which must have this tag. */
  take(tag) {
    if (this.#byte() !== tag) throw new Error(`expected an element ${tag}`);
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw new Error('expected more bytes');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  inside(tag) {
    return new Reader(this.take(tag));
  }

  integer() {
    const bytes = this.take(TAG.integer);
    if (!bytes.length || bytes[0] & 0x80) throw new Error('expected a number of 0 or more');
    return trimmed(bytes);
  }

  bits() {
    const bytes = this.take(TAG.bits);
    if (bytes[0] !== 0) throw new Error('expected whole bytes');
    return bytes.subarray(1);
  }

  end() {
    if (!this.isAtEnd) throw new Error('expected no more bytes');
  }
}
