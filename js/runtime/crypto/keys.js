// What all algorithms of `crypto.subtle` share: keys, names, and the errors of the standard.
import { binary, missing, view } from 'dotdo:host';

export const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];
/** Length of the blocks that each reads, in bits. */
export const BLOCK_BITS = { MD5: 512, 'SHA-1': 512, 'SHA-256': 512, 'SHA-384': 1024, 'SHA-512': 1024 };
const own = Symbol('own');

export function refuse(name, message) {
  throw new DOMException(message, name);
}

/** The bytes of a buffer source. */
export function bytesOf(source, what) {
  const bytes = view(source);
  if (!bytes) throw new TypeError(`expected ${what} as an ArrayBuffer or a view of one, got ${typeof source}`);
  return bytes;
}

/** The same for Rust. */
export const data = (source, what) => binary(bytesOf(source, what));

const NAMES = new Map([
  'RSASSA-PKCS1-v1_5', 'RSA-PSS', 'RSA-OAEP', 'ECDSA', 'ECDH', 'Ed25519', 'NODE-ED25519', 'X25519',
  'AES-CBC', 'AES-CTR', 'AES-GCM', 'AES-KW', 'HMAC', 'PBKDF2', 'HKDF', 'MD5', ...HASHES,
].map((name) => [name.toUpperCase(), name]));

/** An algorithm by its name, or with parameters. */
export function algorithmOf(algorithm) {
  const { name, ...rest } = typeof algorithm === 'string' ? { name: algorithm } : (algorithm ?? {});
  if (typeof name !== 'string') throw new TypeError('expected the name of an algorithm');
  return { ...rest, name: NAMES.get(name.toUpperCase()) ?? name };
}

export function hashOf(hash) {
  const { name } = algorithmOf(hash);
  if (!(name in BLOCK_BITS)) refuse('NotSupportedError', 'Unrecognized or unimplemented digest algorithm requested.');
  return name;
}

/** What a key is made of; undefined of what is no key. */
export let inside;

/** A key: what it is for, and, inside, what it is made of. */
export class CryptoKey {
  #inside;

  constructor(token, about, it) {
    if (token !== own) throw new TypeError('Illegal constructor');
    this.#inside = it;
    for (const name of ['usages', 'algorithm', 'extractable', 'type']) Object.defineProperty(this, name, { value: about[name], enumerable: true });
  }

  static {
    inside = (key) => (typeof key === 'object' && key !== null && #inside in key ? key.#inside : undefined);
  }

  get [Symbol.toStringTag]() {
    return 'CryptoKey';
  }
}

/** A key of the type `secret`, `private` or `public`. */
export const keyOf = (type, it, algorithm, extractable, usages) =>
  new CryptoKey(own, { type, algorithm, extractable: Boolean(extractable), usages: [...usages] }, it);

/** The inside of a key that is of this algorithm and for that. */
export function opened(key, name, usage) {
  const it = inside(key);
  if (it === undefined) throw new TypeError('expected a CryptoKey');
  if (key.algorithm.name !== name) refuse('InvalidAccessError', `Requested algorithm "${name}" does not match this CryptoKey's algorithm "${key.algorithm.name}".`);
  if (usage && !key.usages.includes(usage)) refuse('InvalidAccessError', `Requested key usage "${usage}" does not match any usage listed in this CryptoKey.`);
  return it;
}

/** The usages that were asked for, which must be among those. */
export function usagesOf(asked, among, what) {
  const usages = [...asked];
  const wrong = usages.find((usage) => !among.includes(usage));
  if (wrong !== undefined) refuse('SyntaxError', `Attempt to ${what} key with invalid usage "${wrong}".`);
  return among.filter((usage) => usages.includes(usage));
}

/** A key that nobody could use is a mistake. */
export function needUsage(type, usages) {
  if (type !== 'public' && !usages.length) refuse('SyntaxError', 'Secret/private CryptoKeys must have at least one usage.');
  return usages;
}

/** The two keys of a pair, of which the public one can always be exported. */
export function pairOf({ name, about, secret, open, extractable, usages, ofPrivate, ofPublic }) {
  const asked = usagesOf(usages, [...new Set([...ofPublic, ...ofPrivate])], `generate ${name}`);
  const mine = asked.filter((usage) => ofPrivate.includes(usage));
  if (!mine.length) refuse('SyntaxError', 'Attempt to generate asymmetric keys with no valid private key usages.');
  const algorithm = { name, ...about };
  const { it, point } = secret();
  return {
    publicKey: keyOf('public', open(point), algorithm, true, asked.filter((usage) => ofPublic.includes(usage))),
    privateKey: keyOf('private', it, algorithm, extractable, mine),
  };
}

export function fromBase64Url(text, what) {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  } catch {
    return refuse('DataError', `expected ${what} in base64url`);
  }
}

export const toBase64Url = (bytes) => btoa(binary(bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** Checks what a JSON Web Key says of its use. */
export function checkJwk(jwk, { kty, name, extractable, usages, alg, use }) {
  if (typeof jwk !== 'object' || jwk === null || view(jwk)) throw new TypeError('expected a JSON Web Key');
  if (jwk.kty !== kty) refuse('DataError', `${name} "jwk" key import requires a JSON Web Key with Key Type parameter "kty" equal to "${kty}" (encountered "${jwk.kty}").`);
  if (usages.length && jwk.use !== undefined && jwk.use !== use) refuse('DataError', `${name} "jwk" key must have a "use" of "${use}", not "${jwk.use}".`);
  if (jwk.key_ops !== undefined) {
    const absent = usages.find((usage) => !jwk.key_ops.includes(usage));
    if (absent) refuse('DataError', `"jwk" key missing usage "${absent}", in "key_ops".`);
  }
  if (jwk.ext === false && extractable) refuse('DataError', `JWK ext field for "${name}" is set to false but extractable is true`);
  if (alg && jwk.alg !== undefined && !alg.includes(jwk.alg)) refuse('DataError', `${name} "jwk" key contains invalid "alg" value "${jwk.alg}", expected "${alg[0]}".`);
}

/** Some of a buffer's first bits. */
export function firstBits(buffer, count) {
  const all = new Uint8Array(buffer);
  if (count === null || count === undefined) return buffer;
  const bits = Number(count);
  if (!(bits >= 0 && bits <= all.length * 8)) refuse('OperationError', `Derived key length (${bits} bits) is too long (should be at most ${all.length * 8} bits).`);
  const first = all.slice(0, Math.ceil(bits / 8));
  if (bits % 8) first[first.length - 1] &= 0xff << (8 - (bits % 8));
  return first.buffer;
}

export const absentFormat = (what, format) => refuse('NotSupportedError', `Unrecognized key ${what} format "${format}".`);

/** What the library of cryptography does not have, by its name. */
export function notHere(what, instead) {
  try {
    return missing(what, instead);
  } catch (error) {
    return refuse('NotSupportedError', error.message);
  }
}
