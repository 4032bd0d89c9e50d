// `createCipheriv` and `createDecipheriv`: AES in the modes CBC, CTR, ECB and GCM, piece by piece.
import { Buffer } from 'node:buffer';
import { binary, host } from 'dotdo:host';
import { Transform } from 'node:stream';
import { checkString, coded } from 'dotdo:node/errors';
import { padded, unpadded } from 'dotdo:crypto/aes';
import { bytesOf, encoded } from 'dotdo:node/crypto/base';
import { secretBytes } from 'dotdo:node/crypto/objects';

const BLOCK = 16;
export const CIPHERS = [128, 192, 256].flatMap((bits) => ['cbc', 'ctr', 'ecb', 'gcm'].map((mode) => `aes-${bits}-${mode}`));

const invalidState = (name) => coded(Error, 'ERR_CRYPTO_INVALID_STATE', `Invalid state for operation ${name}`);
const badDecrypt = () => coded(Error, 'ERR_OSSL_BAD_DECRYPT', 'error:1C800064:Provider routines::bad decrypt', { reason: 'bad decrypt' });
const wrongLength = () => coded(Error, 'ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH', 'error:1C80006B:Provider routines::wrong final block length', { reason: 'wrong final block length' });

/** A counter, some blocks later; it counts in its last bits. */
function advanced(counter, blocks, bits) {
  const value = BigInt(`0x${Buffer.from(counter).toString('hex')}`);
  const mask = (1n << BigInt(bits)) - 1n;
  const next = (value & ~mask) | ((value + BigInt(blocks)) & mask);
  return Buffer.from(next.toString(16).padStart(2 * BLOCK, '0'), 'hex');
}

/** Blocks, of which the last may wait for its end. */
class Blocks {
  #mode;
  #isEncrypting;
  #iv;
  #rest = Buffer.alloc(0);
  pads = true;

  constructor(mode, key, iv, isEncrypting) {
    this.#mode = mode;
    this.key = key;
    this.#iv = iv;
    this.#isEncrypting = isEncrypting;
  }

  #run(bytes) {
    if (!bytes.length) return Buffer.alloc(0);
    if (this.#mode === 'ecb') return Buffer.from(this.#isEncrypting ? host.aesEcbEncrypt(this.key, binary(bytes)) : host.aesEcbDecrypt(this.key, binary(bytes)));
    const iv = binary(this.#iv);
    const made = Buffer.from(this.#isEncrypting ? host.aesCbcEncrypt(this.key, iv, binary(bytes)) : host.aesCbcDecrypt(this.key, iv, binary(bytes)));
    this.#iv = (this.#isEncrypting ? made : bytes).slice(-BLOCK);
    return made;
  }

  update(bytes) {
    const all = Buffer.concat([this.#rest, bytes]);
    const keeps = !this.#isEncrypting && this.pads && all.length % BLOCK === 0 ? Math.min(BLOCK, all.length) : all.length % BLOCK;
    this.#rest = all.subarray(all.length - keeps);
    return this.#run(all.subarray(0, all.length - keeps));
  }

  final() {
    const rest = this.#rest;
    if (!this.pads) {
      if (rest.length) throw wrongLength();
      return Buffer.alloc(0);
    }
    if (this.#isEncrypting) return this.#run(padded(rest));
    if (rest.length !== BLOCK) throw wrongLength();
    return Buffer.from(unpadded(this.#run(rest)) ?? (() => { throw badDecrypt(); })());
  }
}

/** A stream of bits, with which bytes are mixed. */
class Counted {
  #counter;
  #bits;
  #offset = 0;

  constructor(key, counter, bits) {
    this.key = key;
    this.#counter = counter;
    this.#bits = bits;
  }

  update(bytes) {
    if (!bytes.length) return Buffer.alloc(0);
    const all = new Uint8Array(this.#offset + bytes.length);
    all.set(bytes, this.#offset);
    const made = Buffer.from(host.aesCtr(this.key, binary(this.#counter), this.#bits, binary(all))).subarray(this.#offset);
    this.#counter = advanced(this.#counter, Math.floor(all.length / BLOCK), this.#bits);
    this.#offset = all.length % BLOCK;
    return made;
  }

  final() {
    return Buffer.alloc(0);
  }
}

/** The same with a sum at the end. */
class Sealed extends Counted {
  #iv;
  #isEncrypting;
  #parts = [];
  more = [];
  tagLength = BLOCK;
  tag = null;

  constructor(key, iv, isEncrypting) {
    super(key, advanced(Buffer.from(host.aesGcmFirst(key, binary(iv))), 1, 32), 32);
    this.#iv = binary(iv);
    this.#isEncrypting = isEncrypting;
  }

  update(bytes) {
    this.#parts.push(Buffer.from(bytes));
    return super.update(bytes);
  }

  final() {
    const [all, more] = [binary(Buffer.concat(this.#parts)), binary(Buffer.concat(this.more))];
    if (this.#isEncrypting) {
      this.tag = Buffer.from(host.aesGcmSeal(this.key, [this.#iv, all, more], this.tagLength)).subarray(-this.tagLength);
    } else if (!this.tag || !host.aesGcmOpen(this.key, [this.#iv, all + binary(this.tag), more], this.tag.length)) {
      throw coded(Error, undefined, 'Unsupported state or unable to authenticate data');
    }
    return Buffer.alloc(0);
  }
}

function coderOf(name, key, iv, options, isEncrypting) {
  checkString(name, 'cipher');
  const cipher = name.toLowerCase();
  if (!CIPHERS.includes(cipher)) throw coded(Error, 'ERR_CRYPTO_UNKNOWN_CIPHER', `Unknown cipher: ${name} is not among ${CIPHERS.join(', ')}`);
  const [, bits, mode] = cipher.split('-');
  const bytes = secretBytes(key) ?? bytesOf(key, 'key');
  if (bytes.length * 8 !== Number(bits)) throw coded(RangeError, 'ERR_CRYPTO_INVALID_KEYLEN', 'Invalid key length');
  const nonce = iv === null ? new Uint8Array() : bytesOf(iv, 'iv');
  const isFitting = { ecb: nonce.length === 0, gcm: nonce.length > 0 }[mode] ?? nonce.length === BLOCK;
  if (!isFitting) throw coded(TypeError, 'ERR_CRYPTO_INVALID_IV', 'Invalid initialization vector');
  const secret = binary(bytes);
  if (mode === 'ctr') return new Counted(secret, nonce.slice(), 128);
  if (mode !== 'gcm') return new Blocks(mode, secret, nonce.slice(), isEncrypting);
  const coder = new Sealed(secret, nonce, isEncrypting);
  if (options?.authTagLength !== undefined) coder.tagLength = tagLengthOf(options.authTagLength);
  return coder;
}

function tagLengthOf(length) {
  if (![4, 8, 12, 13, 14, 15, 16].includes(length)) throw coded(TypeError, 'ERR_CRYPTO_INVALID_AUTH_TAG', `Invalid authentication tag length: ${length}`);
  return length;
}

const token = Symbol('own');

class Coding extends Transform {
  #coder;
  #isOver = false;

  constructor(given, coder, options) {
    if (given !== token) throw new TypeError('Illegal constructor');
    super(options);
    this.#coder = coder;
  }

  get coder() { return this.#coder; }
  get isOver() { return this.#isOver; }

  update(value, inputEncoding, outputEncoding) {
    if (this.#isOver) throw coded(Error, 'ERR_CRYPTO_INVALID_STATE', 'Unsupported state or unable to update');
    return encoded(this.#coder.update(bytesOf(value, 'data', inputEncoding)), outputEncoding);
  }

  final(outputEncoding) {
    if (this.#isOver) throw invalidState('final');
    this.#isOver = true;
    return encoded(this.#coder.final(), outputEncoding);
  }

  setAutoPadding(pads = true) {
    if (this.#isOver) throw invalidState('setAutoPadding');
    this.#coder.pads = Boolean(pads);
    return this;
  }

  setAAD(value, options) {
    if (this.#isOver || !(this.#coder instanceof Sealed)) throw invalidState('setAAD');
    this.#coder.more.push(Buffer.from(bytesOf(value, 'buffer', options?.encoding)));
    return this;
  }

  _transform(chunk, encoding, callback) {
    this.push(this.#coder.update(chunk));
    callback();
  }

  _flush(callback) {
    try {
      this.push(this.final());
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }
}

export class Cipheriv extends Coding {
  getAuthTag() {
    if (!this.isOver || !(this.coder instanceof Sealed)) throw invalidState('getAuthTag');
    return Buffer.from(this.coder.tag);
  }
}

export class Decipheriv extends Coding {
  setAuthTag(tag, encoding) {
    if (this.isOver || !(this.coder instanceof Sealed)) throw invalidState('setAuthTag');
    const bytes = Buffer.from(bytesOf(tag, 'buffer', encoding));
    tagLengthOf(bytes.length);
    this.coder.tag = bytes;
    return this;
  }
}

export const createCipheriv = (name, key, iv, options) => new Cipheriv(token, coderOf(name, key, iv, options, true), options);
export const createDecipheriv = (name, key, iv, options) => new Decipheriv(token, coderOf(name, key, iv, options, false), options);

export function getCipherInfo(name) {
  const [, bits, mode] = String(name).toLowerCase().split('-');
  if (!CIPHERS.includes(String(name).toLowerCase())) return undefined;
  return { mode, name: String(name).toLowerCase(), keyLength: Number(bits) / 8, blockSize: mode === 'ctr' || mode === 'gcm' ? undefined : BLOCK, ...(mode === 'ecb' ? {} : { ivLength: mode === 'gcm' ? 12 : BLOCK }) };
}
