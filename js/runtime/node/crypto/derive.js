// Keys from secrets: PBKDF2, HKDF and scrypt of `node:crypto`.
import { Buffer } from 'node:buffer';
import { binary, host } from 'dotdo:host';
import { checkFunction, checkInteger, checkString, coded } from 'dotdo:node/errors';
import { bytesOf, data, digestOf, invalidDigest, later } from 'dotdo:node/crypto/base';
import { secretBytes } from 'dotdo:node/crypto/objects';

const LENGTH_MAX = 2 ** 31 - 1;
const MEMORY_MAX = 32 << 20;

function pbkdf2Work(password, salt, iterations, length, digest) {
  checkString(digest, 'digest');
  const [secret, salted] = [data(password, 'password'), data(salt, 'salt')];
  checkInteger(iterations, 'iterations', 1, LENGTH_MAX);
  checkInteger(length, 'keylen', 0, LENGTH_MAX);
  const name = digestOf(digest) ?? (() => { throw invalidDigest(digest); })();
  return () => Buffer.from(length ? host.pbkdf2(name, [secret, salted], iterations, length) : new ArrayBuffer());
}

export const pbkdf2Sync = (password, salt, iterations, length, digest) => pbkdf2Work(password, salt, iterations, length, digest)();

export function pbkdf2(password, salt, iterations, length, digest, callback) {
  if (typeof digest === 'function') [digest, callback] = [undefined, digest];
  const work = pbkdf2Work(password, salt, iterations, length, digest);
  checkFunction(callback, 'callback');
  later(callback, work);
}

const DIGEST_BYTES = { 'SHA-1': 20, 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };

function hkdfWork(digest, key, salt, info, length) {
  checkString(digest, 'digest');
  checkInteger(length, 'length', 0, LENGTH_MAX);
  const name = digestOf(digest) ?? (() => { throw invalidDigest(digest); })();
  const parts = [binary(secretBytes(key) ?? bytesOf(key, 'ikm')), data(salt, 'salt'), data(info, 'info')];
  if (parts[2].length > 1024) throw coded(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "info" is out of range. It must not contain more than 1024 bytes.');
  if (length > 255 * (DIGEST_BYTES[name] ?? 0)) throw coded(RangeError, 'ERR_CRYPTO_INVALID_KEYLEN', 'Invalid key length');
  return () => (length ? host.hkdf(name, parts, length) : new ArrayBuffer());
}

export const hkdfSync = (digest, key, salt, info, length) => hkdfWork(digest, key, salt, info, length)();

export function hkdf(digest, key, salt, info, length, callback) {
  const work = hkdfWork(digest, key, salt, info, length);
  checkFunction(callback, 'callback');
  later(callback, work);
}

function scryptWork(password, salt, length, options) {
  const parts = [data(password, 'password'), data(salt, 'salt')];
  checkInteger(length, 'keylen', 0, LENGTH_MAX);
  const N = options?.cost ?? options?.N ?? 16384;
  const r = options?.blockSize ?? options?.r ?? 8;
  const p = options?.parallelization ?? options?.p ?? 1;
  const most = options?.maxmem ?? MEMORY_MAX;
  if (!(N > 1 && Number.isInteger(Math.log2(N)) && r >= 1 && p >= 1)) throw coded(RangeError, 'ERR_CRYPTO_INVALID_SCRYPT_PARAMS', 'Invalid scrypt params');
  if (128 * N * r > most) throw coded(RangeError, 'ERR_CRYPTO_INVALID_SCRYPT_PARAMS', 'Invalid scrypt params: memory limit exceeded');
  return () => Buffer.from(host.scrypt(parts, [N, r, p], length));
}

export const scryptSync = (password, salt, length, options) => scryptWork(password, salt, length, options)();

export function scrypt(password, salt, length, options, callback) {
  if (typeof options === 'function') [options, callback] = [undefined, options];
  const work = scryptWork(password, salt, length, options);
  checkFunction(callback, 'callback');
  later(callback, work);
}
