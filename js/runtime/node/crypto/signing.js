// Signatures, encryption by RSA, and secrets that two agree on, of `node:crypto`.
import { Buffer } from 'node:buffer';
import { binary, host, missing } from 'dotdo:host';
import { Writable } from 'node:stream';
import { checkFunction, coded, invalidType } from 'dotdo:node/errors';
import * as curves from 'dotdo:crypto/curves';
import { signed, verified } from 'dotdo:crypto/rsa';
import { bytesOf, data, digestOf, encoded, invalidDigest, later } from 'dotdo:node/crypto/base';
import { constants } from 'dotdo:node/crypto/constants';
import { curveNamed, insideOf, keyFor } from 'dotdo:node/crypto/objects';

const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PKCS1_OAEP_PADDING, RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX_SIGN, RSA_PSS_SALTLEN_AUTO } = constants;
const DIGEST_BYTES = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };

const digestNamed = (name) => digestOf(name ?? 'sha256') ?? (() => { throw invalidDigest(name); })();
const settingsOf = (key) => (typeof key === 'object' && key !== null && !ArrayBuffer.isView(key) && insideOf(key) === undefined ? key : {});

/** The longest salt that a key has room for. */
const saltMax = (it, hash) => it.n.length - DIGEST_BYTES[hash] - 2;

function saltOf(it, hash, { saltLength }, isVerifying) {
  switch (saltLength) {
    case undefined: return isVerifying ? RSA_PSS_SALTLEN_AUTO : saltMax(it, hash);
    case RSA_PSS_SALTLEN_DIGEST: return DIGEST_BYTES[hash];
    case RSA_PSS_SALTLEN_MAX_SIGN: return isVerifying ? RSA_PSS_SALTLEN_AUTO : saltMax(it, hash);
    default: return saltLength;
  }
}

function ofEc({ dsaEncoding = 'der' }, curve) {
  return dsaEncoding === 'ieee-p1363' ? curve : `${curve} DER`;
}

function needPadding(settings) {
  const padding = settings.padding ?? RSA_PKCS1_PADDING;
  if (![RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING].includes(padding)) throw coded(Error, 'ERR_OSSL_RSA_ILLEGAL_OR_UNSUPPORTED_PADDING_MODE', 'illegal or unsupported padding mode');
  return padding;
}

function signWith(algorithm, text, key) {
  if (key === undefined || key === null) throw coded(Error, 'ERR_CRYPTO_SIGN_KEY_REQUIRED', 'No key provided to sign');
  const it = keyFor('private', key);
  const settings = settingsOf(key);
  if (it.curve === 'Ed25519') return host.curveSign(it.curve, binary(it.number), binary(text));
  const hash = digestNamed(algorithm);
  if (it.curve) return host.curveSign(ofEc(settings, it.curve), binary(it.number), binary(new Uint8Array(host.digest(hash, binary(text)))));
  if (needPadding(settings) === RSA_PKCS1_PADDING) return signed('PKCS1', hash, -1, it, binary(text));
  return signed('PSS', hash, saltOf(it, hash, settings, false), it, binary(text));
}

function verifyWith(algorithm, text, key, signature) {
  const it = keyFor('public', key);
  const settings = settingsOf(key);
  const given = binary(signature);
  if (it.curve === 'Ed25519') return host.curveVerify(it.curve, binary(it.point), binary(text), given);
  const hash = digestNamed(algorithm);
  if (it.curve) return host.curveVerify(ofEc(settings, it.curve), binary(it.point), binary(new Uint8Array(host.digest(hash, binary(text)))), given);
  if (needPadding(settings) === RSA_PKCS1_PADDING) return verified('PKCS1', hash, -1, it, binary(text), given);
  const salt = saltOf(it, hash, settings, true);
  if (salt !== RSA_PSS_SALTLEN_AUTO) return verified('PSS', hash, salt, it, binary(text), given);
  const most = saltMax(it, hash);
  for (const length of [DIGEST_BYTES[hash], most, ...Array(Math.max(0, most)).keys()]) {
    if (verified('PSS', hash, length, it, binary(text), given)) return true;
  }
  return false;
}

export function sign(algorithm, text, key, callback) {
  const bytes = bytesOf(text, 'data');
  const work = () => Buffer.from(signWith(algorithm, bytes, key));
  if (callback === undefined) return work();
  checkFunction(callback, 'callback');
  return later(callback, work);
}

export function verify(algorithm, text, key, signature, callback) {
  const [bytes, given] = [bytesOf(text, 'data'), bytesOf(signature, 'signature')];
  const work = () => verifyWith(algorithm, bytes, key, given);
  if (callback === undefined) return work();
  checkFunction(callback, 'callback');
  return later(callback, work);
}

/** What `Sign` and `Verify` do: they collect. */
class Collecting extends Writable {
  #algorithm;
  #parts = [];

  constructor(algorithm, options) {
    if (typeof algorithm !== 'string') throw invalidType('algorithm', 'string', algorithm);
    super(options);
    if (!digestOf(algorithm)) throw invalidDigest(algorithm);
    this.#algorithm = algorithm;
  }

  update(value, encoding) {
    this.#parts.push(Buffer.from(bytesOf(value, 'data', encoding)));
    return this;
  }

  _write(chunk, encoding, callback) {
    this.update(chunk, encoding);
    callback();
  }

  take() {
    return [this.#algorithm, Buffer.concat(this.#parts)];
  }
}

export class Sign extends Collecting {
  sign(key, encoding) {
    return encoded(signWith(...this.take(), key), encoding);
  }
}

export class Verify extends Collecting {
  verify(key, signature, encoding) {
    return verifyWith(...this.take(), key, bytesOf(signature, 'signature', encoding));
  }
}

export const createSign = (algorithm, options) => new Sign(algorithm, options);
export const createVerify = (algorithm, options) => new Verify(algorithm, options);

function wayOf({ padding = RSA_PKCS1_OAEP_PADDING, oaepHash = 'sha1' }) {
  if (padding === RSA_PKCS1_PADDING) return 'PKCS1';
  if (padding !== RSA_PKCS1_OAEP_PADDING) missing(`crypto: encryption by RSA with the padding ${padding}`, 'OAEP and PKCS #1 are');
  const hash = digestNamed(oaepHash);
  if (!['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'].includes(hash)) missing(`crypto: RSA-OAEP with ${oaepHash}`, 'sha1, sha256, sha384 and sha512 are');
  return `OAEP ${hash}`;
}

function encrypting(operation, what, key, buffer) {
  const it = keyFor(what, key);
  if (!it.n) throw coded(Error, 'ERR_OSSL_EVP_OPERATION_NOT_SUPPORTED_FOR_THIS_KEYTYPE', 'operation not supported for this keytype');
  const settings = settingsOf(key);
  const made = host[operation](wayOf(settings), it.der, data(buffer, 'buffer'), settings.oaepLabel ? data(settings.oaepLabel, 'key.oaepLabel') : '');
  if (!made) throw coded(Error, 'ERR_OSSL_RSA_OAEP_DECODING_ERROR', what === 'public' ? 'data too large for key size' : 'oaep decoding error');
  return Buffer.from(made);
}

export const publicEncrypt = (key, buffer) => encrypting('rsaEncrypt', 'public', key, buffer);
export const privateDecrypt = (key, buffer) => encrypting('rsaDecrypt', 'private', key, buffer);

const agreed = (mine, point) => {
  const secret = host.curveAgree(mine.curve, binary(mine.number), binary(point));
  if (!secret) throw coded(Error, 'ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY', 'Public key is not valid for specified curve');
  return secret;
};

export function diffieHellman({ privateKey, publicKey }, callback) {
  const work = () => {
    const [mine, its] = [keyFor('private', privateKey), keyFor('public', publicKey)];
    if (!mine.curve || mine.curve !== its.curve) throw coded(Error, 'ERR_CRYPTO_INCOMPATIBLE_KEY', 'Incompatible key types for Diffie-Hellman');
    return Buffer.from(agreed(mine, its.point));
  };
  return callback ? later(callback, work) : work();
}

/** ECDH with points as bytes. */
export class ECDH {
  #curve;
  #it = null;

  constructor(curve) {
    this.#curve = curveNamed(curve);
  }

  generateKeys(encoding, format) {
    this.#it = curves.newPrivate(this.#curve);
    return this.getPublicKey(encoding, format);
  }

  getPublicKey(encoding, format = 'uncompressed') {
    const { point } = this.#need();
    const size = (point.length - 1) / 2;
    return encoded(format === 'compressed' ? Uint8Array.from([2 + (point.at(-1) & 1), ...point.subarray(1, 1 + size)]) : point, encoding);
  }

  getPrivateKey(encoding) { return encoded(this.#need().number, encoding); }

  setPrivateKey(key, encoding) {
    const bytes = bytesOf(key, 'key', encoding);
    const size = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }[this.#curve];
    const number = new Uint8Array(size);
    if (bytes.length <= size) number.set(bytes, size - bytes.length);
    try {
      this.#it = curves.privateOf(this.#curve, bytes.length <= size ? number : bytes);
    } catch {
      throw coded(Error, 'ERR_CRYPTO_INVALID_KEYTYPE', 'Private key is not valid for specified curve.');
    }
    return this;
  }

  computeSecret(other, inputEncoding, outputEncoding) {
    return encoded(agreed(this.#need(), bytesOf(other, 'otherPublicKey', inputEncoding)), outputEncoding);
  }

  #need() {
    if (!this.#it) throw coded(Error, 'ERR_CRYPTO_ECDH_INVALID_KEY', 'Failed to get ECDH key: generate or set one before');
    return this.#it;
  }
}

export const createECDH = (curve) => new ECDH(curve);
