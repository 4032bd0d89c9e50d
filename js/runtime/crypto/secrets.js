// Secrets of `crypto.subtle`: HMAC, and what is derived by PBKDF2 and HKDF.
import { binary, host } from 'dotdo:host';
import { absentFormat, BLOCK_BITS, bytesOf, checkJwk, data, fromBase64Url, hashOf, keyOf, needUsage, opened, refuse, toBase64Url, usagesOf } from 'dotdo:crypto/keys';

/** Bytes of which the last are only some bits. */
function cut(bytes, bits) {
  if (bits % 8) bytes[bytes.length - 1] &= 0xff << (8 - (bits % 8));
  return bytes;
}

const hmacUses = ['sign', 'verify'];
const hashes = { 'SHA-1': 'HS1', 'SHA-256': 'HS256', 'SHA-384': 'HS384', 'SHA-512': 'HS512' };

function hmacKey(bytes, hash, bits, extractable, usages) {
  return keyOf('secret', bytes, { name: 'HMAC', hash: { name: hash }, length: bits }, extractable, usages);
}

export const hmac = {
  importKey(format, source, algorithm, extractable, asked) {
    const usages = needUsage('secret', usagesOf(asked, hmacUses, 'import secret HMAC'));
    const hash = hashOf(algorithm.hash);
    let bytes;
    if (format === 'raw') {
      bytes = bytesOf(source, 'a key').slice();
    } else if (format === 'jwk') {
      checkJwk(source, { kty: 'oct', name: 'HMAC', extractable, usages, alg: hashes[hash] && [hashes[hash]], use: 'sig' });
      bytes = fromBase64Url(String(source.k), 'a key');
    } else {
      return absentFormat('import', format);
    }
    const bits = algorithm.length ?? bytes.length * 8;
    if (!bytes.length || !(bits > 0)) refuse('DataError', 'Imported HMAC key length (0) must be a non-zero value.');
    if (bits > bytes.length * 8 || bits <= (bytes.length - 1) * 8) refuse('DataError', `Imported HMAC key length (${bits}) does not match that of the key (${bytes.length * 8}).`);
    return hmacKey(cut(bytes, bits), hash, bits, extractable, usages);
  },

  exportKey(format, key) {
    const bytes = opened(key, 'HMAC');
    if (format === 'raw') return bytes.slice().buffer;
    if (format !== 'jwk') return absentFormat('export', format);
    const { name } = key.algorithm.hash;
    if (!hashes[name]) refuse('NotSupportedError', `Unimplemented JWK key export format for key algorithm "${name}".`);
    return { kty: 'oct', key_ops: key.usages, alg: hashes[name], ext: key.extractable, k: toBase64Url(bytes) };
  },

  lengthOf: ({ hash, length }) => length ?? BLOCK_BITS[hashOf(hash)],

  generateKey(algorithm, extractable, asked) {
    const usages = needUsage('secret', usagesOf(asked, hmacUses, 'generate HMAC'));
    const bits = this.lengthOf(algorithm);
    if (!(Number.isInteger(bits) && bits > 0 && bits <= 65536 * 8)) refuse('OperationError', `HMAC key length must be a non-zero unsigned long integer (requested ${bits}).`);
    return hmacKey(cut(new Uint8Array(host.random(Math.ceil(bits / 8))), bits), hashOf(algorithm.hash), bits, extractable, usages);
  },

  sign: (_, key, source) => host.hmacSign(key.algorithm.hash.name, binary(opened(key, 'HMAC', 'sign')), data(source, 'data')),

  verify: (_, key, signature, source) =>
    host.hmacVerify(key.algorithm.hash.name, binary(opened(key, 'HMAC', 'verify')), [data(source, 'data'), data(signature, 'a signature')]),
};

function deriving(name, derive) {
  return {
    importKey(format, source, _, extractable, asked) {
      const usages = needUsage('secret', usagesOf(asked, ['deriveKey', 'deriveBits'], `import secret ${name}`));
      if (extractable) refuse('SyntaxError', `${name} key cannot be extractable.`);
      if (format !== 'raw') return absentFormat('import', format);
      return keyOf('secret', bytesOf(source, 'a key').slice(), { name }, false, usages);
    },
    lengthOf: () => null,
    deriveBits(algorithm, key, bits) {
      if (bits === null || bits === undefined) refuse('OperationError', `${name} cannot derive a key with null length.`);
      if (!Number.isInteger(bits) || bits < 0 || bits % 8) refuse('OperationError', `${name} requires a derived key length that is a multiple of eight (requested ${bits}).`);
      const hash = hashOf(algorithm.hash);
      try {
        return derive(hash, algorithm, binary(opened(key, name)), bits / 8);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return refuse('OperationError', error.message);
      }
    },
  };
}

export const pbkdf2 = deriving('PBKDF2', (hash, { salt, iterations }, secret, length) => {
  const rounds = Number(iterations);
  if (!(rounds > 0)) refuse('OperationError', `PBKDF2 requires a positive iteration count (requested ${iterations}).`);
  if (!length) refuse('OperationError', 'PBKDF2 cannot derive a key of no length.');
  return host.pbkdf2(hash, [secret, data(salt, 'a salt')], rounds, length);
});

export const hkdf = deriving('HKDF', (hash, { salt, info }, secret, length) => host.hkdf(hash, [secret, data(salt, 'a salt'), data(info, 'info')], length));
