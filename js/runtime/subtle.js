// `crypto.subtle`: digests, HMAC, AES-GCM, and keys that are derived from secrets.
import { binary, host, missing, view } from 'dotdo:host';

const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];
/** Length of what each makes, and of the blocks that it reads, in bits. */
const BLOCK_BITS = { 'SHA-1': 512, 'SHA-256': 512, 'SHA-384': 1024, 'SHA-512': 1024 };
const USAGES = ['encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'];
const TAG_BITS = 128;
const own = Symbol('own');

const refuse = (name, message) => {
  throw new DOMException(message, name);
};

/** The bytes of a buffer source, for Rust. */
function data(source, what) {
  const bytes = view(source);
  if (!bytes) throw new TypeError(`expected ${what} as an ArrayBuffer or a view of one, got ${typeof source}`);
  return binary(bytes);
}

/** An algorithm by its name, or with parameters. */
function algorithmOf(algorithm) {
  const { name, ...rest } = typeof algorithm === 'string' ? { name: algorithm } : (algorithm ?? {});
  if (typeof name !== 'string') throw new TypeError('expected the name of an algorithm');
  return { ...rest, name: name.toUpperCase() };
}

function hashOf(hash) {
  const { name } = algorithmOf(hash);
  if (!HASHES.includes(name)) refuse('NotSupportedError', `expected ${HASHES.join(', ')} as hash, got ${name}`);
  return name;
}

/** A key: what it is for, and, inside, its bytes. */
export class CryptoKey {
  #bytes;

  constructor(token, bytes, about) {
    if (token !== own) throw new TypeError('Illegal constructor');
    this.#bytes = bytes;
    Object.assign(this, { type: 'secret', ...about });
  }

  /** The bytes, if the key is for that. */
  static bytes(key, name, usage) {
    if (!(key instanceof CryptoKey)) throw new TypeError('expected a CryptoKey');
    if (key.algorithm.name !== name) refuse('InvalidAccessError', `expected a key of ${name}, got one of ${key.algorithm.name}`);
    if (usage && !key.usages.includes(usage)) refuse('InvalidAccessError', `the key is not for ${usage}; it is for ${key.usages.join(', ') || 'nothing'}`);
    return key.#bytes;
  }

  get [Symbol.toStringTag]() {
    return 'CryptoKey';
  }
}

/** A key of these bytes. */
function keyOf(bytes, algorithm, extractable, usages) {
  const asked = [...usages];
  const wrong = asked.find((usage) => !USAGES.includes(usage));
  if (wrong !== undefined) throw new TypeError(`expected ${USAGES.join(', ')} as usages of a key, got ${wrong}`);
  const { name } = algorithm;
  const about = { extractable: Boolean(extractable), usages: asked };
  switch (name) {
    case 'HMAC':
      if (!bytes.length) refuse('DataError', 'expected a key of at least one byte');
      return new CryptoKey(own, bytes, { ...about, algorithm: { name, hash: { name: hashOf(algorithm.hash) }, length: bytes.length * 8 } });
    case 'AES-GCM':
      if (![16, 32].includes(bytes.length)) refuse('DataError', `expected a key of 128 or 256 bits, got ${bytes.length * 8}`);
      return new CryptoKey(own, bytes, { ...about, algorithm: { name, length: bytes.length * 8 } });
    case 'PBKDF2':
    case 'HKDF':
      if (about.extractable) throw new SyntaxError(`expected a key of ${name} that is not extractable`);
      return new CryptoKey(own, bytes, { ...about, algorithm: { name } });
    default:
      return absent(name);
  }
}

const absent = (name) => missing(`crypto.subtle with ${name}`, 'HMAC, AES-GCM, PBKDF2, HKDF and digests are');

function derived(algorithm, key, bits) {
  const { name, salt, info, iterations } = algorithmOf(algorithm);
  if (!Number.isInteger(bits) || bits <= 0 || bits % 8) refuse('OperationError', `expected a multiple of 8 as the number of bits, got ${bits}`);
  const secret = (usage) => binary(CryptoKey.bytes(key, name, usage));
  const usage = key.usages.includes('deriveBits') ? 'deriveBits' : 'deriveKey';
  switch (name) {
    case 'PBKDF2':
      return host.pbkdf2(hashOf(algorithm.hash), [secret(usage), data(salt, 'a salt')], Number(iterations), bits / 8);
    case 'HKDF':
      return host.hkdf(hashOf(algorithm.hash), [secret(usage), data(salt, 'a salt'), data(info, 'info')], bits / 8);
    default:
      return absent(name);
  }
}

const fromBase64Url = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
const toBase64Url = (bytes) => btoa(binary(bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** The parameters of AES-GCM, for Rust. */
function sealed({ iv, additionalData = new Uint8Array(), tagLength = TAG_BITS }, source) {
  if (tagLength !== TAG_BITS) missing(`AES-GCM with a tag of ${tagLength} bits`, `${TAG_BITS} are`);
  return [data(iv, 'an iv'), data(source, 'data'), data(additionalData, 'additionalData')];
}

export const subtle = {
  async digest(algorithm, source) {
    return host.digest(hashOf(algorithm), data(source, 'data'));
  },

  async importKey(format, source, algorithm, extractable, usages) {
    const about = algorithmOf(algorithm);
    if (format === 'raw') return keyOf(view(source)?.slice() ?? data(source, 'a key'), about, extractable, usages);
    if (format !== 'jwk') return missing(`importKey of ${format}`, 'raw and jwk are');
    if (source?.kty !== 'oct' || typeof source.k !== 'string') refuse('DataError', 'expected a JSON Web Key of the type oct with k');
    return keyOf(fromBase64Url(source.k), about, extractable, usages);
  },

  async exportKey(format, key) {
    if (!key.extractable) refuse('InvalidAccessError', 'the key is not extractable');
    const { name, hash, length } = key.algorithm;
    const bytes = CryptoKey.bytes(key, name);
    if (format === 'raw') return bytes.slice().buffer;
    if (format !== 'jwk') return missing(`exportKey as ${format}`, 'raw and jwk are');
    const alg = name === 'HMAC' ? `HS${hash.name.slice(4)}` : `A${length}GCM`;
    return { kty: 'oct', k: toBase64Url(bytes), alg, key_ops: key.usages, ext: true };
  },

  async generateKey(algorithm, extractable, usages) {
    const about = algorithmOf(algorithm);
    if (!['HMAC', 'AES-GCM'].includes(about.name)) return absent(about.name);
    const bits = about.length ?? (about.name === 'HMAC' ? BLOCK_BITS[hashOf(about.hash)] : undefined);
    if (!Number.isInteger(bits) || bits <= 0 || bits % 8) refuse('OperationError', `expected a multiple of 8 as the length of a key, got ${bits}`);
    return keyOf(new Uint8Array(host.random(bits / 8)), about, extractable, usages);
  },

  async sign(algorithm, key, source) {
    const { name } = algorithmOf(algorithm);
    if (name !== 'HMAC') return absent(name);
    return host.hmacSign(key.algorithm.hash.name, binary(CryptoKey.bytes(key, name, 'sign')), data(source, 'data'));
  },

  async verify(algorithm, key, signature, source) {
    const { name } = algorithmOf(algorithm);
    if (name !== 'HMAC') return absent(name);
    return host.hmacVerify(key.algorithm.hash.name, binary(CryptoKey.bytes(key, name, 'verify')), [data(source, 'data'), data(signature, 'a signature')]);
  },

  async encrypt(algorithm, key, source) {
    const { name, ...parameters } = algorithmOf(algorithm);
    if (name !== 'AES-GCM') return absent(name);
    return host.aesGcmSeal(binary(CryptoKey.bytes(key, name, 'encrypt')), sealed(parameters, source));
  },

  async decrypt(algorithm, key, source) {
    const { name, ...parameters } = algorithmOf(algorithm);
    if (name !== 'AES-GCM') return absent(name);
    const plain = host.aesGcmOpen(binary(CryptoKey.bytes(key, name, 'decrypt')), sealed(parameters, source));
    return plain ?? refuse('OperationError', 'the data was changed, or was encrypted with other parameters');
  },

  async deriveBits(algorithm, key, bits) {
    return derived(algorithm, key, bits);
  },

  async deriveKey(algorithm, key, target, extractable, usages) {
    const about = algorithmOf(target);
    const bits = about.length ?? (about.name === 'HMAC' ? BLOCK_BITS[hashOf(about.hash)] : undefined);
    return keyOf(new Uint8Array(derived(algorithm, key, bits)), about, extractable, usages);
  },

  /** Compares without telling by its time where two differ; Cloudflare's own. */
  timingSafeEqual(one, other) {
    const [left, right] = [data(one, 'a value'), data(other, 'a value')];
    if (left.length !== right.length) throw new TypeError('Input buffers must have the same byte length.');
    return host.equalBytes(left, right);
  },
};

for (const name of ['wrapKey', 'unwrapKey']) subtle[name] = async () => missing(`crypto.subtle.${name}`);
