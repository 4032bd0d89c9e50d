// What all of `node:crypto` shares: bytes of what is given, names of digests, and answers in an encoding.
import { Buffer } from 'node:buffer';
import { binary, missing } from 'dotdo:host';
import { coded, invalidType } from 'dotdo:node/errors';

const SOURCES = ['string', 'Buffer', 'TypedArray', 'DataView'];

/** The bytes of a text or a view. */
export function bytesOf(value, name, encoding) {
  if (typeof value === 'string') return Buffer.from(value, encoding === 'buffer' ? 'utf8' : encoding);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw invalidType(name, SOURCES, value);
}

/** The same for Rust. */
export const data = (value, name, encoding) => binary(bytesOf(value, name, encoding));

export const encoded = (bytes, encoding) => {
  const buffer = Buffer.from(bytes);
  return encoding && encoding !== 'buffer' ? buffer.toString(encoding) : buffer;
};

const DIGESTS = new Map([
  ['md5', 'MD5'], ['sha1', 'SHA-1'], ['sha224', 'SHA-224'], ['sha256', 'SHA-256'], ['sha384', 'SHA-384'], ['sha512', 'SHA-512'],
  ['sha512-256', 'SHA-512/256'], ['sha3-256', 'SHA3-256'], ['sha3-384', 'SHA3-384'], ['sha3-512', 'SHA3-512'],
]);

export const HASHES = [
  'RSA-MD5', 'RSA-SHA1', 'RSA-SHA224', 'RSA-SHA256', 'RSA-SHA384', 'RSA-SHA512', 'md5', 'sha1', 'sha224', 'sha256', 'sha3-256', 'sha3-384', 'sha3-512', 'sha384',
  'sha512', 'sha512-256',
];

/** The name of a digest in Rust; undefined if it is not here. */
export const digestOf = (name) => DIGESTS.get(String(name).toLowerCase().replace(/^rsa-/, '').replace(/^sha-/, 'sha').replace('/', '-'));

export const invalidDigest = (name) => coded(TypeError, 'ERR_CRYPTO_INVALID_DIGEST', `Invalid digest: ${name}`);

/** Runs `work` later, and gives its outcome to a callback. */
export function later(callback, work) {
  queueMicrotask(() => {
    let value;
    try {
      value = work();
    } catch (error) {
      callback(error);
      return;
    }
    callback(null, value);
  });
}

/** A function that throws that it is not here. */
export const absent = (name, instead) => Object.defineProperty((function absent() { return missing(`crypto.${name}`, instead); }), 'name', { value: name });
