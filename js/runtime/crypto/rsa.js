// RSA of `crypto.subtle`. Inside, a key has its numbers by the names of JSON Web Keys, and is written in DER for Rust.
import { binary, host } from 'dotdo:host';
import { bits, element, integer, nameOf, object, octets, Reader, sequence, TAG, trimmed } from 'dotdo:crypto/der';
import { absentFormat, bytesOf, checkJwk, data, fromBase64Url, hashOf, keyOf, needUsage, notHere, opened, pairOf, refuse, toBase64Url, usagesOf } from 'dotdo:crypto/keys';

const PUBLIC = ['n', 'e'];
const PRIVATE = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'];
const SIZES = [2048, 3072, 4096];
const zero = Uint8Array.of(0);

const identifier = () => sequence(object('rsa'), element(TAG.nothing));

/** What RFC 8017 says, without the name of the algorithm. */
export const pkcs1Of = (it) => (it.d ? sequence(integer(zero), ...PRIVATE.map((name) => integer(it[name]))) : sequence(integer(it.n), integer(it.e)));

export const spkiOf = (it) => sequence(identifier(), bits(sequence(integer(it.n), integer(it.e))));
export const pkcs8Of = (it) => sequence(integer(zero), identifier(), octets(pkcs1Of(it)));

export function bitsOf({ n }) {
  return n.length * 8 - Math.clz32(n[0]) + 24;
}

/** A key of these numbers, which Rust has looked at. */
export function checked(it) {
  if (it.d) {
    it.der = binary(pkcs8Of(it));
    if (bitsOf(it) < 2048 || bitsOf(it) > 8192) notHere(`a private key of RSA with ${bitsOf(it)} bits`, 'those of 2048 to 8192 bits are');
    if (!host.rsaIsPrivate(it.der)) throw new Error('expected a private key of RSA');
  } else {
    it.der = binary(spkiOf(it));
    if (!host.rsaIsPublic(it.der)) throw new Error('expected a public key of RSA');
  }
  return it;
}

export function readPkcs1(bytes, names) {
  const reader = new Reader(bytes).inside(TAG.sequence);
  if (names === PRIVATE) reader.integer();
  return checked(Object.fromEntries(names.map((name) => [name, reader.integer().slice()])));
}

export const readPrivate = (bytes) => readPkcs1(bytes, PRIVATE);
export const readPublic = (bytes) => readPkcs1(bytes, PUBLIC);

/** The public key of a private one. */
export const publicOf = ({ n, e }) => checked({ n, e });

export const newPrivate = (size) => {
  const reader = new Reader(new Uint8Array(host.rsaGenerate(size))).inside(TAG.sequence);
  reader.integer();
  reader.take(TAG.sequence);
  return readPrivate(reader.take(TAG.octets));
};

function read(format, bytes) {
  const reader = new Reader(bytes).inside(TAG.sequence);
  if (format === 'pkcs8') reader.integer();
  if (!['rsa', 'RSA-PSS'].includes(nameOf(reader.inside(TAG.sequence).take(TAG.object)))) throw new Error('expected a key of RSA');
  return format === 'pkcs8' ? readPrivate(reader.take(TAG.octets)) : readPublic(reader.bits());
}

export const jwkOf = (it) => ({ kty: 'RSA', ...Object.fromEntries((it.d ? ['d', 'n', 'e', 'p', 'q', 'dp', 'dq', 'qi'] : PUBLIC).map((name) => [name, toBase64Url(it[name])])) });

export function ofJwk(jwk) {
  const names = jwk.d === undefined ? PUBLIC : PRIVATE;
  const absent = names.find((name) => typeof jwk[name] !== 'string');
  if (absent) refuse('DataError', `RSA "jwk" key import requires "${absent}".`);
  return checked(Object.fromEntries(names.map((name) => [name, trimmed(fromBase64Url(jwk[name], name))])));
}

const ALGS = {
  'RSASSA-PKCS1-v1_5': (hash) => `RS${hash.slice(4)}`,
  'RSA-PSS': (hash) => `PS${hash.slice(4)}`,
  'RSA-OAEP': (hash) => (hash === 'SHA-1' ? 'RSA-OAEP' : `RSA-OAEP-${hash.slice(4)}`),
};

const about = (it, hash) => ({ modulusLength: bitsOf(it), publicExponent: Uint8Array.from(it.e), hash: { name: hash } });

function importRsa({ name, ofPrivate, ofPublic }, format, source, algorithm, extractable, asked) {
  const hash = hashOf(algorithm.hash);
  if (!['jwk', 'spki', 'pkcs8'].includes(format)) return absentFormat('import', format);
  const isPrivate = format === 'pkcs8' || (format === 'jwk' && source?.d !== undefined);
  const type = isPrivate ? 'private' : 'public';
  const usages = needUsage(type, usagesOf(asked, isPrivate ? ofPrivate : ofPublic, `import ${type} ${name}`));
  if (format === 'jwk') checkJwk(source, { kty: 'RSA', name, extractable, usages, alg: [ALGS[name](hash)], use: name === 'RSA-OAEP' ? 'enc' : 'sig' });
  let it;
  try {
    it = format === 'jwk' ? ofJwk(source) : read(format, bytesOf(source, 'a key').slice());
  } catch (error) {
    if (error instanceof DOMException || error instanceof TypeError) throw error;
    refuse('DataError', `Invalid ${format === 'jwk' ? 'RSA "jwk"' : format.toUpperCase()} input.`);
  }
  return keyOf(type, it, { name, ...about(it, hash) }, extractable, usages);
}

function sizeOf({ modulusLength, publicExponent }) {
  const size = Number(modulusLength);
  if (!(size > 0)) refuse('OperationError', `modulusLength must be greater than zero (requested ${modulusLength}).`);
  if (size % 8 || size < 256 || size > 16384) refuse('OperationError', `The modulus length must be a multiple of 8 and between 256 and 16k, but ${size} was requested.`);
  const exponent = trimmed(bytesOf(publicExponent, 'a publicExponent')).join();
  if (!['3', '1,0,1'].includes(exponent)) refuse('OperationError', 'The "publicExponent" must be either 3 or 65537.');
  if (exponent === '3') notHere('generateKey of RSA with the exponent 3', '65537 is');
  if (!SIZES.includes(size)) notHere(`generateKey of RSA with ${size} bits`, `${SIZES.join(', ')} are`);
  return size;
}

/** Keys of one algorithm, and what they are for. */
const keys = (name, ofPrivate, ofPublic) => ({
  importKey: (...parameters) => importRsa({ name, ofPrivate, ofPublic }, ...parameters),

  exportKey(format, key) {
    const it = opened(key, name);
    const need = { spki: 'public', pkcs8: 'private' }[format];
    if (need && need !== key.type) refuse('InvalidAccessError', `Asymmetric ${format} export requires ${need} key (not "${key.type}").`);
    switch (format) {
      case 'spki': return spkiOf(it).buffer;
      case 'pkcs8': return pkcs8Of(it).buffer;
      case 'jwk': {
        const { kty, ...rest } = jwkOf(it);
        return { kty, key_ops: key.usages, alg: ALGS[name](key.algorithm.hash.name), ext: key.extractable, ...rest };
      }
      default: return absentFormat('export', format);
    }
  },

  generateKey(algorithm, extractable, usages) {
    const hash = hashOf(algorithm.hash);
    const size = sizeOf(algorithm);
    const more = { modulusLength: size, publicExponent: Uint8Array.of(1, 0, 1), hash: { name: hash } };
    const secret = () => {
      const it = newPrivate(size);
      return { it, point: it };
    };
    return pairOf({ name, about: more, secret, open: publicOf, extractable, usages, ofPrivate, ofPublic });
  },
});

/** The way of a signature by its name in Rust. */
const SIGNING = ['SHA-256', 'SHA-384', 'SHA-512'];

export function signed(way, hash, salt, it, text) {
  if (!SIGNING.includes(hash)) notHere(`signing by RSA with ${hash}`, `${SIGNING.join(', ')} are`);
  return host.rsaSign(`${way} ${hash}`, salt, it.der, text) ?? refuse('OperationError', 'key too small for signing with given digest and salt length');
}

export function verified(way, hash, salt, it, text, signature) {
  if (!SIGNING.includes(hash) && !(way === 'PKCS1' && hash === 'SHA-1')) notHere(`verifying by RSA (${way}) with ${hash}`, `${SIGNING.join(', ')} are`);
  return host.rsaVerify(`${way} ${hash}`, salt, it.der, [text, signature]);
}

function signing(name, way, saltOf) {
  return {
    ...keys(name, ['sign'], ['verify']),
    sign: (algorithm, key, source) => signed(way, key.algorithm.hash.name, saltOf(algorithm), opened(key, name, 'sign'), data(source, 'data')),
    verify: (algorithm, key, signature, source) =>
      verified(way, key.algorithm.hash.name, saltOf(algorithm), opened(key, name, 'verify'), data(source, 'data'), data(signature, 'a signature')),
  };
}

export const pkcs1 = signing('RSASSA-PKCS1-v1_5', 'PKCS1', () => -1);

export const pss = signing('RSA-PSS', 'PSS', ({ saltLength }) => {
  const salt = Number(saltLength);
  if (!Number.isInteger(salt) || salt < 0) throw new TypeError(`expected a saltLength of RSA-PSS, got ${saltLength}`);
  return Math.min(salt, 65535);
});

const OAEP_FAILED = 'RSA-OAEP failed encrypt/decrypt.';
const oaepOf = (hash) => (hash === 'MD5' ? notHere('RSA-OAEP with MD5', 'SHA-1 and SHA-2 are') : `OAEP ${hash}`);

export const oaep = {
  ...keys('RSA-OAEP', ['decrypt', 'unwrapKey'], ['encrypt', 'wrapKey']),
  encrypt: ({ label = new Uint8Array() }, it, source, { hash }) =>
    host.rsaEncrypt(oaepOf(hash.name), it.der, data(source, 'data'), data(label, 'a label')) ?? refuse('OperationError', OAEP_FAILED),
  decrypt: ({ label = new Uint8Array() }, it, source, { hash }) =>
    host.rsaDecrypt(oaepOf(hash.name), it.der, data(source, 'data'), data(label, 'a label')) ?? refuse('OperationError', OAEP_FAILED),
};
