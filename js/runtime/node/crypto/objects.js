// Keys of `node:crypto`: objects, PEM, and new keys. Inside they are as those of `crypto.subtle`.
import { Buffer } from 'node:buffer';
import { binary, host, missing } from 'dotdo:host';
import { checkObject, checkString, coded, invalidType, invalidValue } from 'dotdo:node/errors';
import * as curves from 'dotdo:crypto/curves';
import { nameOf, Reader, TAG } from 'dotdo:crypto/der';
import { CryptoKey, fromBase64Url, inside, keyOf, toBase64Url } from 'dotdo:crypto/keys';
import * as rsa from 'dotdo:crypto/rsa';
import { bytesOf, later } from 'dotdo:node/crypto/base';

const token = Symbol('own');
let within;

/** A key; what it is made of stays inside. */
export class KeyObject {
  #type;
  #it;

  constructor(given, type, it) {
    if (given !== token) throw coded(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
    this.#type = type;
    this.#it = it;
  }

  static {
    within = (key) => (typeof key === 'object' && key !== null && #it in key ? key.#it : undefined);
  }

  static from(key) {
    if (inside(key) === undefined) throw invalidType('key', 'CryptoKey', key);
    return make(key.type, inside(key));
  }

  get type() { return this.#type; }

  equals(other) {
    if (within(other) === undefined) throw invalidType('otherKeyObject', 'KeyObject', other);
    return this.#type === other.type && binary(bytesIn(this.#type, this.#it)) === binary(bytesIn(other.type, within(other)));
  }

  toCryptoKey(algorithm, extractable, usages) {
    const it = typeof algorithm === 'string' ? { name: algorithm } : algorithm;
    const about = this.#it.curve ? { namedCurve: this.#it.curve } : this.#it.n ? { modulusLength: rsa.bitsOf(this.#it), publicExponent: this.#it.e.slice(), hash: { name: it.hash?.name ?? it.hash } } : { length: this.#it.length * 8 };
    return keyOf(this.#type, this.#it, { ...it, ...about }, extractable, usages);
  }

  get [Symbol.toStringTag]() { return 'KeyObject'; }
}

class SecretKeyObject extends KeyObject {
  get symmetricKeySize() { return within(this).length; }

  export(options) {
    if (options?.format === 'jwk') return { kty: 'oct', k: toBase64Url(within(this)) };
    return Buffer.from(within(this));
  }
}

class AsymmetricKeyObject extends KeyObject {
  get asymmetricKeyType() { return kindOf(within(this)); }

  get asymmetricKeyDetails() {
    const it = within(this);
    if (it.n) return { modulusLength: rsa.bitsOf(it), publicExponent: BigInt(`0x${Buffer.from(it.e).toString('hex')}`) };
    return curves.isNist(it.curve) ? { namedCurve: NODE_NAMES[it.curve] } : {};
  }

  export(options) {
    checkObject(options, 'options');
    return written(this.type, within(this), options);
  }
}

class PublicKeyObject extends AsymmetricKeyObject {}
class PrivateKeyObject extends AsymmetricKeyObject {}

const make = (type, it) => new { secret: SecretKeyObject, public: PublicKeyObject, private: PrivateKeyObject }[type](token, type, it);
const kindOf = (it) => (it.n ? 'rsa' : curves.isNist(it.curve) ? 'ec' : it.curve.toLowerCase());
const NODE_NAMES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' };
export const CURVES = Object.values(NODE_NAMES);

/** A curve by the names that it has in Node. */
export function curveNamed(name) {
  const found = Object.keys(NODE_NAMES).find((curve) => curve === name || NODE_NAMES[curve] === name || (name === 'secp256r1' && curve === 'P-256'));
  if (!found) missing(`the elliptic curve ${name}`, `${CURVES.join(', ')} are`);
  return found;
}

/** The inside of a key of either kind; undefined of what is none. */
export const insideOf = (key) => within(key) ?? inside(key);

/** The bytes of a secret key; undefined of what is none. */
export function secretBytes(key) {
  const it = insideOf(key);
  if (it === undefined) return undefined;
  if (key.type !== 'secret') throw coded(TypeError, 'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE', `Invalid key object type ${key.type}, expected secret.`);
  return it;
}

function bytesIn(type, it) {
  if (type === 'secret') return it;
  const family = it.n ? rsa : curves;
  return type === 'private' ? family.pkcs8Of(it) : family.spkiOf(it);
}

const pemOf = (label, bytes) => `-----BEGIN ${label}-----\n${Buffer.from(bytes).toString('base64').replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;

/** A key as options say. */
function written(type, it, { format, type: kind, cipher }) {
  if (format === 'jwk') return it.n ? rsa.jwkOf(it) : curves.jwkOf(it);
  if (cipher) missing('crypto: export of an encrypted key', 'export it without a cipher');
  let label;
  let bytes;
  if (kind === 'pkcs1' && it.n) [label, bytes] = [`RSA ${type.toUpperCase()} KEY`, rsa.pkcs1Of(it)];
  else if (kind === 'sec1' && it.curve && curves.isNist(it.curve) && type === 'private') [label, bytes] = ['EC PRIVATE KEY', curves.sec1Of(it, true)];
  else if (kind === (type === 'private' ? 'pkcs8' : 'spki')) [label, bytes] = [`${type.toUpperCase()} KEY`, bytesIn(type, it)];
  else throw invalidValue('options.type', kind);
  if (format === 'der') return Buffer.from(bytes);
  if (format !== 'pem') throw invalidValue('options.format', format);
  return pemOf(label, bytes);
}

const failed = (what) => coded(Error, 'ERR_OSSL_UNSUPPORTED', `Failed to parse ${what} key`);

/** The bytes of PEM, and what they are. */
function unwrapPem(text) {
  const match = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/.exec(text);
  if (!match) return undefined;
  const [, label, body] = match;
  if (label === 'ENCRYPTED PRIVATE KEY' || body.includes('ENCRYPTED')) missing('crypto: an encrypted private key', 'decrypt it before');
  if (label === 'CERTIFICATE') missing('crypto: the key of a certificate', 'give the key itself');
  const kinds = { 'PRIVATE KEY': 'pkcs8', 'PUBLIC KEY': 'spki', 'RSA PRIVATE KEY': 'pkcs1-private', 'RSA PUBLIC KEY': 'pkcs1-public', 'EC PRIVATE KEY': 'sec1' };
  return { kind: kinds[label], bytes: new Uint8Array(Buffer.from(body, 'base64')) };
}

const isRsa = (bytes) => ['rsa', 'RSA-PSS'].includes(nameOf(new Reader(bytes).take(TAG.object)));

function readPkcs8(bytes) {
  const reader = new Reader(bytes).inside(TAG.sequence);
  reader.integer();
  const identifier = reader.take(TAG.sequence);
  const content = reader.take(TAG.octets);
  return isRsa(identifier) ? rsa.readPrivate(content) : curves.readPkcs8(curves.curveIn(new Reader(identifier)), content);
}

function readSpki(bytes) {
  const reader = new Reader(bytes).inside(TAG.sequence);
  const identifier = reader.take(TAG.sequence);
  return isRsa(identifier) ? rsa.readPublic(reader.bits()) : curves.publicOf(curves.curveIn(new Reader(identifier)), reader.bits());
}

const READ = {
  pkcs8: ['private', readPkcs8],
  spki: ['public', readSpki],
  'pkcs1-private': ['private', rsa.readPrivate],
  'pkcs1-public': ['public', rsa.readPublic],
  sec1: ['private', (bytes) => curves.readSec1(bytes)],
};

function ofJwk(jwk) {
  if (jwk.kty === 'RSA') return [jwk.d === undefined ? 'public' : 'private', rsa.ofJwk(jwk)];
  if (!['EC', 'OKP'].includes(jwk.kty)) throw coded(TypeError, 'ERR_CRYPTO_INVALID_JWK', 'Invalid JWK data');
  const part = (name) => fromBase64Url(String(jwk[name]), name);
  const point = jwk.kty === 'EC' ? Uint8Array.from([4, ...part('x'), ...part('y')]) : part('x');
  if (jwk.d === undefined) return ['public', curves.publicOf(jwk.crv, point)];
  return ['private', curves.privateOf(jwk.crv, part('d'), point)];
}

/** The type and the inside of an asymmetric key that was given as text, bytes or JSON Web Key. */
function parsed(given, what) {
  const { key = given, format, type, passphrase } = typeof given === 'object' && !ArrayBuffer.isView(given) && !(given instanceof ArrayBuffer) ? given : {};
  if (passphrase !== undefined && passphrase !== null && !(typeof key === 'string' && !key.includes('ENCRYPTED'))) missing('crypto: an encrypted private key', 'decrypt it before');
  if (format === 'jwk') {
    checkObject(key, 'key.key');
    return ofJwk(key);
  }
  if (typeof key !== 'string' && !ArrayBuffer.isView(key) && !(key instanceof ArrayBuffer)) throw invalidType('key', ['string', 'ArrayBuffer', 'Buffer', 'TypedArray', 'DataView', 'KeyObject', 'CryptoKey'], key);
  const bytes = bytesOf(key, 'key');
  const found = format === 'der' ? { kind: type === 'pkcs1' ? `pkcs1-${what}` : type, bytes: bytes.slice() } : unwrapPem(Buffer.from(bytes).toString());
  if (!found?.kind || !READ[found.kind]) throw failed(what);
  const [is, read] = READ[found.kind];
  try {
    return [is, read(found.bytes)];
  } catch (error) {
    if (error instanceof DOMException || /not available/.test(error.message)) throw error;
    throw failed(what);
  }
}

/** What a key is for an operation that needs a private or a public one. */
export function keyFor(what, given) {
  const key = given !== null && typeof given === 'object' && insideOf(given) === undefined && given.key !== undefined && given.format !== 'jwk' && insideOf(given.key) !== undefined ? given.key : given;
  let [type, it] = [key?.type, insideOf(key)];
  if (it === undefined) [type, it] = parsed(key, what);
  if (type === what) return it;
  if (type !== 'private') throw coded(TypeError, 'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE', `Invalid key object type ${type}, expected ${what}.`);
  return it.n ? rsa.publicOf(it) : curves.publicOf(it.curve, it.point);
}

export const createPrivateKey = (key) => make('private', keyFor('private', key));
export const createPublicKey = (key) => make('public', keyFor('public', key));

export function createSecretKey(key, encoding) {
  return make('secret', bytesOf(key, 'key', encoding).slice());
}

function pair(type, options) {
  checkString(type, 'type');
  let it;
  if (type === 'rsa' || type === 'rsa-pss') {
    if (![2048, 3072, 4096].includes(options?.modulusLength)) missing(`crypto: a key of RSA with ${options?.modulusLength} bits`, '2048, 3072 and 4096 are');
    if (options.publicExponent !== undefined && options.publicExponent !== 65537) missing(`crypto: a key of RSA with the exponent ${options.publicExponent}`, '65537 is');
    it = rsa.newPrivate(options.modulusLength);
  } else if (type === 'ec') {
    checkString(options?.namedCurve, 'options.namedCurve');
    it = curves.newPrivate(curveNamed(options.namedCurve));
  } else if (type === 'ed25519' || type === 'x25519') {
    it = curves.newPrivate(type === 'ed25519' ? 'Ed25519' : 'X25519');
  } else {
    missing(`crypto: a pair of keys of the type ${type}`, 'rsa, ec, ed25519 and x25519 are');
  }
  const open = it.n ? rsa.publicOf(it) : curves.publicOf(it.curve, it.point);
  const { publicKeyEncoding, privateKeyEncoding } = options ?? {};
  return {
    publicKey: publicKeyEncoding ? written('public', open, publicKeyEncoding) : make('public', open),
    privateKey: privateKeyEncoding ? written('private', it, privateKeyEncoding) : make('private', it),
  };
}

export const generateKeyPairSync = (type, options) => pair(type, options);

export function generateKeyPair(type, options, callback) {
  if (typeof options === 'function') [options, callback] = [undefined, options];
  later((error, value) => (error ? callback(error) : callback(null, value.publicKey, value.privateKey)), () => pair(type, options));
}

export function generateKeySync(type, options) {
  const { length } = options;
  if (type === 'aes' && ![128, 192, 256].includes(length)) throw invalidValue('options.length', length, 'must be one of: 128, 192, 256');
  if (!['aes', 'hmac'].includes(type) || !(length >= 8)) throw invalidValue('type', type, 'must be a supported key type');
  return make('secret', new Uint8Array(host.random(Math.floor(length / 8))));
}

export const generateKey = (type, options, callback) => later(callback, () => generateKeySync(type, options));

export { CryptoKey };
