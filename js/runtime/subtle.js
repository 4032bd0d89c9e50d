// `crypto.subtle`, as https://www.w3.org/TR/webcrypto-2/ and Cloudflare have it. Each algorithm is an
// object with the operations that it has.
import { binary, encodeUtf8, host, view } from 'dotdo:host';
import { cbc, ctr, gcm, kw } from 'dotdo:crypto/aes';
import { ecdh, ecdsa, ed25519, nodeEd25519, x25519 } from 'dotdo:crypto/curves';
import { absentFormat, algorithmOf, data, hashOf, opened, refuse } from 'dotdo:crypto/keys';
import { oaep, pkcs1, pss } from 'dotdo:crypto/rsa';
import { hkdf, hmac, pbkdf2 } from 'dotdo:crypto/secrets';

export { CryptoKey } from 'dotdo:crypto/keys';

const ALGORITHMS = new Map(Object.entries({
  'RSASSA-PKCS1-v1_5': pkcs1, 'RSA-PSS': pss, 'RSA-OAEP': oaep, ECDSA: ecdsa, ECDH: ecdh, Ed25519: ed25519, 'NODE-ED25519': nodeEd25519, X25519: x25519,
  'AES-CBC': cbc, 'AES-CTR': ctr, 'AES-GCM': gcm, 'AES-KW': kw, HMAC: hmac, PBKDF2: pbkdf2, HKDF: hkdf,
}));

/** The algorithm with its parameters and its operations. */
function found(algorithm, operation, what) {
  const about = algorithmOf(algorithm);
  const it = ALGORITHMS.get(about.name);
  if (!it?.[operation]) refuse('NotSupportedError', `Unrecognized ${what} algorithm "${about.name}" requested.`);
  return [about, it];
}

/** The inside of a key for an operation, and the operation's outcome. */
function coded(operation, usage, algorithm, key, source) {
  const it = opened(key, algorithmOf(algorithm).name, usage);
  const [about, operations] = found(algorithm, operation, usage);
  return operations[operation](about, it, source, key.algorithm);
}

function derived(algorithm, key, bits, usage) {
  const [about, it] = found(algorithm, 'deriveBits', 'key derivation');
  opened(key, about.name, usage);
  return it.deriveBits(about, key, bits);
}

function exported(format, key) {
  const name = key?.algorithm?.name;
  opened(key, name);
  if (!key.extractable) refuse('InvalidAccessError', `Attempt to export non-extractable ${name} key.`);
  const { exportKey } = ALGORITHMS.get(name);
  if (!exportKey) refuse('NotSupportedError', `Unrecognized export of a key of "${name}".`);
  return ALGORITHMS.get(name).exportKey(format, key);
}

const FORMATS = ['raw', 'jwk', 'spki', 'pkcs8'];

function imported(format, source, algorithm, extractable, usages) {
  const [about, it] = found(algorithm, 'importKey', 'key import');
  if (!FORMATS.includes(format)) absentFormat('import', format);
  if (!Array.isArray(usages)) throw new TypeError('expected the usages of a key as a list');
  return it.importKey(format, source, about, Boolean(extractable), usages);
}

/** Bytes that wrap a key: as encryption, or by an algorithm that does nothing else. */
function wrapped(algorithm, key, bytes, isBack) {
  const about = algorithmOf(algorithm);
  const usage = isBack ? 'unwrapKey' : 'wrapKey';
  const it = ALGORITHMS.get(about.name);
  const operation = (isBack ? ['unwrap', 'decrypt'] : ['wrap', 'encrypt']).find((name) => it?.[name]);
  if (!operation) refuse('NotSupportedError', `Unrecognized ${usage} algorithm "${about.name}" requested.`);
  return it[operation](about, opened(key, about.name, usage), bytes, key.algorithm);
}

class SubtleCrypto {
  async digest(algorithm, source) {
    return host.digest(hashOf(algorithm), data(source, 'data'));
  }

  async importKey(format, source, algorithm, extractable, usages) {
    return imported(format, source, algorithm, extractable, usages);
  }

  async exportKey(format, key) {
    return exported(format, key);
  }

  async generateKey(algorithm, extractable, usages) {
    const [about, it] = found(algorithm, 'generateKey', 'key generation');
    return it.generateKey(about, Boolean(extractable), usages);
  }

  async sign(algorithm, key, source) {
    opened(key, algorithmOf(algorithm).name, 'sign');
    const [about, it] = found(algorithm, 'sign', 'sign');
    return it.sign(about, key, source);
  }

  async verify(algorithm, key, signature, source) {
    opened(key, algorithmOf(algorithm).name, 'verify');
    const [about, it] = found(algorithm, 'verify', 'verify');
    return it.verify(about, key, signature, source);
  }

  async encrypt(algorithm, key, source) {
    return coded('encrypt', 'encrypt', algorithm, key, source);
  }

  async decrypt(algorithm, key, source) {
    return coded('decrypt', 'decrypt', algorithm, key, source);
  }

  async deriveBits(algorithm, key, bits) {
    return derived(algorithm, key, bits, 'deriveBits');
  }

  async deriveKey(algorithm, key, target, extractable, usages) {
    const [about, it] = found(target, 'importKey', 'derived key');
    if (!it.lengthOf) refuse('NotSupportedError', `Unrecognized derived key algorithm "${about.name}" requested.`);
    return it.importKey('raw', derived(algorithm, key, it.lengthOf(about), 'deriveKey'), about, Boolean(extractable), usages);
  }

  async wrapKey(format, key, wrappingKey, algorithm) {
    const bytes = exported(format, key);
    return wrapped(algorithm, wrappingKey, format === 'jwk' ? encodeUtf8(JSON.stringify(bytes)) : new Uint8Array(bytes), false);
  }

  async unwrapKey(format, source, unwrappingKey, algorithm, target, extractable, usages) {
    const bytes = view(source);
    if (!bytes) throw new TypeError('expected a wrapped key as an ArrayBuffer or a view of one');
    const plain = new Uint8Array(wrapped(algorithm, unwrappingKey, bytes, true));
    const key = format === 'jwk' ? JSON.parse(host.utf8Decode(binary(plain), false, false)) : plain;
    return imported(format, key, target, extractable, usages);
  }

  /** Compares without telling by its time where two differ; Cloudflare's own. */
  timingSafeEqual(one, other) {
    const [left, right] = [data(one, 'a value'), data(other, 'a value')];
    if (left.length !== right.length) throw new TypeError('Input buffers must have the same byte length.');
    return host.equalBytes(left, right);
  }

  get [Symbol.toStringTag]() {
    return 'SubtleCrypto';
  }
}

export const subtle = new SubtleCrypto();
