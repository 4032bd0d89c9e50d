// Elliptic curves of `crypto.subtle`: ECDSA and ECDH on those of NIST, Ed25519 and X25519. Inside, a
// private key has its number and its point, a public one its point.
import { binary, host } from 'dotdo:host';
import { bits, element, integer, nameOf, object, octets, Reader, sequence, TAG } from 'dotdo:crypto/der';
import { absentFormat, bytesOf, checkJwk, data, firstBits, fromBase64Url, hashOf, keyOf, needUsage, opened, pairOf, refuse, toBase64Url, usagesOf } from 'dotdo:crypto/keys';

/** Length of a number of a curve, in bytes. */
const SIZES = { 'P-256': 32, 'P-384': 48, 'P-521': 66, Ed25519: 32, X25519: 32 };
/** Length of a signature of Ed25519, in bytes. */
const SIGNATURE = 64;
export const isNist = (curve) => curve.startsWith('P-');

/** The point of a private key; undefined if it is none. */
const pointOf = (curve, number) => {
  const point = host.curvePublic(curve, binary(number));
  return point && new Uint8Array(point);
};

export function privateOf(curve, number, point) {
  const it = { curve, number, point: SIZES[curve] === number.length ? pointOf(curve, number) : undefined };
  if (!it.point || (point && binary(point) !== binary(it.point))) throw new Error('expected a private key of the curve');
  return it;
}

export function publicOf(curve, given) {
  const point = host.curvePoint(curve, binary(given));
  if (!point) throw new Error('expected a point of the curve');
  return { curve, point: new Uint8Array(point) };
}

export function newPrivate(curve) {
  const number = new Uint8Array(host.curveGenerate(curve));
  return privateOf(curve, number);
}

const identifier = (curve) => (isNist(curve) ? sequence(object('ec'), object(curve)) : sequence(object(curve)));

export const spkiOf = ({ curve, point }) => sequence(identifier(curve), bits(point));

/** What RFC 5915 says; with the name of the curve, if it is not beside it. */
export const sec1Of = ({ curve, number, point }, isAlone) =>
  sequence(integer(Uint8Array.of(1)), octets(number), ...(isAlone ? [element(TAG.first, object(curve))] : []), element(TAG.second, bits(point)));

export const pkcs8Of = (it) => sequence(integer(Uint8Array.of(0)), identifier(it.curve), octets(isNist(it.curve) ? sec1Of(it) : octets(it.number)));

/** The curve that an identifier of an algorithm names. */
export function curveIn(reader) {
  const name = nameOf(reader.take(TAG.object));
  const curve = name === 'ec' ? nameOf(reader.take(TAG.object)) : name;
  reader.end();
  if (!(curve in SIZES) || isNist(curve) !== (name === 'ec')) throw new Error('expected a known curve');
  return curve;
}

export function readSec1(bytes, beside) {
  const reader = new Reader(bytes).inside(TAG.sequence);
  reader.integer();
  const number = reader.take(TAG.octets);
  const named = reader.has(TAG.first) ? nameOf(reader.inside(TAG.first).take(TAG.object)) : undefined;
  const point = reader.has(TAG.second) ? reader.inside(TAG.second).bits() : undefined;
  const curve = beside ?? named;
  if (!curve || (named && named !== curve)) throw new Error('expected the name of a curve');
  return privateOf(curve, number.slice(), point && publicOf(curve, point).point);
}

export function readPkcs8(curve, content) {
  if (isNist(curve)) return readSec1(content, curve);
  return privateOf(curve, new Reader(content).take(TAG.octets).slice());
}

/** Reads a whole PKCS #8 or SPKI of this curve. */
function read(format, bytes, curve) {
  const reader = new Reader(bytes).inside(TAG.sequence);
  if (format === 'pkcs8') reader.integer();
  const found = curveIn(reader.inside(TAG.sequence));
  if (found !== curve) throw new Error(`expected a key of ${curve}`);
  return format === 'pkcs8' ? readPkcs8(curve, reader.take(TAG.octets)) : publicOf(curve, reader.bits());
}

const dataError = (work, message) => {
  try {
    return work();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    return refuse('DataError', message);
  }
};

function ofJwk(jwk, curve, name) {
  if (jwk.crv !== curve) refuse('DataError', `${name} "jwk" key has the curve "${jwk.crv}", expected "${curve}".`);
  const part = (member) => fromBase64Url(String(jwk[member]), member);
  const x = part('x');
  let point = x;
  if (isNist(curve)) {
    const y = part('y');
    if (x.length !== SIZES[curve] || y.length !== SIZES[curve]) refuse('OperationError', 'Invalid EC key; public key coordinates "x" and "y" are invalid.');
    point = Uint8Array.from([4, ...x, ...y]);
  }
  if (jwk.d !== undefined) return privateOf(curve, part('d'), point);
  try {
    return publicOf(curve, point);
  } catch {
    return refuse(isNist(curve) ? 'OperationError' : 'DataError', 'Invalid EC key; public key coordinates "x" and "y" are invalid: Point is not on curve.');
  }
}

export function jwkOf({ curve, number, point }) {
  const size = SIZES[curve];
  const d = number ? { d: toBase64Url(number) } : {};
  if (!isNist(curve)) return { kty: 'OKP', crv: curve, x: toBase64Url(point), ...d };
  return { kty: 'EC', crv: curve, x: toBase64Url(point.subarray(1, 1 + size)), y: toBase64Url(point.subarray(1 + size)), ...d };
}

function curveOf(name, { namedCurve }) {
  if (name === 'Ed25519' || name === 'NODE-ED25519') return 'Ed25519';
  if (name === 'X25519') return name;
  if (!isNist(String(namedCurve)) || !(namedCurve in SIZES)) refuse('NotSupportedError', `Unrecognized or unimplemented EC curve "${namedCurve}" requested.`);
  return namedCurve;
}

/** Keys of one algorithm, and what it is for. */
const keys = (name, ofPrivate, ofPublic) => ({
  importKey(format, source, algorithm, extractable, asked) {
    const curve = curveOf(name, algorithm);
    const isPrivate = format === 'pkcs8' || (format === 'jwk' && source?.d !== undefined);
    const type = isPrivate ? 'private' : 'public';
    if (!['raw', 'jwk', 'spki', 'pkcs8'].includes(format)) return absentFormat('import', format);
    const usages = needUsage(type, usagesOf(asked, isPrivate ? ofPrivate : ofPublic, `import ${type} ${name}`));
    const about = isNist(curve) ? { name, namedCurve: curve } : { name };
    let it;
    if (format === 'jwk') {
      checkJwk(source, { kty: isNist(curve) ? 'EC' : 'OKP', name, extractable, usages, use: ofPublic.length ? 'sig' : 'enc' });
      it = dataError(() => ofJwk(source, curve, name), `Invalid ${name} "jwk" key.`);
    } else {
      const bytes = bytesOf(source, 'a key').slice();
      const message = format === 'raw' ? `Failed to import raw ${name} key data: Invalid point encoding.` : `Invalid ${format.toUpperCase()} input.`;
      it = dataError(() => (format === 'raw' ? publicOf(curve, bytes) : read(format, bytes, curve)), message);
    }
    return keyOf(type, it, about, extractable, usages);
  },

  exportKey(format, key) {
    const it = opened(key, name);
    const need = { spki: 'public', pkcs8: 'private', raw: 'public' }[format];
    if (need && need !== key.type) refuse('InvalidAccessError', `Asymmetric ${format} export requires ${need} key (not "${key.type}").`);
    switch (format) {
      case 'raw': return it.point.slice().buffer;
      case 'spki': return spkiOf(it).buffer;
      case 'pkcs8': return pkcs8Of(it).buffer;
      case 'jwk': {
        const { kty, ...rest } = jwkOf(it);
        return { kty, key_ops: key.usages, ...(name === 'Ed25519' ? { alg: 'EdDSA' } : {}), ext: key.extractable, ...rest };
      }
      default: return absentFormat('export', format);
    }
  },

  generateKey(algorithm, extractable, usages) {
    const curve = curveOf(name, algorithm);
    const about = isNist(curve) ? { namedCurve: curve } : {};
    const secret = () => {
      const it = newPrivate(curve);
      return { it, point: it.point };
    };
    return pairOf({ name, about, secret, open: (point) => ({ curve, point }), extractable, usages, ofPrivate, ofPublic });
  },
});

export const ecdsa = {
  ...keys('ECDSA', ['sign'], ['verify']),
  sign({ hash }, key, source) {
    const { curve, number } = opened(key, 'ECDSA', 'sign');
    return host.curveSign(curve, binary(number), binary(new Uint8Array(host.digest(hashOf(hash), data(source, 'data')))));
  },
  verify({ hash }, key, signature, source) {
    const { curve, point } = opened(key, 'ECDSA', 'verify');
    return host.curveVerify(curve, binary(point), binary(new Uint8Array(host.digest(hashOf(hash), data(source, 'data')))), data(signature, 'a signature'));
  },
};

const edwards = (name) => ({
  ...keys(name, ['sign'], ['verify']),
  sign: (_, key, source) => host.curveSign('Ed25519', binary(opened(key, name, 'sign').number), data(source, 'data')),
  verify(_, key, signature, source) {
    const { point } = opened(key, name, 'verify');
    const given = data(signature, 'a signature');
    if (given.length !== SIGNATURE) refuse('OperationError', `Invalid ${name} signature length ${given.length}.`);
    return host.curveVerify('Ed25519', binary(point), data(source, 'data'), given);
  },
});

export const ed25519 = edwards('Ed25519');
export const nodeEd25519 = edwards('NODE-ED25519');

const agreeing = (name) => ({
  ...keys(name, ['deriveKey', 'deriveBits'], []),
  deriveBits({ public: other }, key, count) {
    const mine = opened(key, name);
    if (key.type !== 'private') refuse('InvalidAccessError', `The key of ${name} must be private.`);
    const its = opened(other, name);
    if (other.type !== 'public') refuse('InvalidAccessError', `The other key of ${name} must be public.`);
    if (its.curve !== mine.curve) refuse('InvalidAccessError', 'The keys of ECDH are of different curves.');
    const secret = host.curveAgree(mine.curve, binary(mine.number), binary(its.point));
    return firstBits(secret ?? refuse('OperationError', 'no secret comes of these keys'), count);
  },
});

export const ecdh = agreeing('ECDH');
export const x25519 = agreeing('X25519');
