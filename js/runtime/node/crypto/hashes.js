// Digests and sums of `node:crypto`, also as streams.
import { binary, host } from 'dotdo:host';
import { Transform } from 'node:stream';
import { checkString, coded, invalidType } from 'dotdo:node/errors';
import { bytesOf, data, digestOf, encoded } from 'dotdo:node/crypto/base';
import { secretBytes } from 'dotdo:node/crypto/objects';

const token = Symbol('own');
const finalized = () => coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');

const digestNamed = (name) => digestOf(name) ?? (() => { throw new Error('Digest method not supported'); })();

/** What `Hash` and `Hmac` do. */
class Summing extends Transform {
  #hasher;
  #isOver = false;

  constructor(given, hasher, options) {
    if (given !== token) throw new TypeError('Illegal constructor');
    super(options);
    this.#hasher = hasher;
  }

  update(value, encoding) {
    if (this.#isOver) throw finalized();
    this.#hasher.update(data(value, 'data', encoding));
    return this;
  }

  get isOver() {
    return this.#isOver;
  }

  digest(encoding) {
    if (this.#isOver) throw finalized();
    this.#isOver = true;
    return encoded(this.#hasher.digest(), encoding);
  }

  copied() {
    if (this.#isOver) throw finalized();
    return this.#hasher.copy();
  }

  _transform(chunk, encoding, callback) {
    this.update(chunk, encoding);
    callback();
  }

  _flush(callback) {
    this.push(this.digest());
    callback();
  }
}

export class Hash extends Summing {
  copy(options) {
    return new Hash(token, this.copied(), options);
  }
}

export class Hmac extends Summing {
  digest(encoding) {
    // A second digest is empty, as in Node.
    return this.isOver ? encoded(new Uint8Array(), encoding) : super.digest(encoding);
  }
}

export function createHash(algorithm, options) {
  checkString(algorithm, 'algorithm');
  return new Hash(token, host.hasher(digestNamed(algorithm)), options);
}

export function createHmac(algorithm, key, options) {
  checkString(algorithm, 'hmac');
  if (key === undefined || key === null) throw invalidType('key', ['string', 'ArrayBuffer', 'Buffer', 'TypedArray', 'DataView', 'KeyObject', 'CryptoKey'], key);
  const bytes = secretBytes(key) ?? bytesOf(key, 'key');
  return new Hmac(token, host.hasher(digestNamed(algorithm), binary(bytes)), options);
}

export function hash(algorithm, input, outputEncoding = 'hex') {
  checkString(algorithm, 'algorithm');
  return encoded(host.digest(digestNamed(algorithm), data(input, 'input')), outputEncoding);
}
